//! Rights that a Kafka with ACLs denies: each is one line that names it, and the line is true.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

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

/// Goal: whoever sets hotlead up on a Kafka with ACLs is led from each missing right to the next, until it runs. Method:
/// a user who may do nothing gets the right that the line asks for, and no other.
#[test]
fn each_missing_right_is_one_clear_line_until_it_runs() {
    let _own = own_broker();
    let login = Login { user: "hotlead".to_owned(), password: "right".to_owned() };
    let authorizer = [
        ("authorizer.class.name", "org.apache.kafka.metadata.authorizer.StandardAuthorizer"),
        // Whoever comes without a login: the broker itself, and the test.
        ("super.users", "User:ANONYMOUS"),
    ];
    let properties = authorizer.map(|(key, value)| (key.to_owned(), value.to_owned())).to_vec();
    let broker = Broker::start_own(&Options { tls_scram: Some(login), properties, ..Options::default() });
    const LEDGER: &str = "hotlead.delivery.crm";
    const OURS: [&str; 5] =
        ["hotlead.alerts", "hotlead.dead-letter", "hotlead.ops", "hotlead.state", "hotlead.feedback"];
    for topic in ["events", LEDGER].into_iter().chain(OURS) {
        broker.create_topic(topic, 1, &[]);
    }
    let folder = tempfile::tempdir().expect("a folder");
    let login = broker.tls_client_config();
    write_files(folder.path(), &login);
    let log = folder.path().join("log");
    let text = || fs::read_to_string(&log).unwrap_or_default();
    let start = |arguments: &[&str]| {
        let mut command = command(folder.path(), &login, arguments);
        command.stderr(fs::File::create(&log).expect("a file")).spawn().expect("it runs")
    };
    let ends = |arguments: &[&str]| {
        let mut child = start(arguments);
        let ended = wait_for("its end", DEADLINE, || {
            child.try_wait().expect("a child").or_else(|| {
                // One line and then no end: it is trying again.
                text().contains("trying again").then(|| {
                    child.kill().expect("a child");
                    child.wait().expect("a child")
                })
            })
        });
        (ended.code(), text())
    };
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

    let mut running = start(&["run"]);
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
