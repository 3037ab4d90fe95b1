//! One deployment of the program on a topic of events: its files, its instances and its one-shot commands.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::stream::Story;
use crate::supervise::Supervised;

const PROGRAM: &str = env!("CARGO_BIN_EXE_hotlead");

/// After this without a heartbeat a member's partitions go to others.
pub const SESSION: Duration = Duration::from_secs(3);

/// `hotlead.yaml` and the rules beside it.
const CONFIG_FILE: &str = "hotlead.yaml";
const RULES_FILE: &str = "rules.yaml";

pub struct Deployment {
    /// Its group, and the first part of the names of its topics.
    pub name: String,
    pub brokers: String,
    /// The topic that it reads, which others may read too.
    pub events: String,
    pub story: Story,
}

impl Deployment {
    /// Another deployment on the same events, whose topics are its own.
    pub fn of_another_name(&self, last: &str) -> Self {
        let Self { name, brokers, events, story } = self;
        Self { name: format!("{name}-{last}"), brokers: brokers.clone(), events: events.clone(), story: *story }
    }

    /// A topic of its own, such as `alerts`.
    pub fn topic(&self, last: &str) -> String {
        format!("{}.{last}", self.name)
    }

    fn write_files(&self, folder: &Path, instance: &str) {
        let Self { name, brokers, events, .. } = self;
        let session = SESSION.as_millis();
        // A producer that gives records up soon has its transactions fail, one that does not waits for the broker:
        // both must be right, so instances differ in it.
        let give_up = if instance.ends_with('1') { "" } else { ", message.timeout.ms: 1500" };
        let topics: String = ["alerts", "dead_letter", "state", "feedback", "ops", "delivery"]
            .map(|topic| format!(", {topic}: {name}.{topic}"))
            .concat();
        let config = format!(
            "version: 1\n\
             kafka:\n  brokers: ['{brokers}']\n  \
             properties: {{ session.timeout.ms: {session}, heartbeat.interval.ms: 300{give_up} }}\n\
             group: {name}\ninstance: {instance}\nstart: earliest\n\
             topics: {{ events: {events}{topics} }}\n\
             rules: {RULES_FILE}\nlead_key: [user_id]\ncommit_interval: 50ms\nworkers: 2\nhttp: off\n"
        );
        fs::write(folder.join(CONFIG_FILE), config).expect("a file");
        fs::write(folder.join(RULES_FILE), self.story.rules()).expect("a file");
    }

    /// `hotlead run` as this instance; it is not started.
    pub fn instance(&self, name: &str) -> Supervised {
        Supervised::new("crash", |folder| {
            self.write_files(folder, name);
            [PROGRAM, "run", "--config", CONFIG_FILE].map(String::from).to_vec()
        })
    }

    /// The topic of events as `backtest` reads it.
    pub fn capture(&self) -> String {
        let captured = self.ask(&["capture", "--from", "beginning", "--until-end", "--config", CONFIG_FILE], None);
        captured.unwrap_or_else(|fault| panic!("{fault}"))
    }

    /// Alerts of a backtest of a capture, a line each.
    pub fn backtest(&self, captured: &str) -> String {
        let arguments = ["backtest", "--lead-key", "user_id", "--json", "--rules", RULES_FILE, "--events", "-"];
        self.ask(&arguments, Some(captured)).unwrap_or_else(|fault| panic!("{fault}"))
    }

    /// The state of every lead, sorted by lead, as the changelog has it; or why there is none.
    pub fn dump(&self) -> Result<String, String> {
        self.ask(&["state", "dump", "--json", "--config", CONFIG_FILE], None)
    }

    /// What a one-shot command prints, or how it failed.
    fn ask(&self, arguments: &[&str], stdin: Option<&str>) -> Result<String, String> {
        let folder = tempfile::tempdir().expect("a folder");
        self.write_files(folder.path(), "asking");
        let input = folder.path().join("input");
        fs::write(&input, stdin.unwrap_or_default()).expect("a file");
        let ended = Command::new(PROGRAM)
            .args(arguments)
            .current_dir(folder.path())
            .stdin(File::open(&input).expect("a file"))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .output()
            .expect("the program starts");
        match ended.status.success() {
            true => Ok(String::from_utf8(ended.stdout).expect("UTF-8")),
            false => {
                let said = String::from_utf8_lossy(&ended.stderr);
                Err(format!("hotlead {}: {}: {said}", arguments.join(" "), ended.status))
            }
        }
    }
}
