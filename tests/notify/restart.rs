//! The program killed and paused at the worst moments, on a real broker: nothing is lost, and what is repeated has its id.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hotlead::codec::ledger::{self, Entry, Outcome};
use hotlead::core::time::Timestamp;

use super::broker::{alert, committed_by};
use super::receiver::{Receiver, SECRET};
use crate::kafka::{Outgoing, broker, unique};
use crate::supervise::{Supervised, wait_for};

pub const DEADLINE: Duration = Duration::from_secs(60);

const RULES: &str = "version: 1
signals: { demo_request: { on: track, name: Demo Requested } }
rules: [ { id: demo-requested, when: { signal: demo_request } } ]
";

/// A deployment with sinks, the first of them `crm`.
pub struct Deployment {
    name: String,
    /// As they stand in the config file.
    sinks: String,
    http: String,
    rules: &'static str,
    /// How long a member of a group may be silent.
    session_ms: u32,
}

impl Deployment {
    /// With one webhook sink, and one partition.
    pub fn new(name: &str, receiver: &Receiver) -> Self {
        Self::with(name, 1, &webhook("crm", receiver))
    }

    /// With these sinks, and so many partitions.
    pub fn with(name: &str, partitions: i32, sinks: &str) -> Self {
        let name = unique(name);
        broker().create_topic(&format!("{name}.events"), partitions, &[]);
        Self { name, sinks: sinks.to_owned(), http: "off".to_owned(), rules: RULES, session_ms: 3_000 }
    }

    /// Under these rules.
    pub fn under(self, rules: &'static str) -> Self {
        Self { rules, ..self }
    }

    /// Whose members may be silent for long: where many of them share a small machine.
    pub fn patient(self) -> Self {
        Self { session_ms: 45_000, ..self }
    }

    /// With its page on this port.
    pub fn on_port(self, port: u16) -> Self {
        Self { http: format!("{{ listen: 127.0.0.1:{port} }}"), ..self }
    }

    /// A process that is running, with its partition.
    pub fn start(&self, instance: &str) -> Supervised {
        let process = self.begin(instance);
        self.has_partitions(&process);
        process
    }

    /// Waits until the sinks of a process have their partitions.
    pub fn has_partitions(&self, process: &Supervised) {
        // The sinks', not the worker's.
        let assigned = |line: &&str| line.contains("partitions assigned") && line.contains("parked=");
        let sinks = self.sinks.matches("- id:").count();
        wait_for("its partitions", DEADLINE, || {
            (process.log().lines().filter(assigned).count() >= sinks).then_some(())
        });
    }

    fn begin(&self, instance: &str) -> Supervised {
        let (name, sinks, http, brokers) = (&self.name, &self.sinks, &self.http, broker().bootstrap());
        let session_ms = self.session_ms;
        let mut process = Supervised::new("sink", |folder| {
            let write = |file: &str, text: &str| {
                let path = folder.join(file);
                fs::write(&path, text).expect("a writable folder");
                path.display().to_string()
            };
            write("rules.yaml", self.rules);
            write("secret", SECRET);
            let config = format!(
                "version: 1\nkafka:\n  brokers: ['{brokers}']\n  properties: {{ session.timeout.ms: {session_ms}, \
                 heartbeat.interval.ms: 500 }}\ngroup: {name}\ninstance: {instance}\nstart: earliest\n\
                 topics: {{ prefix: '{name}.', events: events, replication_factor: 1 }}\nrules: rules.yaml\nworkers: 1\n\
                 lead_key: [user_id]\nhttp: {http}\nsinks:\n{sinks}"
            );
            let config = write("hotlead.yaml", &config);
            [env!("CARGO_BIN_EXE_hotlead"), "run", "--config", &config].map(str::to_owned).to_vec()
        });
        process.start();
        process
    }

    pub fn topic(&self, name: &str) -> String {
        format!("{}.{name}", self.name)
    }

    pub fn publish(&self, alerts: impl IntoIterator<Item = Outgoing>) {
        broker().produce(&self.topic("hotlead.alerts"), alerts);
    }

    pub fn commits_to(&self, offset: i64) {
        let (group, topic) = (format!("{}.crm", self.name), self.topic("hotlead.alerts"));
        wait_for(&format!("a commit of {offset}"), DEADLINE, || {
            (committed_by(broker(), &group, &topic) == offset).then_some(())
        });
    }

    /// What the ledger says of an alert.
    pub fn says(&self, number: u128) -> Option<Entry> {
        let records = broker().consume_visible(&self.topic("hotlead.delivery.crm"));
        let id = format!("{number:032x}").into_bytes();
        let newest = records.into_iter().rfind(|record| record.key.as_ref() == Some(&id))?;
        ledger::read(newest.value.as_deref()).expect("a record of ours")
    }

    pub fn is_delivered(&self, number: u128) -> bool {
        matches!(self.says(number), Some(Entry::Ended(ended)) if ended.outcome == Outcome::Delivered)
    }
}

/// A webhook sink as it stands in the config file.
pub fn webhook(id: &str, receiver: &Receiver) -> String {
    let url = receiver.url();
    format!(
        "  - id: {id}\n    start: earliest\n    webhook: {{ url: '{url}', secret: 'file:secret', allow_http: true, \
         allow_networks: [127.0.0.0/8], timeout: 60s }}\n"
    )
}

/// Blocks a receiver's answer until the flag is up.
pub fn hold(released: &AtomicBool) {
    tokio::task::block_in_place(|| {
        wait_for("the release", DEADLINE, || released.load(Ordering::Relaxed).then_some(()));
    });
}

pub fn requests(receiver: &Receiver, lead: &str) -> Vec<String> {
    let of_lead = |request: &&super::receiver::Request| request.lead() == lead;
    receiver.seen().iter().filter(of_lead).map(|request| request.header("webhook-id").to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_between_acceptance_and_record_it_sends_the_same_id_again_and_loses_nothing() {
    let (released, asked) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let (release, ask) = (released.clone(), asked.clone());
    let crm = Receiver::start(move |request| {
        // It takes the alert, and its answer does not get through.
        if request.lead() == "a" && !ask.swap(true, Ordering::Relaxed) {
            hold(&release);
        }
        (200, "")
    });
    let crm = crm.await;
    tokio::task::block_in_place(|| {
        let deployment = Deployment::new("killed", &crm);
        let mut process = deployment.start("a");
        deployment.publish([alert(1, "a"), alert(2, "a"), alert(3, "b")]);
        wait_for("the other lead", DEADLINE, || deployment.is_delivered(3).then_some(()));
        wait_for("the request", DEADLINE, || asked.load(Ordering::Relaxed).then_some(()));
        deployment.commits_to(0);
        process.signal("KILL");
        released.store(true, Ordering::Relaxed);
        let _again = deployment.start("a");
        deployment.commits_to(3);
        let id = |number: u128| format!("{number:032x}");
        assert_eq!(requests(&crm, "a"), [id(1), id(1), id(2)], "the same id, then the next");
        assert_eq!(requests(&crm, "b"), [id(3)], "what the ledger knows is not sent again");
        assert!(deployment.is_delivered(1) && deployment.is_delivered(2));
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_parked_frees_the_offset_and_goes_out_after_a_restart() {
    let well = Arc::new(AtomicBool::new(false));
    let is_well = well.clone();
    let crm = Receiver::start(move |request| match request.lead().as_str() {
        "bad" if !is_well.load(Ordering::Relaxed) => (503, "retry-after: 3000"),
        _ => (200, ""),
    });
    let crm = crm.await;
    tokio::task::block_in_place(|| {
        let deployment = Deployment::new("parked", &crm);
        let mut process = deployment.start("a");
        deployment.publish([alert(1, "bad"), alert(2, "bad"), alert(3, "b")]);
        deployment.commits_to(3);
        let mut parked = vec![];
        for number in [1, 2] {
            let Some(Entry::Parked(entry)) = deployment.says(number) else { panic!("{:?}", deployment.says(number)) };
            parked.push(entry);
        }
        assert_eq!((parked[0].tries.attempts, parked[1].tries.attempts), (1, 0), "the second waits behind the first");
        process.signal("KILL");
        // The test does not wait for the fifty minutes.
        parked[0].next_at = Timestamp::from_millis(0);
        let value = ledger::write(&Entry::Parked(parked.remove(0)));
        let key = format!("{:032x}", 1);
        let again = Outgoing { partition: Some(0), ..Outgoing::new(key, value) };
        broker().produce(&deployment.topic("hotlead.delivery.crm"), [again]);
        well.store(true, Ordering::Relaxed);
        let mut process = deployment.start("a");
        wait_for("both", DEADLINE, || (deployment.is_delivered(1) && deployment.is_delivered(2)).then_some(()));
        let ids: Vec<_> = requests(&crm, "bad");
        assert_eq!(ids, [1, 1, 2].map(|number: u128| format!("{number:032x}")));
        process.tell("TERM");
        assert_eq!(process.ended(), 0, "{}", process.log());
    });
}

/// Goal: an instance that was paused and lost its partition changes nothing when it wakes up. Method: it is paused while
/// its request is under way; another instance delivers; then the request fails, and it would park the alert.
#[tokio::test(flavor = "multi_thread")]
async fn a_paused_instances_late_record_never_wins() {
    let (released, asked) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let (release, ask) = (released.clone(), asked.clone());
    let crm = Receiver::start(move |_| {
        if ask.swap(true, Ordering::Relaxed) {
            return (200, "");
        }
        hold(&release);
        (503, "retry-after: 3000")
    });
    let crm = crm.await;
    tokio::task::block_in_place(|| {
        let deployment = Deployment::new("zombie", &crm);
        let mut zombie = deployment.start("a");
        deployment.publish([alert(1, "a")]);
        wait_for("the request", DEADLINE, || asked.load(Ordering::Relaxed).then_some(()));
        zombie.tell("STOP");
        let _owner = deployment.start("b");
        deployment.commits_to(1);
        assert!(deployment.is_delivered(1));
        zombie.tell("CONT");
        released.store(true, Ordering::Relaxed);
        wait_for("the zombie's answer", DEADLINE, || zombie.log().contains("attempt failed").then_some(()));
        // Its partition goes back and forth once more: whatever it wanted to write is written, or never will be.
        deployment.publish([alert(2, "a")]);
        deployment.commits_to(2);
        assert!(deployment.is_delivered(1), "{:?}", deployment.says(1));
        assert_eq!(requests(&crm, "a").len(), 3, "the zombie's, the owner's, and the second alert's");
    });
}

/// Goal: an operator sees that an endpoint is disabled, and that stays so through a restart; opens it, and the queue goes
/// out. Method: the program's own commands, beside the running instance.
#[tokio::test(flavor = "multi_thread")]
async fn a_disabled_endpoint_keeps_its_queue_until_an_operator_opens_it() {
    let gone = Arc::new(AtomicBool::new(true));
    let is_gone = gone.clone();
    let crm = Receiver::start(move |_| (if is_gone.load(Ordering::Relaxed) { 410 } else { 200 }, "")).await;
    tokio::task::block_in_place(|| {
        let deployment = Deployment::new("gone", &crm);
        let mut process = deployment.start("a");
        deployment.publish([alert(1, "a"), alert(2, "b")]);
        let status = || sink(&process, &["status", "crm", "--json"]);
        let told = |status: &(i32, String)| serde_json::from_str::<serde_json::Value>(&status.1).expect("one object");
        let disabled = wait_for("disabled", DEADLINE, || {
            let told = told(&status());
            (told["standing"] == "disabled").then_some(told)
        });
        assert_eq!(
            (&disabled["sink"], &disabled["waiting"], &disabled["delivered"]),
            (&"crm".into(), &2.into(), &0.into())
        );
        let asked = crm.seen().len();
        process.signal("KILL");
        process.start();
        wait_for("a second life", DEADLINE, || (process.log().matches("parked=").count() == 2).then_some(()));
        gone.store(false, Ordering::Relaxed);
        assert_eq!(crm.seen().len(), asked, "nothing is sent to it");
        assert_eq!(sink(&process, &["status", "nobody"]).0, 78);
        assert_eq!(sink(&process, &["unblock", "crm"]).0, 0);
        deployment.commits_to(2);
        wait_for("open", DEADLINE, || {
            let told = told(&sink(&process, &["status", "--json"]));
            (told["standing"] == "open" && told["delivered"] == 2 && told["waiting"] == 0).then_some(())
        });
        assert_eq!(sink(&process, &["unblock", "crm"]).0, 1, "nothing to unblock");
    });
}

/// Runs `hotlead sink …` on a process's config file: exit code and output.
pub fn sink(process: &Supervised, arguments: &[&str]) -> (i32, String) {
    let ran = std::process::Command::new(env!("CARGO_BIN_EXE_hotlead"))
        .arg("sink")
        .args(arguments)
        .args(["--config", "hotlead.yaml"])
        .current_dir(process.folder())
        .output()
        .expect("it runs");
    (ran.status.code().unwrap_or(-1), String::from_utf8_lossy(&ran.stdout).into_owned())
}
