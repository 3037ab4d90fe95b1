//! hotlead.yaml: text in, checked settings or every fault out.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::keys::{CONFIG_FILE, HTTP, LOG, LOG_FORMATS};
use super::routes::Named;
use super::secrets::Surroundings;
use super::{LogFormat, Routing, Settings, SinkRoute, Start};
use crate::config::fault::Faults;
use crate::config::map::Map;
use crate::config::rules::check_version;
use crate::config::suggest::nearest_field;
use crate::config::tree::{self, Node};
use crate::config::view::{View, optional};
use crate::core::event::FieldPath;
use crate::core::limits;
use crate::core::time::Span;

const DEFAULT_GROUP: &str = "hotlead";
const DEFAULT_WORKERS: usize = 2;
const DEFAULT_COMMIT_INTERVAL: Duration = Duration::from_millis(200);
const DEFAULT_LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 8080);

/// Reads a config file that was typed so. Without a fault there are settings, perhaps with warnings.
pub fn read(path_as_typed: &str, text: &str, around: &Surroundings<'_>) -> (Option<Settings>, Faults) {
    let mut faults = Faults::new(path_as_typed);
    let settings =
        tree::parse(text, &mut faults).and_then(|root| read_tree(&root, Path::new(path_as_typed), around, &mut faults));
    faults.sort();
    let settings = settings.filter(|_| !faults.is_fatal());
    (settings, faults)
}

/// Reads a tree that was parsed from the file.
pub(in crate::config) fn read_tree(
    root: &Node,
    file: &Path,
    around: &Surroundings<'_>,
    faults: &mut Faults,
) -> Option<Settings> {
    check_version(root, faults);
    let map = View::top(root).map(faults, &CONFIG_FILE)?;
    let mut reader = Reader { faults, around, file, in_needed_sink: false, routes: Vec::new(), fallbacks: Vec::new() };
    let kafka = map.get("kafka").map(|view| reader.kafka(&view));
    let group = map.get("group").map(|view| reader.name(&view));
    let instance = reader.instance(&map);
    let start = map.get("start").map(|view| reader.start(&view));
    let topics = reader.topics(map.get("topics").as_ref());
    let rules = map.get("rules").map(|view| view.text(reader.faults));
    let lead_key = map.get("lead_key").map(|view| reader.lead_key(&view));
    let commit_interval = map.get("commit_interval").map(|view| reader.span(&view, 1, 60_000));
    let workers = map.get("workers").map(|view| {
        let workers = view.whole(reader.faults, 1, 256)?;
        usize::try_from(workers).ok()
    });
    let max_leads = map.get("max_leads").map(|view| {
        let max_leads = view.whole(reader.faults, 1, 1_000_000_000)?;
        usize::try_from(max_leads).ok()
    });
    let sinks = map.get("sinks").map(|view| reader.sinks(&view));
    reader.check_fallbacks();
    reader.check_rest(&map, map.get("sinks").map_or(map.place, |view| view.node.place));
    let http = map.get("http").map(|view| reader.http(&view));
    let log = map.get("log").map(|view| reader.log(&view));
    Some(Settings {
        kafka: kafka??,
        group: optional(group)?.unwrap_or_else(|| DEFAULT_GROUP.into()),
        instance: instance?,
        start: optional(start)?.unwrap_or(Start::Latest),
        topics: topics?,
        rules: beside(file, rules??),
        lead_key: optional(lead_key)?
            .unwrap_or_else(|| vec![FieldPath::UserId, FieldPath::Email, FieldPath::AnonymousId]),
        commit_interval: optional(commit_interval)?.unwrap_or(DEFAULT_COMMIT_INTERVAL),
        workers: optional(workers)?.unwrap_or(DEFAULT_WORKERS),
        max_leads: optional(max_leads)?.unwrap_or(limits::DEFAULT_MAX_LEADS),
        sinks: optional(sinks)?.unwrap_or_default(),
        routing: Routing { sinks: reader.routes },
        http: optional(http)?.unwrap_or(Some(DEFAULT_LISTEN)),
        log: optional(log)?.unwrap_or(LogFormat::Text),
    })
}

/// A path of the file, seen from the working directory.
pub(in crate::config) fn beside(file: &Path, path: &str) -> PathBuf {
    file.parent().unwrap_or(Path::new("")).join(path)
}

/// Reads the parts of one config file.
pub(super) struct Reader<'a> {
    pub faults: &'a mut Faults,
    pub around: &'a Surroundings<'a>,
    /// Paths in it are relative to where it lies.
    pub file: &'a Path,
    /// Whether it is at the one sink whose secrets are needed, if there is such.
    pub in_needed_sink: bool,
    /// Of the sinks so far.
    pub routes: Vec<SinkRoute>,
    /// Of the sinks so far that have one.
    pub fallbacks: Vec<Named>,
}

impl Reader<'_> {
    fn name(&mut self, view: &View<'_>) -> Option<String> {
        view.name(self.faults).map(str::to_owned)
    }

    fn instance(&mut self, map: &Map<'_>) -> Option<String> {
        if let Some(view) = map.get("instance") {
            return self.name(&view);
        }
        if self.around.host.is_none() {
            let message = "is missing, and this machine does not tell its name";
            self.faults.add(map.place, "instance", message);
        }
        self.around.host.clone()
    }

    /// A duration between two numbers of milliseconds, both included.
    pub(super) fn span(&mut self, view: &View<'_>, from: i64, to: i64) -> Option<Duration> {
        let span = view.duration(self.faults, Span::from_millis(from))?;
        if span.as_millis() > to {
            view.must_be(self.faults, &format!("at most {}", Span::from_millis(to)));
            return None;
        }
        Some(Duration::from_millis(span.as_millis().unsigned_abs()))
    }

    pub(super) fn start(&mut self, view: &View<'_>) -> Option<Start> {
        match view.as_text() {
            Some("latest") => Some(Start::Latest),
            Some("earliest") => Some(Start::Earliest),
            Some(text) => match crate::config::scalar::duration(text) {
                Ok(age) if age > Span::ZERO => Some(Start::Age(Duration::from_millis(age.as_millis().unsigned_abs()))),
                _ => {
                    view.must_be(self.faults, "latest, earliest, or an age such as 7d");
                    None
                }
            },
            None => {
                view.must_be(self.faults, "latest, earliest, or an age such as 7d");
                None
            }
        }
    }

    fn lead_key(&mut self, view: &View<'_>) -> Option<Vec<FieldPath>> {
        let mut fields = Vec::new();
        let mut whole = true;
        for view in view.list(self.faults, "fields")? {
            let text = view.as_text().unwrap_or_default();
            match FieldPath::parse(text) {
                Some(field) if fields.contains(&field) => {
                    view.fault(self.faults, format!("{text} stands twice"));
                }
                Some(field) => {
                    fields.push(field);
                    continue;
                }
                None => {
                    let hint = nearest_field(text).map(|field| format!(" (did you mean {field:?}?)"));
                    let wanted = format!("a field such as user_id, email or traits.id{}", hint.unwrap_or_default());
                    view.must_be(self.faults, &wanted);
                }
            }
            whole = false;
        }
        whole.then_some(fields)
    }

    fn http(&mut self, view: &View<'_>) -> Option<Option<SocketAddr>> {
        if view.as_text() == Some("off") {
            return Some(None);
        }
        if view.scalar().is_some() {
            view.must_be(self.faults, "off, or listen: with an address");
            return None;
        }
        let listen = view.map(self.faults, &HTTP)?.get("listen")?;
        let address = listen.as_text().and_then(|text| text.parse().ok());
        if address.is_none() {
            listen.must_be(self.faults, "an address and a port such as 127.0.0.1:8080");
        }
        address.map(Some)
    }

    fn log(&mut self, view: &View<'_>) -> Option<LogFormat> {
        let Some(format) = view.map(self.faults, &LOG)?.get("format") else {
            return Some(LogFormat::Text);
        };
        match format.as_text() {
            Some("text") => Some(LogFormat::Text),
            Some("json") => Some(LogFormat::Json),
            _ => {
                format.must_be(self.faults, &LOG_FORMATS.join(" or "));
                None
            }
        }
    }
}
