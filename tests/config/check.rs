//! `hotlead check` as a command sees it: exit codes.

use std::fs;
use std::process::{Command, Stdio};

use hotlead::cli::check::run;

const RULES: &str = "version: 1\nrules:\n  - { id: a, when: { trait: { name: country, in: [US] } } }\n";
const CONFIG: &str = "version: 1\nkafka: { brokers: [localhost:9092] }\nrules: rules.yaml\n";

#[test]
fn the_exit_code_says_what_was_found() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).expect("a file");
        path
    };
    let missing = folder.path().join("missing.yaml");
    let rules = file("rules.yaml", RULES);
    let config = file("hotlead.yaml", CONFIG);
    let faulty = file("faulty.yaml", &RULES.replace("country", "a..b"));
    let to_faulty = file("to-faulty.yaml", &CONFIG.replace("rules.yaml", "faulty.yaml"));
    let to_missing = file("to-missing.yaml", &CONFIG.replace("rules.yaml", "missing.yaml"));
    let to_config = file("to-config.yaml", &CONFIG.replace("rules.yaml", "hotlead.yaml"));
    let binary = folder.path().join("binary.yaml");
    fs::write(&binary, b"version: \xff\xfe").expect("a file");
    #[rustfmt::skip]
    let rows = [
        (vec![&rules], 0, "rules"),
        (vec![&config], 0, "a config and its rules"),
        (vec![&rules, &config, &rules], 0, "the same file more than once"),
        (vec![&missing], 66, "no such file"),
        (vec![&rules, &missing], 66, "one of two is missing"),
        (vec![&faulty], 78, "a fault"),
        (vec![&missing, &faulty], 78, "a fault says more than a missing file"),
        (vec![&to_faulty], 78, "a fault in the config's rules file"),
        (vec![&to_missing], 78, "the config names a rules file that is not there"),
        (vec![&to_config], 78, "the config names a config"),
        (vec![&binary], 78, "no text"),
    ];
    for (files, want, what) in rows {
        let files: Vec<_> = files.into_iter().cloned().collect();
        assert_eq!(run(&files), want, "{what}");
    }
}

/// Goal: a sink that takes a rule or a tier that the rules file does not have gets nothing by it: that is said, with its place.
#[test]
fn a_route_by_a_rule_that_is_not_there_is_a_warning() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).expect("a file");
    let slack = "slack: { webhook_url: env:HOTLEAD_NO_SUCH_SECRET }";
    let only = "only: { rule: [pricing-surge, pricing-sugre], tier: { in: [Warm, cold] } }";
    write("rules.yaml", &RULES.replace("id: a", "id: pricing-surge, tier: warm"));
    write("hotlead.yaml", &format!("{CONFIG}unrouted: drop\nsinks:\n  - {{ id: sdr, {only}, {slack} }}\n"));
    let mut command = Command::new(env!("CARGO_BIN_EXE_hotlead"));
    let checked = command.args(["check", "hotlead.yaml"]).current_dir(&folder).output().expect("the program runs");
    let said = String::from_utf8_lossy(&checked.stderr);
    let lines: Vec<_> = said.lines().filter(|line| line.contains("only")).collect();
    let wanted = [
        "hotlead.yaml:6:46: sinks[0].only.rule[1]: warning: rules.yaml has no rule \"pricing-sugre\"; did you mean \
         \"pricing-surge\"?",
        "hotlead.yaml:6:81: sinks[0].only.tier.in[1]: warning: rules.yaml has no tier \"cold\"",
    ];
    assert_eq!(lines, wanted, "{said}");
}

/// Goal: an `ok` that nobody could read is none, and a reader who went away is no fault.
#[test]
fn output_that_cannot_be_written_is_a_fault() {
    let folder = tempfile::tempdir().expect("a folder");
    let rules = folder.path().join("rules.yaml");
    fs::write(&rules, RULES).expect("a file");
    let run_into = |out: Stdio| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hotlead"));
        command.arg("check").arg(&rules).stdout(out).output().expect("the program runs")
    };
    let full = run_into(fs::File::options().write(true).open("/dev/full").expect("a full disk").into());
    let said = String::from_utf8_lossy(&full.stderr);
    assert_eq!(full.status.code(), Some(70), "{said}");
    assert!(said.starts_with("cannot write to standard output: "), "{said}");
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let closed = run_into(writer.into());
    assert_eq!((closed.status.code(), closed.stderr.len()), (Some(0), 0), "a closed pipe ends quietly");
}
