//! The program itself, `hotlead run`: signals, exit codes, and what it says when the brokers are away.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use std::{fs, io::Read};

use super::DEADLINE;
use super::running::demo_request;
use crate::kafka::{broker, unique};
use crate::supervise::{free_port, wait_for};

const RULES: &str = "version: 1
signals:
  demo_request: { on: track, name: Demo Requested }
rules:
  - id: demo-requested
    when: { signal: demo_request }
";

/// Writes both files and starts a command on them; its stderr goes to a file.
pub struct Program {
    folder: tempfile::TempDir,
    child: Child,
}

impl Program {
    pub fn start(arguments: &[&str], brokers: &str, name: &str) -> Self {
        Self::with_rules(RULES, arguments, brokers, name)
    }

    pub fn with_rules(rules: &str, arguments: &[&str], brokers: &str, name: &str) -> Self {
        Self::with_config(rules, "", arguments, brokers, name)
    }

    /// With more lines in its config file.
    pub fn with_config(rules: &str, more: &str, arguments: &[&str], brokers: &str, name: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = format!(
            "version: 1\nkafka: {{ brokers: ['{brokers}'] }}\ngroup: {name}\ninstance: a\nstart: earliest\n\
             topics: {{ prefix: '{name}.', events: events }}\nrules: rules.yaml\nlead_key: [user_id, anonymous_id]\n\
             workers: 1\nhttp: off\n{more}"
        );
        fs::write(folder.path().join("rules.yaml"), rules).unwrap();
        fs::write(folder.path().join("hotlead.yaml"), config).unwrap();
        let log = fs::File::create(folder.path().join("log")).unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_hotlead"))
            .args(arguments)
            .arg("--config")
            .arg(folder.path().join("hotlead.yaml"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap();
        Self { folder, child }
    }

    pub fn log(&self) -> String {
        read(&self.folder.path().join("log"))
    }

    pub fn logs(&self, text: &str) {
        wait_for(&format!("{text:?} in the log"), DEADLINE, || self.log().contains(text).then_some(()));
    }

    pub fn signal(&self, signal: &str) {
        let sent = Command::new("kill").arg(format!("-{signal}")).arg(self.child.id().to_string()).status();
        assert!(sent.unwrap().success());
    }

    pub fn exit_code(&mut self) -> Option<i32> {
        wait_for("the program's end", DEADLINE, || self.child.try_wait().unwrap()).code()
    }

    pub fn output(&mut self) -> String {
        let mut text = String::new();
        self.child.stdout.take().unwrap().read_to_string(&mut text).unwrap();
        text
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It has usually ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

#[test]
fn a_signal_commits_the_last_round_and_ends_with_0() {
    for signal in ["TERM", "INT"] {
        let name = unique("signal");
        broker().create_topic(&format!("{name}.events"), 2, &[]);
        let mut program = Program::start(&["run"], broker().bootstrap(), &name);
        program.logs("running");
        broker().produce(&format!("{name}.events"), (0..5).map(|n| demo_request(n, n)));
        let alerts = format!("{name}.hotlead.alerts");
        wait_for("alerts", DEADLINE, || (broker().consume_visible(&alerts).len() == 5).then_some(()));
        program.signal(signal);
        assert_eq!(program.exit_code(), Some(0), "{}", program.log());
        let mut tail =
            Program::start(&["tail", "--json", "--from", "beginning", "--until-end"], broker().bootstrap(), &name);
        let mut lines: Vec<_> = tail.output().lines().map(str::to_owned).collect();
        assert_eq!(tail.exit_code(), Some(0), "{}", tail.log());
        let values = broker().consume_visible(&alerts);
        let mut expected: Vec<_> = values.iter().map(|record| record.value_text()).collect();
        expected.sort();
        lines.sort();
        assert_eq!(lines, expected, "as they are on the topic");
    }
}

#[test]
fn an_empty_topic_is_captured_as_nothing_and_said_so() {
    let name = unique("empty");
    let topic = format!("{name}.events");
    broker().create_topic(&topic, 2, &[]);
    let from_end = format!("topic {topic}: nothing came after its end; --from beginning reads all of it\n");
    for (from, said) in [("beginning", format!("topic {topic} has no records\n")), ("end", from_end)] {
        let mut capture = Program::start(&["capture", "--from", from, "--until-end"], broker().bootstrap(), &name);
        assert_eq!(capture.output(), "");
        assert_eq!((capture.exit_code(), capture.log()), (Some(0), said));
    }
    broker().produce(&topic, [demo_request(1, 1)]);
    let mut capture = Program::start(&["capture", "--from", "beginning", "--until-end"], broker().bootstrap(), &name);
    assert_eq!(capture.output().lines().count(), 1);
    assert_eq!((capture.exit_code(), capture.log()), (Some(0), String::new()));
}

/// Goal: `kill -9` loses nothing, repeats nothing, and the next start does not wait for a session to end.
#[test]
fn a_killed_process_is_replaced_at_once() {
    let name = unique("kill");
    let (events, alerts) = (format!("{name}.events"), format!("{name}.hotlead.alerts"));
    broker().create_topic(&events, 2, &[]);
    for round in 0..3 {
        let mut program = Program::start(&["run"], broker().bootstrap(), &name);
        program.logs("running");
        broker().produce(&events, (round * 100..(round + 1) * 100).map(|n| demo_request(n, n)));
        wait_for("some alerts", DEADLINE, || (broker().consume_visible(&alerts).len() > round * 100).then_some(()));
        program.signal("KILL");
        assert_eq!(program.exit_code(), None);
    }
    let program = Program::start(&["run"], broker().bootstrap(), &name);
    let records = wait_for("all alerts", DEADLINE, || {
        let records = broker().consume_visible(&alerts);
        (records.len() >= 300).then_some(records)
    });
    drop(program);
    assert_eq!(records.len(), 300, "lost or twice");
    assert_eq!(super::alert_ids(&records).len(), 300, "twice");
}

#[test]
fn brokers_that_are_away_are_one_clear_line() {
    let nowhere = format!("127.0.0.1:{}", free_port());
    let mut program = Program::start(&["run"], &nowhere, &unique("away"));
    program.logs(&format!("cannot reach Kafka at {nowhere}"));
    program.logs("trying again in 2 s");
    let (log, two) = (program.log(), 2);
    assert!(log.lines().count() <= two, "one line for each try:\n{log}");
    program.signal("TERM");
    assert_eq!(program.exit_code(), Some(0), "nothing was left to do");
    let started = std::time::Instant::now();
    let mut tail = Program::start(&["tail", "--until-end"], &nowhere, &unique("away"));
    assert_eq!(tail.exit_code(), Some(69), "{}", tail.log());
    assert!(started.elapsed() < Duration::from_secs(20));
    assert!(tail.log().contains(&format!("cannot reach Kafka at {nowhere}")), "{}", tail.log());
}
