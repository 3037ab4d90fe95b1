//! Dead letters on a real broker: looked at and sent back by the program's own commands, beside the running instance.

use std::fs;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use super::broker::alert;
use super::receiver::Receiver;
use super::restart::{Deployment, hold, requests, sink, webhook};
use crate::kafka::{Outgoing, Record, broker};
use crate::supervise::{Supervised, free_port, wait_for};

const DEADLINE: Duration = Duration::from_secs(60);

/// Runs `hotlead dlq …` on a process's config file: exit code, output, what it says beside.
fn dlq(process: &Supervised, arguments: &str) -> (i32, String, String) {
    let ran = Command::new(env!("CARGO_BIN_EXE_hotlead"))
        .arg("dlq")
        .args(arguments.split_whitespace())
        .current_dir(process.folder())
        .output()
        .expect("it runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (ran.status.code().unwrap_or(-1), text(&ran.stdout), text(&ran.stderr))
}

/// The counts that a redrive prints; it has to end with 0.
fn redrive(process: &Supervised, arguments: &str) -> Value {
    let (code, out, err) = dlq(process, &format!("redrive {arguments} --json"));
    assert_eq!(code, 0, "{out}{err}");
    serde_json::from_str(&out).expect("one object")
}

fn counts(redriven: u64, skipped_delivered: u64) -> Value {
    json!({ "redriven": redriven, "skipped_delivered": skipped_delivered, "failed": 0 })
}

fn id(number: u128) -> String {
    format!("{number:032x}")
}

/// Goal: what a sink gave up goes to that sink again, once, whoever was killed meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn a_given_up_delivery_goes_back_to_its_sink_once_and_to_no_other() {
    let well = Arc::new(AtomicBool::new(false));
    let is_well = well.clone();
    let crm = Receiver::start(move |request| match request.lead().as_str() {
        "b" => (200, ""),
        _ => (if is_well.load(Ordering::Relaxed) { 200 } else { 422 }, ""),
    });
    let (crm, other) = (crm.await, Receiver::start(|_| (200, "")).await);
    tokio::task::block_in_place(|| {
        let sinks = webhook("crm", &crm) + &webhook("other", &other);
        let deployment = Deployment::with("dlq", 2, &sinks);
        let mut process = deployment.start("a");
        deployment.publish([alert(1, "bad"), alert(2, "worse"), alert(3, "b")]);
        let dead = deployment.topic("hotlead.dead-letter");
        wait_for("dead letters", DEADLINE, || (broker().consume_visible(&dead).len() == 2).then_some(()));
        wait_for("the other sink", DEADLINE, || (other.seen().len() == 3).then_some(()));

        looked_at(&process, &deployment);

        let (asked, ledger) = (crm.seen().len(), deployment.topic("hotlead.delivery.crm"));
        let before = broker().consume_visible(&ledger).len();
        assert_eq!(redrive(&process, "--sink crm --dry-run"), counts(2, 0));
        assert_eq!((broker().consume_visible(&ledger).len(), crm.seen().len()), (before, asked), "nothing changed");

        // Too early: it dies again, and its second life is counted.
        assert_eq!(redrive(&process, "--sink crm --lead worse"), counts(1, 0));
        wait_for("its second death", DEADLINE, || (broker().consume_visible(&dead).len() == 3).then_some(()));
        let (_, out, _) = dlq(&process, "show --lead worse --limit 2 --json");
        let lives = out.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON")["redrives"].clone());
        assert_eq!(lives.collect::<Vec<_>>(), [0, 1]);

        well.store(true, Ordering::Relaxed);
        assert_eq!(redrive(&process, "--sink crm --lead bad"), counts(1, 0));
        wait_for("its delivery", DEADLINE, || deployment.is_delivered(1).then_some(()));
        assert_eq!(requests(&crm, "bad"), [id(1), id(1), id(1)], "two refusals, then taken; always the same id");
        assert_eq!(redrive(&process, "--sink crm --lead bad"), counts(0, 1), "the same command again");

        // Nobody runs: the wish waits, and asking twice is asking once.
        process.signal("KILL");
        assert_eq!(redrive(&process, ""), counts(1, 1));
        assert_eq!(redrive(&process, "")["under_way"], 1);
        let status: Value = serde_json::from_str(&sink(&process, &["status", "crm", "--json"]).1).expect("JSON");
        assert_eq!((&status["parked"], &status["delivered"]), (&json!(1), &json!(2)));
        process.start();
        wait_for("its delivery", DEADLINE, || deployment.is_delivered(2).then_some(()));
        assert_eq!(redrive(&process, "--reason message"), counts(0, 2));
        assert_eq!(requests(&crm, "worse"), vec![id(2); 5], "two refusals in each of two lives, then taken");

        assert_eq!(redrive(&process, &format!("{} --force", id(1))), counts(1, 0));
        wait_for("its repeat", DEADLINE, || (requests(&crm, "bad").len() == 4).then_some(()));
        assert_eq!(other.seen().len(), 3, "the other sink got nothing more");
        process.tell("TERM");
        assert_eq!(process.ended(), 0, "{}", process.log());
    });
}

/// What `ls` and `show` say of the two dead letters, and how the commands end.
fn looked_at(process: &Supervised, deployment: &Deployment) {
    let (code, out, _) = dlq(process, "ls --sink crm --config hotlead.yaml");
    let dead = deployment.topic("hotlead.dead-letter");
    let alerts = deployment.topic("hotlead.alerts");
    assert_eq!((code, out.lines().count()), (0, 2), "{out}");
    for line in out.lines() {
        let words: Vec<_> = line.split("  ").collect();
        assert_eq!((words.len(), words[2], words[3], words[5]), (6, "crm", "message", "2"), "{line}");
        assert!(words[1].starts_with(&dead) && words[4].starts_with(&alerts), "{line}");
        assert!(!line.contains("bad") && !line.contains("worse"), "nothing of a lead: {line}");
    }
    let (code, out, _) = dlq(process, "ls --json --limit 1");
    let line: Value = serde_json::from_str(&out).expect("one object");
    assert_eq!((code, &line["sink"], &line["last_status"]), (0, &json!("crm"), &json!(422)));
    let (code, out, _) = dlq(process, &format!("show {} --json", line["place"].as_str().expect("a place")));
    let whole: Value = serde_json::from_str(&out).expect("one object");
    assert_eq!((code, &whole["alert"]), (0, &line["alert"]));
    let value: Value = serde_json::from_str(whole["value"].as_str().expect("text")).expect("the alert");
    assert_eq!(value["lead"]["key"], whole["key"]);
    let (code, out, _) = dlq(process, "show --lead worse");
    assert!(code == 0 && out.contains("hotlead.alerts/0@") && out.contains("\"key\":\"worse\""), "{out}");
    #[rustfmt::skip]
    let rows = [
        ("ls --sink nobody",         78),
        ("redrive --sink nobody",    78),
        ("show --sink other",         1),
        ("ls --reason exhausted",     1),
        ("redrive --reason channel",  1),
        ("ls --since 2999-01-01T00:00:00Z", 1),
        ("ls --reason unheard-of",    1),
        ("ls --since yesterday",      2),
        ("redrive --rate 0",          2),
        ("redrive --limit all",       2),
    ];
    for (arguments, expected) in rows {
        let (code, out, err) = dlq(process, arguments);
        assert_eq!((code, out.as_str(), err.is_empty()), (expected, "", false), "{arguments}: {err}");
    }
    let config = fs::read_to_string(process.folder().join("hotlead.yaml")).expect("the config");
    let nowhere = config.replace(broker().bootstrap(), &format!("127.0.0.1:{}", free_port()));
    fs::write(process.folder().join("nowhere.yaml"), nowhere).expect("a writable folder");
    assert_eq!(dlq(process, "redrive --config nowhere.yaml").0, 69);
}

/// Goal: `kill -9` of the command and of the instance in the midst of a redrive loses nothing, and repeats only what was
/// accepted and not recorded, with the same id. Method: the first request of the redrive is answered after both are dead.
#[tokio::test(flavor = "multi_thread")]
async fn a_redrive_survives_the_death_of_whoever_asked_and_of_whoever_was_asked() {
    const LEADS: [&str; 3] = ["a", "b", "c"];
    let flag = || Arc::new(AtomicBool::new(false));
    let (well, held, released) = (flag(), flag(), flag());
    let (is_well, is_held, release) = (well.clone(), held.clone(), released.clone());
    let crm = Receiver::start(move |_| {
        if !is_well.load(Ordering::Relaxed) {
            return (422, "");
        }
        if !is_held.swap(true, Ordering::Relaxed) {
            hold(&release);
        }
        (200, "")
    });
    let crm = crm.await;
    tokio::task::block_in_place(|| {
        let deployment = Deployment::with("dlq-killed", 1, &webhook("crm", &crm));
        let mut process = deployment.start("a");
        deployment.publish((1..).zip(LEADS).map(|(number, lead)| alert(number, lead)));
        let dead = deployment.topic("hotlead.dead-letter");
        wait_for("dead letters", DEADLINE, || (broker().consume_visible(&dead).len() == 3).then_some(()));
        well.store(true, Ordering::Relaxed);
        let mut asking = Command::new(env!("CARGO_BIN_EXE_hotlead"))
            .args(["dlq", "redrive", "--rate", "1"])
            .current_dir(process.folder())
            .stdout(Stdio::null())
            .spawn()
            .expect("it runs");
        wait_for("the first request", DEADLINE, || held.load(Ordering::Relaxed).then_some(()));
        asking.kill().expect("it is ours");
        asking.wait().expect("it is ours");
        process.signal("KILL");
        released.store(true, Ordering::Relaxed);
        process.start();
        wait_for("all delivered", DEADLINE, || (redrive(&process, "") == counts(0, 3)).then_some(()));
        let taken = LEADS.map(|lead| requests(&crm, lead).len() - 2);
        assert_eq!(taken.iter().filter(|taken| **taken == 1).count(), 2, "{taken:?}");
        assert_eq!(taken.iter().sum::<usize>(), 4, "the held one came twice: {taken:?}");
        for (number, lead) in (1..).zip(LEADS) {
            assert!(requests(&crm, lead).iter().all(|sent| *sent == id(number)), "always the same id");
        }
    });
}

/// Dead letters of which nothing can be sent back are told, one line each, and the others are not held up by them.
fn cannot_go_back(process: &Supervised, deployment: &Deployment) {
    let (events, alerts) = (deployment.topic("events"), deployment.topic("hotlead.alerts"));
    let letter = |headers: &[(&str, &str)], value: Option<&str>| Outgoing {
        headers: headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).into())).collect(),
        value: value.map(Into::into),
        ..Outgoing::default()
    };
    let source = |topic: &str| format!("{topic}/0@7");
    let too_large = "8000000 bytes; the value of 8000000 bytes is larger than this topic takes";
    let letters = [
        letter(&[("hotlead_reason", "empty"), ("hotlead_source", &source("elsewhere"))], Some("{}")),
        letter(
            &[("hotlead_reason", "too_large"), ("hotlead_detail", too_large), ("hotlead_source", &source(&events))],
            None,
        ),
        letter(
            &[("hotlead_sink", "former"), ("hotlead_reason", "message"), ("hotlead_source", &source(&alerts))],
            Some("{}"),
        ),
        letter(
            &[("hotlead_sink", "crm"), ("hotlead_reason", "message"), ("hotlead_source", &source(&events))],
            Some("{}"),
        ),
    ];
    broker().produce(&deployment.topic("hotlead.dead-letter"), letters);
    let (code, out, err) = dlq(process, "redrive --config hotlead.yaml");
    assert_eq!((code, out.as_str()), (1, "redriven           0\nskipped_delivered  1\nfailed             4\n"));
    for why in ["came from elsewhere/0@7", "its value is not here", "sink former is not in the config file"] {
        assert_eq!(err.lines().filter(|line| line.contains(why)).count(), 1, "{why}: {err}");
    }
    assert_eq!(err.lines().count(), 4, "{err}");
}

/// Goal: an event that could not be read is read after the config is mended, from where it lay, and once.
#[tokio::test(flavor = "multi_thread")]
async fn an_event_goes_back_to_its_partition_as_it_came_and_counts_once() {
    let crm = Receiver::start(|_| (200, "")).await;
    tokio::task::block_in_place(|| {
        let deployment = Deployment::with("dlq-events", 3, &webhook("crm", &crm));
        let mut process = deployment.start("a");
        // Nobody told it that an e-mail address names a lead. Without an id: its place in the topic would be another.
        let value = r#"{"type":"track","name":"Demo Requested","lead":{"email":"dana@acme.example"}}"#;
        let event = Outgoing {
            partition: Some(2),
            headers: vec![("origin".into(), b"\xffsite".to_vec())],
            ..Outgoing::new("dana@acme.example", value)
        };
        let (events, dead) = (deployment.topic("events"), deployment.topic("hotlead.dead-letter"));
        broker().produce(&events, [event]);
        wait_for("the dead letter", DEADLINE, || (broker().consume_visible(&dead).len() == 1).then_some(()));
        let (code, out, _) = dlq(&process, "ls --reason no_lead");
        assert!(code == 0 && out.contains(&format!("  -  no_lead  {events}/2@0  -")), "{out}");

        process.signal("TERM");
        let file = process.folder().join("hotlead.yaml");
        let config = fs::read_to_string(&file).expect("the config");
        fs::write(&file, config.replace("lead_key: [user_id]", "lead_key: [user_id, email]")).expect("a file");
        process.start();
        assert_eq!(redrive(&process, "--reason no_lead --dry-run"), counts(1, 0));
        assert_eq!(redrive(&process, "--reason no_lead"), counts(1, 0));
        wait_for("the alert's delivery", DEADLINE, || (crm.seen().len() == 1).then_some(()));
        assert_eq!(crm.seen()[0].lead(), "dana@acme.example");
        assert_eq!(redrive(&process, ""), counts(0, 1), "the same again");

        let records = broker().consume_visible(&events);
        let as_sent = |record: &Record| (record.partition, record.key.clone(), record.value.clone());
        assert_eq!((records.len(), as_sent(&records[0])), (2, as_sent(&records[1])));
        assert_eq!(records[0].headers, records[1].headers);
        assert_eq!(broker().consume_visible(&dead).len(), 1, "it did not die again");
        cannot_go_back(&process, &deployment);
        process.tell("TERM");
        assert_eq!(process.ended(), 0, "{}", process.log());
        assert!(!process.log().contains("not known"), "{}", process.log());
    });
}
