//! `kill -9` at six points, named in each test: before the POST, after it, before the ledger acknowledged, before the offset
//! was stored, during a rebalance, during the drain. A webhook and a Slack bot at once, on a real broker; nothing in the
//! program helps: the receiver, Slack or the broker tells when the point is reached.
//!
//! After each: no alert is lost, the webhook's repeats have the id of the first, Slack has one message for each lead, and the
//! ledgers say of every alert that it was delivered.

use std::collections::BTreeMap;
use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hotlead::codec::ledger::{self, Entry, Outcome};
use hotlead::core::alert::AlertKind;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::{Message, Offset, TopicPartitionList};
use serde_json::{Value, json};

use super::bot::record;
use super::fake_slack::{CHANNEL, FakeSlack};
use super::receiver::{Receiver, SECRET};
use super::restart::{hold, sink};
use crate::kafka::{Broker, Options, Outgoing, broker, unique};
use crate::supervise::{Supervised, wait_for};

/// An unclear post is looked for and sent again after half a minute.
const DEADLINE: Duration = Duration::from_secs(120);

const RULES: &str = "version: 1
signals: { demo_request: { on: track, name: Demo Requested } }
rules: [ { id: demo-requested, when: { signal: demo_request } } ]
";

/// Leads in alphabetical order; lead 1 is the first.
fn lead(number: u128) -> String {
    format!("Lead{number:02}x")
}

/// A webhook that notes what arrives, and answers the first `held` requests when it is told to.
pub struct Crm {
    receiver: Receiver,
    /// The ids as they arrived, answered or not.
    arrived: Arc<Mutex<Vec<String>>>,
    released: Arc<AtomicBool>,
}

impl Crm {
    pub async fn holding(held: usize) -> Self {
        let (arrived, released): (Arc<Mutex<Vec<String>>>, _) = (Arc::default(), Arc::new(AtomicBool::new(false)));
        let (all, release) = (arrived.clone(), released.clone());
        let receiver = Receiver::start(move |request| {
            let number = {
                let mut all = all.lock().expect("not poisoned");
                all.push(request.header("webhook-id").to_owned());
                all.len()
            };
            if number <= held {
                hold(&release);
            }
            (200, "")
        });
        Self { receiver: receiver.await, arrived, released }
    }

    fn arrived(&self) -> Vec<String> {
        self.arrived.lock().expect("not poisoned").clone()
    }

    fn release(&self) {
        self.released.store(true, Ordering::Relaxed);
    }
}

/// A deployment with the webhook `crm` and the bot `sdr`.
pub struct Deployment<'a> {
    broker: &'a Broker,
    name: String,
    crm: &'a Crm,
    slack: FakeSlack,
}

impl<'a> Deployment<'a> {
    pub fn new(broker: &'a Broker, name: &str, partitions: i32, crm: &'a Crm) -> Self {
        let name = unique(name);
        broker.create_topic(&format!("{name}.events"), partitions, &[]);
        Self { broker, name, crm, slack: FakeSlack::start() }
    }

    fn prepare(&self, instance: &str) -> Supervised {
        let (name, brokers, url, api_url) =
            (&self.name, self.broker.bootstrap(), self.crm.receiver.url(), self.slack.api_url());
        let reach = "allow_http: true, allow_networks: [127.0.0.0/8], timeout: 60s";
        Supervised::new("kill", |folder| {
            let write = |file: &str, text: &str| fs::write(folder.join(file), text).expect("a writable folder");
            write("rules.yaml", RULES);
            write("secret", SECRET);
            write("token", "xoxb-good\n");
            let config = format!(
                "version: 1\nkafka:\n  brokers: ['{brokers}']\n  properties: {{ session.timeout.ms: 6000, \
                 heartbeat.interval.ms: 500 }}\ngroup: {name}\ninstance: {instance}\nstart: earliest\n\
                 topics: {{ prefix: '{name}.', events: events, replication_factor: 1 }}\nrules: rules.yaml\nworkers: 1\n\
                 http: off\nsinks:\n\
                 \x20 - {{ id: crm, start: earliest, webhook: {{ url: '{url}', secret: 'file:secret', {reach} }} }}\n\
                 \x20 - {{ id: sdr, start: earliest, slack: {{ token: 'file:token', channel: {CHANNEL}, api_url: '{api_url}', \
                 {reach} }} }}\n"
            );
            write("hotlead.yaml", &config);
            [env!("CARGO_BIN_EXE_hotlead"), "run", "--config", "hotlead.yaml"].map(str::to_owned).to_vec()
        })
    }

    /// A process whose sinks have their partitions.
    pub fn start(&self, instance: &str) -> Supervised {
        let mut process = self.prepare(instance);
        process.start();
        self.has_partitions(&process, 2);
        process
    }

    /// Waits until so many sinks were given partitions so far.
    fn has_partitions(&self, process: &Supervised, sinks: usize) {
        wait_for("its partitions", DEADLINE, || (process.log().matches("parked=").count() >= sinks).then_some(()));
    }

    /// One alert for each lead, `lead(1)` and so on, each with its partition.
    pub fn publish(&self, count: u128, partition: impl Fn(u128) -> i32) {
        let alert = |number| Outgoing {
            partition: Some(partition(number)),
            ..record(number, &lead(number), "pricing-surge", AlertKind::Opened)
        };
        self.broker.produce(&format!("{}.hotlead.alerts", self.name), (1..=count).map(alert));
    }

    fn ledger(&self, sink: &str) -> String {
        format!("{}.hotlead.delivery.{sink}", self.name)
    }

    /// What a ledger says, the newest of each key.
    fn says(&self, sink: &str) -> BTreeMap<String, Entry> {
        let mut newest = BTreeMap::new();
        for record in self.broker.consume_visible(&self.ledger(sink)) {
            let key = String::from_utf8_lossy(&record.key.expect("a key")).into_owned();
            match ledger::read(record.value.as_deref()).expect("a record of ours") {
                Some(entry) => drop(newest.insert(key, entry)),
                None => drop(newest.remove(&key)),
            }
        }
        newest
    }

    fn delivered(&self, sink: &str) -> usize {
        let is_delivered = |entry: &&Entry| matches!(entry, Entry::Ended(ended) if ended.outcome == Outcome::Delivered);
        self.says(sink).values().filter(is_delivered).count()
    }

    /// Leads whose message Slack has.
    fn posted(&self, count: u128) -> Vec<u128> {
        (1..=count).filter(|number| !self.slack.messages(&lead(*number), false).is_empty()).collect()
    }

    /// What must be true in the end, whatever was killed when. Gives how often each id arrived at the webhook.
    pub fn all_is_well(&self, process: &Supervised, count: u128) -> Vec<usize> {
        for sink in ["crm", "sdr"] {
            wait_for(&format!("the end of all at {sink}\n{}", process.log()), DEADLINE, || {
                (self.delivered(sink) == count as usize).then_some(())
            });
        }
        for row in sink(process, &["status", "--json"]).1.lines() {
            let row: Value = serde_json::from_str(row).expect("one object a line");
            let others = ["parked", "coalesced", "superseded", "suppressed", "expired", "dead_lettered"];
            assert_eq!((&row["delivered"], &row["standing"]), (&json!(count), &json!("open")), "{row}");
            assert!(others.iter().all(|other| row[other] == 0), "{row}");
        }
        for number in 1..=count {
            assert_eq!(self.slack.messages(&lead(number), false).len(), 1, "one message for {}", lead(number));
        }
        self.slack.assert_kept();
        let arrived = self.crm.arrived();
        let times = |number: u128| arrived.iter().filter(|id| **id == format!("{number:032x}")).count();
        let times: Vec<_> = (1..=count).map(times).collect();
        assert_eq!(times.iter().sum::<usize>(), arrived.len(), "no other id: {arrived:?}");
        assert!(times.iter().all(|times| (1..=2).contains(times)), "{times:?}");
        times
    }
}

const ACCEPT_AND_HOLD: &str = r#"{ "faults": [{ "method": "chat.postMessage", "hold": true, "accept": true }] }"#;

fn accepts_and_holds(slack: &FakeSlack) {
    slack.control(&serde_json::from_str(ACCEPT_AND_HOLD).expect("JSON"));
}

/// Goal: alerts that were read, and whose intents are on the ledger, but that nobody sent yet. Method: the webhook holds all
/// eight places, so the ninth waits; Slack refuses the first post and wants none for a while, so the intents stay as they are.
#[tokio::test(flavor = "multi_thread")]
async fn killed_before_the_post_it_sends_later_what_it_had_not_sent() {
    const ALERTS: u128 = 9;
    let crm = Crm::holding(8).await;
    tokio::task::block_in_place(|| {
        let deployment = Deployment::new(broker(), "kill-before-post", 1, &crm);
        let mut process = deployment.start("a");
        let refused = json!({ "method": "chat.postMessage", "times": 1, "retry_after": 40 });
        deployment.slack.control(&json!({ "faults": [refused] }));
        deployment.publish(ALERTS, |_| 0);
        wait_for("eight requests", DEADLINE, || (crm.arrived().len() == 8).then_some(()));
        let refusal = || process.log().contains("chat.postMessage: status 429").then_some(());
        wait_for("the refusal", DEADLINE, refusal);
        let only_meant = || {
            let (posted, says) = (deployment.posted(ALERTS), deployment.says("sdr"));
            let card = |number: &u128| says.get(&format!("card/{}@acme.example", lead(*number)));
            let is_meant = |number: &u128| matches!(card(number), Some(Entry::Card(card)) if card.intent.is_some());
            // One that went beside the refused one may be there by now.
            (1..=ALERTS).rev().find(|number| is_meant(number) && !posted.contains(number))
        };
        let meant = wait_for("an intent without its post", DEADLINE, only_meant);
        process.signal("KILL");
        crm.release();
        let posted = deployment.posted(ALERTS);
        println!("killed before the post of {}; Slack has {posted:?}", lead(meant));
        assert!(!posted.contains(&meant));
        let ninth = (1..=ALERTS).find(|number| !crm.arrived().contains(&format!("{number:032x}"))).expect("one waits");
        process.start();
        deployment.has_partitions(&process, 4);
        let times = deployment.all_is_well(&process, ALERTS);
        assert_eq!(times[ninth as usize - 1], 1, "what was not sent before is sent once");
    });
}

/// Goal: both other sides have taken the alert, and we die before their answers come.
#[tokio::test(flavor = "multi_thread")]
async fn killed_after_the_post_it_repeats_the_id_and_finds_the_message() {
    let crm = Crm::holding(1).await;
    tokio::task::block_in_place(|| {
        let deployment = Deployment::new(broker(), "kill-after-post", 1, &crm);
        let mut process = deployment.start("a");
        accepts_and_holds(&deployment.slack);
        deployment.publish(1, |_| 0);
        wait_for("the request", DEADLINE, || (crm.arrived().len() == 1).then_some(()));
        wait_for("the message", DEADLINE, || (deployment.posted(1) == [1]).then_some(()));
        process.signal("KILL");
        crm.release();
        process.start();
        deployment.has_partitions(&process, 4);
        assert_eq!(deployment.all_is_well(&process, 1), [2], "the same id once more");
        assert!(process.log().contains("Slack had taken a message whose answer was lost"), "{}", process.log());
    });
}

/// Goal: the answers are here, and the ledger has not taken them. Method: a broker of its own that is frozen before the
/// answers come.
#[tokio::test(flavor = "multi_thread")]
async fn killed_before_the_ledger_acknowledged_it_repeats_the_id_and_finds_the_message() {
    let crm = Crm::holding(1).await;
    tokio::task::block_in_place(|| {
        let mut broker = Broker::start_own(&Options::default());
        let deployment = Deployment::new(&broker, "kill-before-ledger", 1, &crm);
        let mut process = deployment.start("a");
        accepts_and_holds(&deployment.slack);
        deployment.publish(1, |_| 0);
        wait_for("the request", DEADLINE, || (crm.arrived().len() == 1).then_some(()));
        wait_for("the message", DEADLINE, || (deployment.posted(1) == [1]).then_some(()));
        let Deployment { name, slack, .. } = deployment;
        broker.tell("STOP");
        crm.release();
        slack.control(&json!({ "release": true }));
        wait_for("the answer", DEADLINE, || process.log().contains("delivered").then_some(()));
        process.signal("KILL");
        broker.tell("CONT");
        let deployment = Deployment { broker: &broker, name, crm: &crm, slack };
        assert_eq!((deployment.delivered("crm"), deployment.delivered("sdr")), (0, 0), "nothing was recorded");
        process.start();
        deployment.has_partitions(&process, 4);
        assert_eq!(deployment.all_is_well(&process, 1), [2], "the same id once more");
    });
}

/// Goal: the ledger's record is at the broker, its transaction and the offset with it perhaps not. Method: somebody who reads
/// what is not committed yet tells that the record of the webhook's end is there.
#[tokio::test(flavor = "multi_thread")]
async fn killed_before_the_offset_is_stored_it_repeats_the_id_or_knows_that_it_is_done() {
    const ALERTS: u128 = 3;
    let crm = Crm::holding(0).await;
    tokio::task::block_in_place(|| {
        let deployment = Deployment::new(broker(), "kill-before-store", 1, &crm);
        let mut process = deployment.start("a");
        let reader = uncommitted(deployment.broker, &deployment.ledger("crm"));
        deployment.publish(ALERTS, |_| 0);
        let is_end = |value: Option<&[u8]>| matches!(ledger::read(value), Ok(Some(Entry::Ended(_))));
        wait_for("an end on the ledger", DEADLINE, || {
            let message = reader.poll(Duration::from_millis(5))?.expect("it reads");
            is_end(message.payload()).then_some(())
        });
        process.signal("KILL");
        println!("killed with {} of {ALERTS} ends committed", deployment.delivered("crm"));
        process.start();
        deployment.has_partitions(&process, 4);
        deployment.all_is_well(&process, ALERTS);
    });
}

/// Reads a topic's partition 0 from its beginning, open transactions included.
fn uncommitted(broker: &Broker, topic: &str) -> BaseConsumer {
    let mut config = broker.client_config();
    config.set("group.id", "nobody").set("isolation.level", "read_uncommitted").set("fetch.wait.max.ms", "5");
    let reader: BaseConsumer = config.create().expect("a consumer");
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(topic, 0, Offset::Beginning).expect("an offset");
    reader.assign(&list).expect("an assignment");
    reader
}

/// Goal: one partition is on its way to another instance, which waits for what is under way in it. Method: both partitions
/// have requests whose answers are held when the second instance joins; the first dies when the group has two members.
#[tokio::test(flavor = "multi_thread")]
async fn killed_during_a_rebalance_the_other_instance_goes_on_with_everything() {
    let crm = Crm::holding(2).await;
    tokio::task::block_in_place(|| {
        let deployment = Deployment::new(broker(), "kill-rebalance", 2, &crm);
        let mut first = deployment.start("a");
        accepts_and_holds(&deployment.slack);
        deployment.publish(2, |number| (number % 2) as i32);
        wait_for("both requests", DEADLINE, || (crm.arrived().len() == 2).then_some(()));
        wait_for("a message", DEADLINE, || (!deployment.posted(2).is_empty()).then_some(()));
        let mut second = deployment.prepare("b");
        second.start();
        let asking: BaseConsumer = deployment.broker.client_config().set("group.id", "nobody").create().expect("one");
        for sink in ["crm", "sdr"] {
            let group = format!("{}.{sink}", deployment.name);
            wait_for("two members", DEADLINE, || {
                let groups = asking.fetch_group_list(Some(&group), DEADLINE).expect("it answers");
                groups.groups().first().is_some_and(|group| group.members().len() == 2).then_some(())
            });
        }
        assert_eq!((deployment.delivered("crm"), crm.arrived().len()), (0, 2), "both are under way");
        first.signal("KILL");
        crm.release();
        assert_eq!(deployment.all_is_well(&second, 2), [2, 2], "the same ids once more");
    });
}

/// Goal: the process was told to stop, and gives what is under way its five seconds. Method: SIGTERM while the answers are
/// held, and the end of it all before they come.
#[tokio::test(flavor = "multi_thread")]
async fn killed_during_the_drain_it_repeats_the_id_and_finds_the_message() {
    let crm = Crm::holding(1).await;
    tokio::task::block_in_place(|| {
        let deployment = Deployment::new(broker(), "kill-drain", 1, &crm);
        let mut process = deployment.start("a");
        accepts_and_holds(&deployment.slack);
        deployment.publish(1, |_| 0);
        wait_for("the request", DEADLINE, || (crm.arrived().len() == 1).then_some(()));
        wait_for("the message", DEADLINE, || (deployment.posted(1) == [1]).then_some(()));
        process.tell("TERM");
        wait_for("the drain", DEADLINE, || process.log().contains("SIGTERM").then_some(()));
        assert!(process.is_running(), "it waits for what is under way");
        process.signal("KILL");
        crm.release();
        process.start();
        deployment.has_partitions(&process, 4);
        assert_eq!(deployment.all_is_well(&process, 1), [2], "the same id once more");
    });
}
