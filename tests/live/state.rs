//! State on a real broker: what a killed process knew, what operators see of it, and what is refused.

use std::collections::{BTreeMap, BTreeSet};

use hotlead::config::settings::{Kafka, Settings};
use hotlead::core::ids::{Offset, Partition};
use hotlead::run::Mode;
use hotlead::source::ChangelogReader;
use hotlead::telemetry::broker_log::BrokerLog;
use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use serde_json::Value;

use super::DEADLINE;
use super::program::Program;
use super::running::{Live, alert_ids, demo_request, settings};
use crate::kafka::{Outgoing, broker, unique};
use crate::state::changelog::Changelog;
use crate::supervise::wait_for;

const RULES: &str = "version: 1
signals:
  pricing_view: { on: page, where: { page.path: /pricing } }
  demo_request: { on: track, name: Demo Requested }
rules:
  - { id: surge, when: { count: { signal: pricing_view, at_least: 3, within: 1h } }, cooldown: 0s }
  - { id: demo, when: { signal: demo_request }, cooldown: 1h }
";

/// A deployment of one partition, whose process comes and goes.
struct Site {
    name: String,
    events: usize,
}

impl Site {
    fn new(name: &str) -> Self {
        let name = unique(name);
        broker().create_topic(&format!("{name}.events"), 1, &[]);
        Self { name, events: 0 }
    }

    fn topic(&self, last: &str) -> String {
        format!("{}.hotlead.{last}", self.name)
    }

    fn run(&self) -> Program {
        self.command(&["run"])
    }

    fn command(&self, arguments: &[&str]) -> Program {
        Program::with_rules(RULES, arguments, broker().bootstrap(), &self.name)
    }

    /// A command to its end: exit code, stdout, stderr.
    fn ask(&self, arguments: &[&str]) -> (Option<i32>, String, String) {
        let mut program = self.command(arguments);
        let output = program.output();
        (program.exit_code(), output, program.log())
    }

    /// A lead views the pricing page, a second after the event before.
    fn view(&mut self, lead: &str) {
        self.send(lead, r#""type":"page","page":{"path":"/pricing"}"#);
    }

    fn demo(&mut self, lead: &str) {
        self.send(lead, r#""type":"track","name":"Demo Requested""#);
    }

    fn send(&mut self, lead: &str, what: &str) {
        let (n, second) = (self.events, self.events % 60);
        let time = format!("2026-11-22T10:00:{second:02}Z");
        let value = format!(r#"{{"id":"e-{n}","time":"{time}","lead":{{"user_id":"{lead}"}},{what}}}"#);
        self.events += 1;
        broker().produce(&format!("{}.events", self.name), [Outgoing::new(lead, value)]);
    }

    /// Kind, rule and lead of each alert so far, sorted.
    fn told(&self) -> Vec<String> {
        let records = broker().consume_visible(&self.topic("alerts"));
        let said = records.iter().map(|record| {
            let alert: Value = serde_json::from_str(&record.value_text()).expect("an alert");
            let text = |path: &str| alert.pointer(path).and_then(Value::as_str).unwrap_or_default().to_owned();
            format!("{} {} {}", text("/kind"), text("/rule"), text("/lead/key"))
        });
        let mut said: Vec<_> = said.collect();
        said.sort();
        said
    }

    /// Waits for so many alerts that opened and answers with rule and lead of each, sorted.
    fn alerts(&self, count: usize) -> Vec<String> {
        wait_for(&format!("{count} alerts"), DEADLINE, || {
            let told = self.told();
            let opened: Vec<_> =
                told.iter().filter_map(|told| told.strip_prefix("opened ")).map(str::to_owned).collect();
            Some(opened).filter(|opened| opened.len() >= count)
        })
    }

    fn changelog(&self) -> Changelog {
        let mut changelog = Changelog::default();
        for record in broker().consume_visible(&self.topic("state")) {
            changelog.put(record.key.expect("a key"), record.value);
        }
        changelog
    }

    /// Waits until the changelog says that a lead has so many events.
    fn knows(&self, lead: &str, events: usize) {
        wait_for("the lead's state", DEADLINE, || {
            let stored = self.changelog().stored();
            stored.get(lead).is_some_and(|stored| stored.events.len() == events).then_some(())
        });
    }
}

/// Goal: `kill -9` at any moment forgets nothing: neither a count that is under way, nor an episode, nor a cooldown, nor
/// what was told of this minute.
#[test]
fn a_killed_process_comes_back_with_counts_episodes_and_cooldowns() {
    let mut site = Site::new("kept");
    let kill = |mut program: Program| {
        program.signal("KILL");
        assert_eq!(program.exit_code(), None);
    };
    let run = site.run();
    site.view("u1");
    site.view("u1");
    site.demo("u1");
    site.knows("u1", 3);
    assert_eq!(site.alerts(1), ["demo u1"]);
    kill(run);

    let run = site.run();
    site.view("u1");
    assert_eq!(site.alerts(2), ["demo u1", "surge u1"], "the third view");
    kill(run);

    let run = site.run();
    site.view("u1");
    site.demo("u1");
    // What comes after it in the same partition is there: so is what it did.
    site.demo("u2");
    assert_eq!(site.alerts(3), ["demo u1", "demo u2", "surge u1"], "the same episode, the same cooldown");
    let told = ["closed demo u1", "opened demo u1", "opened demo u2", "opened surge u1", "updated surge u1"];
    assert_eq!(site.told(), told, "what came before the last alert was committed with it");
    kill(run);

    let run = site.run();
    site.view("u1");
    site.demo("u3");
    site.alerts(4);
    assert_eq!(site.told().iter().filter(|told| told.starts_with("updated")).count(), 1, "one in this minute");
    kill(run);
}

/// Goal: what was silent for so long that it starts anew anyway is freed, in memory and on the changelog, on a partition
/// where nothing happens as well; old events alone are no silence.
#[test]
fn a_lead_that_was_last_heard_of_long_ago_is_freed_without_an_event() {
    const LONG_AGO: i64 = 1_704_067_200_000; // 2024-01-01
    let site = Site::new("silent");
    let run = site.run();
    for lead in ["silent", "replayed"] {
        let value = format!(
            r#"{{"id":"{lead}","time":{LONG_AGO},"lead":{{"user_id":"{lead}"}},"type":"page","page":{{"path":"/pricing"}}}}"#
        );
        broker().produce(&format!("{}.events", site.name), [Outgoing::new(lead, value)]);
    }
    site.knows("silent", 1);
    site.knows("replayed", 1);
    drop(run);
    // As if the record of one of them had been written then.
    let records = broker().consume_visible(&site.topic("state"));
    let state = records.into_iter().rfind(|record| record.key.as_deref() == Some(b"silent")).expect("its state");
    let (partition, timestamp) = (Some(state.partition), Some(LONG_AGO));
    let rewritten = Outgoing { partition, timestamp, key: state.key, value: state.value, headers: Vec::new() };
    broker().produce(&site.topic("state"), [rewritten]);

    let run = site.run();
    let gone = || (!site.changelog().stored().contains_key("silent")).then_some(());
    wait_for("the lead to be freed", DEADLINE, gone);
    let stored = site.changelog().stored();
    assert_eq!(stored.keys().collect::<Vec<_>>(), ["replayed"]);
    drop(run);
}

/// Goal: operators see what is stored, before and after a restart the same, and can have a lead forgotten.
#[test]
fn state_is_shown_dumped_and_erased() {
    let mut site = Site::new("shown");
    let mut run = site.run();
    for lead in ["u2", "u10", "u1"] {
        site.view(lead);
        site.demo(lead);
    }
    site.knows("u1", 2);
    let (code, dump, said) = site.ask(&["state", "dump", "--json"]);
    assert_eq!((code, said.as_str()), (Some(0), ""));
    let leads: Vec<Value> = dump.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(
        leads.iter().map(|lead| lead["lead"].as_str()).collect::<Vec<_>>(),
        [Some("u1"), Some("u10"), Some("u2")]
    );
    assert_eq!(leads[0]["counts"][0]["signal"], "pricing_view", "{dump}");
    let (code, shown, _) = site.ask(&["state", "show", "u10", "--json"]);
    assert_eq!((code, Some(shown.trim_end())), (Some(0), dump.lines().nth(1)));
    let (code, shown, _) = site.ask(&["state", "show", "u10"]);
    assert!(code == Some(0) && shown.contains("1 remembered for 3 within 1 h"), "{shown}");
    assert_eq!(site.ask(&["state", "show", "u3"]), (Some(1), String::new(), "no state of a lead \"u3\"\n".to_owned()));

    run.signal("TERM");
    assert_eq!(run.exit_code(), Some(0), "{}", run.log());
    let run = site.run();
    run.logs("state restored");
    assert_eq!(site.ask(&["state", "dump", "--json"]).1, dump, "after a restart");

    let (code, _, said) = site.ask(&["state", "erase", "u1"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains(&format!("\"u1\" is being erased by whoever owns {}.events/0", site.name)), "{said}");
    assert!(said.contains("what hotlead cannot remove"), "{said}");
    wait_for("a tombstone", DEADLINE, || {
        let records = broker().consume_visible(&site.topic("state"));
        records.iter().any(|record| record.key.as_deref() == Some(b"u1") && record.value.is_none()).then_some(())
    });
    let (_, after, _) = site.ask(&["state", "dump", "--json"]);
    assert_eq!(after.lines().collect::<Vec<_>>(), dump.lines().skip(1).collect::<Vec<_>>());
    site.demo("u1");
    assert_eq!(site.alerts(4), ["demo u1", "demo u1", "demo u10", "demo u2"], "it starts anew: no cooldown");
    let (code, _, said) = site.ask(&["state", "erase", "nobody"]);
    assert!(code == Some(0) && said.contains("\"nobody\" has no stored state; every owner"), "{said}");
    drop(run);
}

/// Goal: state that was deleted is not silently begun anew.
#[test]
fn a_deleted_changelog_is_refused_unless_told_otherwise() {
    let mut site = Site::new("deleted");
    let mut run = site.run();
    site.demo("u1");
    site.knows("u1", 1);
    run.signal("TERM");
    assert_eq!(run.exit_code(), Some(0), "{}", run.log());
    let admin: AdminClient<DefaultClientContext> = broker().client_config().create().expect("an admin client");
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(admin.delete_topics(&[&site.topic("state")], &AdminOptions::new())).expect("the broker answers");

    let mut run = site.run();
    assert_eq!(run.exit_code(), Some(69), "{}", run.log());
    let expected =
        format!("{}/0 is empty, but group {} has read {}.events/0 up to 1", site.topic("state"), site.name, site.name);
    assert!(run.log().contains(&expected), "{}", run.log());
    assert!(run.log().contains("hotlead run --fresh-state"), "{}", run.log());

    let mut run = site.command(&["run", "--fresh-state"]);
    site.demo("u1");
    assert_eq!(site.alerts(2), ["demo u1", "demo u1"], "every lead starts anew");
    run.signal("TERM");
    assert_eq!(run.exit_code(), Some(0), "{}", run.log());
    let mut run = site.run();
    site.demo("u2");
    assert_eq!(site.alerts(3).len(), 3, "no flag is needed any longer");
    run.signal("TERM");
    assert_eq!(run.exit_code(), Some(0), "{}", run.log());
}

/// Goal: an events topic that was made anew with fewer partitions is refused before anything is read, nobody is sent to
/// the move, and what is said helps.
#[test]
fn another_partition_count_of_the_changelog_is_refused() {
    let site = Site::new("count");
    broker().create_topic(&site.topic("state"), 3, &[]);
    broker().create_topic(&site.topic("feedback"), 3, &[]);
    let expected = format!(
        "topic {}.events has 1 partitions and {} has 3: it was made anew with fewer, and state cannot be moved to fewer",
        site.name,
        site.topic("state")
    );
    for (arguments, rest) in [(&["run"][..], None), (&["state", "move"], Some("this run has changed nothing"))] {
        let (code, _, log) = site.ask(arguments);
        assert_eq!(code, Some(69), "{arguments:?}: {log}");
        assert!(log.contains(&expected) && !log.contains("state move --config"), "{arguments:?}: {log}");
        assert!(log.contains(rest.unwrap_or_default()), "{arguments:?}: {log}");
        for last in ["state", "feedback"] {
            assert!(log.contains(&format!("--delete --topic {}\n", site.topic(last))), "{arguments:?}: {log}");
        }
    }
    let admin: AdminClient<DefaultClientContext> = broker().client_config().create().expect("an admin client");
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let topics = [site.topic("state"), site.topic("feedback")];
    let deleted = admin.delete_topics(&[&topics[0], &topics[1]], &AdminOptions::new());
    runtime.block_on(deleted).expect("the broker answers");
    site.command(&["run", "--fresh-state"]).logs("running");
}

/// Goal: an edit of the rules tells how long a count that is new knows less than happened.
#[test]
fn a_count_that_starts_anew_is_told() {
    let mut site = Site::new("blind");
    let mut run = site.run();
    site.demo("u1");
    site.knows("u1", 1);
    run.signal("TERM");
    assert_eq!(run.exit_code(), Some(0), "{}", run.log());
    let edited = RULES.replace("/pricing", "/prices");
    let run = Program::with_rules(&edited, &["run"], broker().bootstrap(), &site.name);
    run.logs("count of pricing_view, 3 within 1 h: starts anew, blind for 1 h 5 min");
}

/// Goal: partitions that move between workers and processes take their leads' cooldowns along.
#[test]
fn partitions_that_move_take_their_state_along() {
    let settings = Settings { workers: 2, ..settings(&unique("moved"), "a") };
    let first = Live::start(&settings, Mode::Transactional);
    let mut sent = 0;
    let mut send = |leads: std::ops::Range<usize>| {
        let records: Vec<_> = leads
            .map(|lead| {
                sent += 1;
                demo_request(lead, sent)
            })
            .collect();
        broker().produce(&settings.topics.events, records);
    };
    send(0..100);
    first.alerts(100);
    let other = Settings { workers: 1, instance: "b".to_owned(), ..settings.clone() };
    let second = Live::start(&other, Mode::Transactional);
    // Old leads are cooling down wherever their partition is by now; the new ones say when all is done.
    send(0..100);
    send(100..150);
    first.alerts(150);
    wait_for("partitions of the second process", DEADLINE, || {
        second.hooks.metrics.encode().contains("hotlead_leads{").then_some(())
    });
    send(0..150);
    send(150..200);
    first.alerts(200);
    second.stop().expect("a clean end");
    send(0..200);
    send(200..250);
    let alerts = first.alerts(250);
    let leads: BTreeSet<_> = alerts.iter().map(|alert| alert.key.clone()).collect();
    assert_eq!((alerts.len(), alert_ids(&alerts).len(), leads.len()), (250, 250, 250), "one for each lead");
    let closed = first.of_kind("closed", 200);
    let over: BTreeSet<_> = closed.iter().map(|alert| alert.key.clone()).collect();
    assert_eq!((closed.len(), over.len()), (200, 200), "the first request of each that asked again is over, once");
    first.stop().expect("a clean end");
}

/// Goal: a reader whose client was told of too few partitions, as by a broker that has just started, sees the others
/// soon. Method: the topic gets another one. By itself, the client would ask for news of it after five minutes.
#[test]
fn a_reader_of_the_changelog_does_not_believe_for_minutes_that_a_partition_is_missing() {
    let brokers = broker().bootstrap().split(',').map(str::to_owned).collect();
    let (kafka, topic) = (Kafka { brokers, properties: BTreeMap::new() }, unique("changelog"));
    let reader = ChangelogReader::new(&kafka, &topic, &BrokerLog::default()).unwrap();
    broker().create_topic(&topic, 1, &[]);
    wait_for("the ends of the partition", DEADLINE, || reader.ends(Partition(0)).ok());
    reader.ends(Partition(1)).expect_err("no such partition");
    broker().grow_topic(&topic, 2);
    wait_for("the ends of the new partition", DEADLINE, || {
        (reader.ends(Partition(1)).ok()? == (Offset(0), Offset(0))).then_some(())
    });
}
