//! Each file of `faults/` is wrong in the way that its name says; the text beside it is what people read.

use hotlead::config;

use super::{compare, files, root};

#[test]
fn every_fault_reads_as_the_text_beside_it() {
    let folder = root().join("tests/config/faults");
    let fixtures = files(&folder, "yaml");
    assert!(fixtures.len() >= 40, "{} fixtures", fixtures.len());
    for path in fixtures {
        let (_, faults) = config::check(&path).expect("a readable file");
        assert!(!faults.is_empty(), "{} has no fault", path.display());
        let text = faults.to_string().replace(&format!("{}/", folder.display()), "");
        compare(&path.with_extension("txt"), &text);
    }
}

#[test]
fn no_fault_shows_a_secret() {
    for path in files(&root().join("tests/config/faults"), "yaml") {
        let (_, faults) = config::check(&path).expect("a readable file");
        let text = faults.to_string();
        assert!(!text.contains("verysecret") && !text.contains("hunter2"), "{text}");
        assert!(!text.contains("dmVyeXNlY3JldA"), "{text}");
    }
}
