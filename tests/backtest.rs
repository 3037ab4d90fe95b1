//! `hotlead backtest` as a program: what stands on which output.

use std::fs;
use std::process::Command;

const RULES: &str = "version: 1
signals: { demo: { on: track, name: Demo } }
rules: [ { id: demo, when: { signal: demo } } ]
";

/// Goal: a time far after its neighbours is told of in every mode, where it does not mix with data.
#[test]
fn a_time_far_after_its_neighbours_is_a_warning_in_every_mode() {
    let folder = tempfile::tempdir().expect("a folder");
    let event = |time: &str| format!(r#"{{"type":"track","name":"Demo","time":"{time}","lead":{{"user_id":"u1"}}}}"#);
    // The last one is far after the first, but not after the one that is wrong.
    let times = ["2026-11-22T10:00:00Z", "2062-11-22T10:00:00Z", "2026-12-30T10:00:00Z"].map(event);
    fs::write(folder.path().join("events"), times.join("\n")).expect("a writable folder");
    fs::write(folder.path().join("rules.yaml"), RULES).expect("a writable folder");
    let warning = "warning: line 2: 2062-11-22T10:00:00.000Z lies far after all lines before it";
    #[rustfmt::skip]
    let modes: [(&[&str], bool); 3] = [
        // options          whether the warning is on stdout, else it is on stderr
        (&["--json"],       false),
        (&["--decisions"],  false),
        (&[],               true),
    ];
    for (options, is_data) in modes {
        let ended = Command::new(env!("CARGO_BIN_EXE_hotlead"))
            .args(["backtest", "--rules", "rules.yaml", "--events", "events"])
            .args(options)
            .current_dir(folder.path())
            .output()
            .expect("it runs");
        assert_eq!(ended.status.code(), Some(0), "{options:?}");
        let (out, err) = (String::from_utf8_lossy(&ended.stdout), String::from_utf8_lossy(&ended.stderr));
        assert_eq!(
            (out.matches(warning).count(), err.matches(warning).count()),
            (usize::from(is_data), usize::from(!is_data)),
            "{options:?}\n{out}\n{err}"
        );
        assert_eq!(err.lines().count(), usize::from(!is_data), "{err}");
    }
}
