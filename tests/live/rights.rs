//! Rights that a Kafka with ACLs denies: each is one line that names it, and the line is true.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use hotlead::codec::state;
use hotlead::core::names::Names;
use hotlead::core::stored::Form;
use rdkafka::ClientConfig;

use super::DEADLINE;
use crate::kafka::{Broker, Login, On, Options, Outgoing, Right, own_broker};
use crate::supervise::wait_for;

const RULES: &str = "version: 1
signals: { demo_request: { on: track, name: Demo Requested } }
rules: [ { id: demo-requested, when: { signal: demo_request } } ]
";

/// A deployment `hot` of the user that the config logs in as.
fn write_files(folder: &Path, login: &ClientConfig) {
    let value = |name: &str| login.get(name).expect("set by the broker");
    let names = ["security.protocol", "sasl.mechanism", "sasl.username", "ssl.ca.location"];
    let properties: Vec<_> = names.iter().map(|name| format!("    {name}: {}\n", value(name))).collect();
    let config = format!(
        "version: 1\nkafka:\n  brokers: ['{}']\n  properties:\n{}    sasl.password: env:HOTLEAD_TEST_PASSWORD\n\
         group: hot\ninstance: a\ntopics: {{ events: events }}\nrules: rules.yaml\nworkers: 1\nhttp: off\n\
         sinks:\n  - {{ id: crm, webhook: {{ url: https://crm.example.com/hook, secret: env:HOTLEAD_TEST_SECRET }} }}\n",
        value("bootstrap.servers"),
        properties.concat(),
    );
    fs::write(folder.join("hotlead.yaml"), config).expect("a writable folder");
    fs::write(folder.join("rules.yaml"), RULES).expect("a writable folder");
}

fn command(folder: &Path, login: &ClientConfig, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hotlead"));
    command
        .args(arguments)
        .args(["--config", "hotlead.yaml"])
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    command.env("HOTLEAD_TEST_SECRET", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
    command.env("HOTLEAD_TEST_PASSWORD", login.get("sasl.password").expect("set by the broker"));
    command
}

/// A Kafka with ACLs and a deployment of a user who may do nothing yet.
struct Site {
    broker: Broker,
    folder: tempfile::TempDir,
    login: ClientConfig,
}

impl Site {
    /// To be called with [`own_broker`] held.
    fn new() -> Self {
        let login = Login { user: "hotlead".to_owned(), password: "right".to_owned() };
        let authorizer = [
            ("authorizer.class.name", "org.apache.kafka.metadata.authorizer.StandardAuthorizer"),
            // Whoever comes without a login: the broker itself, and the test.
            ("super.users", "User:ANONYMOUS"),
        ];
        let properties = authorizer.map(|(key, value)| (key.to_owned(), value.to_owned())).to_vec();
        let broker = Broker::start_own(&Options { tls_scram: Some(login), properties, ..Options::default() });
        let folder = tempfile::tempdir().expect("a folder");
        let login = broker.tls_client_config();
        write_files(folder.path(), &login);
        Self { broker, folder, login }
    }

    fn start(&self, arguments: &[&str]) -> Child {
        let mut command = command(self.folder.path(), &self.login, arguments);
        command.stderr(fs::File::create(self.log()).expect("a file")).spawn().expect("it runs")
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    /// What it has said so far.
    fn text(&self) -> String {
        fs::read_to_string(self.log()).unwrap_or_default()
    }

    /// A command to its end: exit code and what it said.
    fn ends(&self, arguments: &[&str]) -> (Option<i32>, String) {
        let mut child = self.start(arguments);
        let ended = wait_for("its end", DEADLINE, || {
            child.try_wait().expect("a child").or_else(|| {
                // One line and then no end: it is trying again.
                self.text().contains("trying again").then(|| {
                    child.kill().expect("a child");
                    child.wait().expect("a child")
                })
            })
        });
        (ended.code(), self.text())
    }
}

/// Goal: whoever sets hotlead up on a Kafka with ACLs is led from each missing right to the next, until it runs. Method:
/// a user who may do nothing gets the right that the line asks for, and no other.
#[test]
fn each_missing_right_is_one_clear_line_until_it_runs() {
    let _own = own_broker();
    let site = Site::new();
    let broker = &site.broker;
    const LEDGER: &str = "hotlead.delivery.crm";
    const OURS: [&str; 5] =
        ["hotlead.alerts", "hotlead.dead-letter", "hotlead.ops", "hotlead.state", "hotlead.feedback"];
    for topic in ["events", LEDGER].into_iter().chain(OURS) {
        broker.create_topic(topic, 1, &[]);
    }
    let text = || site.text();
    let ends = |arguments: &[&str]| site.ends(arguments);
    let allow = |right, on| broker.allow("hotlead", right, on);

    #[rustfmt::skip]
    let steps = [
        // what is refused                   needs    what is granted then
        ("topic \"events\"",                 "Read",  (Right::Read, On::Topic("events"))),
        ("topic \"hotlead.alerts\"",         "Write", (Right::Write, On::Topic("hotlead.alerts"))),
        ("topic \"hotlead.dead-letter\"",    "Write", (Right::Write, On::Topic("hotlead.dead-letter"))),
        ("topic \"hotlead.ops\"",            "Write", (Right::Write, On::Topic("hotlead.ops"))),
        ("topic \"hotlead.state\"",          "Write", (Right::Write, On::Topic("hotlead.state"))),
        ("topic \"hotlead.feedback\"",       "Read",  (Right::Read, On::Topic("hotlead.feedback"))),
        ("topic \"hotlead.delivery.crm\"",  "Write", (Right::Write, On::Topic(LEDGER))),
        ("group \"hot\"",                    "Read",  (Right::Read, On::Group("hot"))),
        ("transactional id \"hot-a-0\"",     "Write", (Right::Write, On::TransactionalIdsThatBegin("hot-a-"))),
    ];
    for (what, needs, (right, on)) in steps {
        let (code, log) = ends(&["run"]);
        let line = format!("no access to {what}: the principal needs {needs} on it; grant it with kafka-acls.sh ");
        assert!(log.contains(&line), "{what}: {log}");
        // The sink may have come as far as its own group meanwhile.
        let lines = log.lines().filter(|line| !line.contains("sink="));
        assert_eq!(lines.count(), 1, "{what}: {log}");
        assert_eq!(code, Some(69), "{what}: {log}");
        allow(right, on);
    }
    let may_not_read = ends(&["tail", "--from", "beginning", "--until-end"]);
    assert_eq!(may_not_read.0, Some(0), "an empty topic has nothing that may not be read: {}", may_not_read.1);

    let mut running = site.start(&["run"]);
    // A sink waits, as for anything else that a person has to mend; detection goes on.
    wait_for("the sink's line", DEADLINE, || {
        text().contains("no access to group \"hot.crm\": the principal needs Read on it; grant it ").then_some(())
    });
    allow(Right::Read, On::Group("hot.crm"));
    allow(Right::Read, On::Topic(LEDGER));
    wait_for("running", DEADLINE, || {
        assert!(running.try_wait().expect("a child").is_none(), "{}", text());
        text().contains("running").then_some(())
    });
    running.kill().expect("a child");
    running.wait().expect("a child");
    broker.produce("hotlead.alerts", [Outgoing::new("u1", "an alert")]);
    let (code, log) = ends(&["tail", "--from", "beginning", "--until-end"]);
    assert!(log.starts_with("no access to topic \"hotlead.alerts\": the principal needs Read on it"), "{log}");
    assert_eq!((code, log.lines().count()), (Some(69), 1), "{log}");
}

/// Goal: the rights that the README asks for are what `hotlead state move` needs, and what is missing is said. Method: as
/// above; the lead whose key another partition has is there before and after.
#[test]
fn a_move_needs_the_rights_that_are_written_down() {
    let _own = own_broker();
    let site = Site::new();
    for (topic, partitions) in [("events", 2), ("hotlead.state", 1), ("hotlead.feedback", 1)] {
        site.broker.create_topic(topic, partitions, &[]);
    }
    let (id, key, value) = state::names(&Names::default());
    let names = Outgoing { key: Some(key), value: Some(value), ..Outgoing::new("", "") };
    // Partition 0 of one and partition 1 of two.
    let lead =
        Outgoing { value: Some([&state::head(id, Form::Compact)[..], b"state"].concat()), ..Outgoing::new("abc", "") };
    site.broker.produce("hotlead.state", [names, lead]);
    const FEEDBACK: On<'_> = On::Topic("hotlead.feedback");
    const STATE: On<'_> = On::Topic("hotlead.state");
    #[rustfmt::skip]
    let steps = [
        // what is refused                         needs    what is granted then                       what stands
        ("topic \"events\"",                     "Read",  (Right::Describe, On::Topic("events")),     "this run has changed nothing"),
        ("topic \"hotlead.state\"",              "Write", (Right::Write, STATE),                      "this run has changed nothing"),
        ("topic \"hotlead.feedback\"",           "Read",  (Right::Read, FEEDBACK),                    "this run has changed nothing"),
        ("transactional id \"hot-state-move\"",  "Write", (Right::Write, On::TransactionalIdsThatBegin("hot-state-move")), "this run has changed nothing"),
        ("group \"hot\"",                        "Read",  (Right::Describe, On::Group("hot")),        "this run has changed nothing"),
        ("topic \"hotlead.state\"",              "Read",  (Right::Read, STATE),                       "this run has changed nothing"),
        ("topic \"hotlead.state\"",              "Alter", (Right::Alter, STATE),                      "no lead has moved"),
        ("topic \"hotlead.feedback\"",           "Alter", (Right::Alter, FEEDBACK),                   "the leads have moved, only hotlead.feedback has still 1 partitions"),
    ];
    for (what, needs, (right, on), stands) in steps {
        let (code, log) = site.ends(&["state", "move"]);
        let line = format!("no access to {what}: the principal needs {needs} on it; grant it with kafka-acls.sh ");
        assert!(log.contains(&line) && log.contains(stands), "{what}: {log}");
        assert_eq!(code, Some(69), "{what}: {log}");
        site.broker.allow("hotlead", right, on);
    }
    let (code, log) = site.ends(&["state", "move"]);
    assert_eq!((code, log.as_str()), (Some(0), "0 of 1 leads have moved\n"), "the step before has moved it");
    let records = site.broker.consume_all_read_committed("hotlead.state");
    let there = records.iter().any(|record| record.partition == 1 && record.key.as_deref() == Some(b"abc"));
    assert!(there, "{records:?}");
}
