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

/// Goal: the summary says of each rule how often it opened, was updated and closed; what counts alerts and leads is about
/// those that opened.
#[test]
fn the_summary_counts_each_kind_of_alert() {
    let folder = tempfile::tempdir().expect("a folder");
    let rules = "version: 1
signals: { seen: { on: page }, demo: { on: track, name: Demo } }
rules:
  - { id: demo, when: { signal: demo }, cooldown: 0s }
  - { id: seen, when: { count: { signal: seen, at_least: 1, within: 1h } } }
";
    let seen = |lead: &str, time: &str| {
        format!(r#"{{"type":"page","time":"2026-11-22T{time}Z","lead":{{"user_id":"{lead}"}},"page":{{}}}}"#)
    };
    let demo = |time: &str| seen("u1", time).replace(r#""page","time""#, r#""track","name":"Demo","time""#);
    let events = [
        seen("u1", "10:00:00"),
        seen("u1", "10:00:01"),
        seen("u1", "10:01:00"),
        seen("u2", "10:00:00"),
        demo("10:02:00"),
        demo("10:03:00"),
    ];
    fs::write(folder.path().join("events"), events.join("\n")).expect("a writable folder");
    fs::write(folder.path().join("rules.yaml"), rules).expect("a writable folder");
    let run = |options: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hotlead"));
        command.args(["backtest", "--rules", "rules.yaml", "--events", "events"]).args(options);
        let ended = command.current_dir(folder.path()).output().expect("it runs");
        assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
        String::from_utf8(ended.stdout).expect("text")
    };
    let text = run(&[]);
    let words = |line: &str| line.split_whitespace().take(5).map(str::to_owned).collect::<Vec<_>>().join(" ");
    let table: Vec<String> = text.lines().skip_while(|line| !line.starts_with("rule")).map(words).collect();
    assert_eq!(table[0], "rule opened updated closed leads", "{text}");
    assert!(table.contains(&"demo 2 0 1 1".to_owned()) && table.contains(&"seen 2 2 0 2".to_owned()), "{text}");
    assert!(text.ends_with("\n4 alerts about 2 leads\n"), "{text}");
    assert_eq!(run(&["--json"]).lines().count(), 4 + 2 + 1, "every kind is a line");
}
