//! A stream of Segment events like a busy site's, 357 bytes on average, and the twenty rules that read it.
//!
//! Pages, tracks, lead keys and shares are those of the generator that the comparison with other systems uses. The same
//! seed gives the same bytes on any machine.
// Each bench is a program of its own and uses a part of this.
#![allow(dead_code)]

use std::fmt::Write as _;

use hotlead::core::event::FieldPath;
use hotlead::core::rule::RuleSet;
use hotlead::core::time::{Span, Timestamp};

/// The first of these that an event has is its lead.
pub const LEAD_KEY: [FieldPath; 3] = [FieldPath::UserId, FieldPath::Email, FieldPath::AnonymousId];

/// (path, weight): the first twelve are signals.
const PAGES: [(&str, u64); 16] = [
    ("/pricing", 60),
    ("/demo", 25),
    ("/contact", 20),
    ("/case-studies", 45),
    ("/integrations", 45),
    ("/security", 20),
    ("/docs", 90),
    ("/compare", 35),
    ("/customers", 35),
    ("/roi-calculator", 12),
    ("/trial", 25),
    ("/features", 80),
    ("/", 120),
    ("/blog/how-teams-work", 90),
    ("/about", 25),
    ("/careers", 15),
];

/// (name, weight): the first eight are signals.
const TRACKS: [(&str, u64); 9] = [
    ("Case Study Downloaded", 14),
    ("White Paper Downloaded", 16),
    ("Webinar Registered", 8),
    ("Webinar Attended", 5),
    ("Email Link Clicked", 40),
    ("Email Opened", 90),
    ("Video Played", 35),
    ("Demo Requested", 3),
    ("Button Hovered", 30),
];

const IDENTIFY_WEIGHT: u64 = 30;

const AGENTS: [&str; 3] = [
    "Mozilla/5.0 (X11; Linux x86_64; rv:128)",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X)",
    "Mozilla/5.0 (Windows NT 10.0; Win64)",
];

/// (signal, at least, within in s, cooldown in s).
const RULES: [(&str, u32, u32, u32); 20] = [
    ("/pricing", 3, 3600, 14400),
    ("/demo", 2, 3600, 14400),
    ("/contact", 2, 1800, 14400),
    ("/case-studies", 3, 7200, 14400),
    ("/integrations", 4, 3600, 14400),
    ("/security", 2, 3600, 14400),
    ("/docs", 5, 3600, 14400),
    ("/compare", 3, 3600, 14400),
    ("/customers", 3, 3600, 14400),
    ("/roi-calculator", 2, 3600, 14400),
    ("/trial", 3, 3600, 14400),
    ("/features", 5, 3600, 14400),
    ("Case Study Downloaded", 2, 86400, 86400),
    ("White Paper Downloaded", 2, 86400, 86400),
    ("Webinar Registered", 2, 43200, 86400),
    ("Webinar Attended", 1, 3600, 86400),
    ("Email Link Clicked", 3, 7200, 14400),
    ("Email Opened", 5, 7200, 14400),
    ("Video Played", 3, 3600, 14400),
    ("Demo Requested", 1, 3600, 86400),
];

/// The first `count` rules of a file: the twenty, then ones that nothing in the stream touches.
pub fn rules(count: usize) -> RuleSet {
    let untouched = (0..).map(|n| (format!("/landing/{n:03}"), 3, 3600, 14400));
    let all = RULES.iter().map(|(name, n, within, cooldown)| ((*name).to_owned(), *n, *within, *cooldown));
    compile(all.chain(untouched).take(count))
}

/// So many rules that every view of `/docs` touches.
pub fn rules_on_one_signal(count: usize) -> RuleSet {
    compile((0..count as u32).map(|n| ("/docs".to_owned(), 5, 3600 + n, 14400)))
}

/// The twenty so many times over, each time with windows of other lengths: every signal is in so many counts.
pub fn rules_times(times: usize) -> RuleSet {
    let all = (0..times as u32).flat_map(|n| {
        RULES.iter().map(move |(name, least, within, cooldown)| ((*name).to_owned(), *least, within + n, *cooldown))
    });
    compile(all)
}

/// The rules as a file would say them, then compiled.
fn compile(rules: impl Iterator<Item = (String, u32, u32, u32)>) -> RuleSet {
    let (mut signals, mut list) = (String::from("version: 1\nsignals:\n"), String::from("rules:\n"));
    let mut known: Vec<String> = Vec::new();
    for (number, (name, at_least, within, cooldown)) in rules.enumerate() {
        let at = known.iter().position(|other| *other == name).unwrap_or_else(|| {
            let what = match name.strip_prefix('/') {
                Some(_) => format!("{{ on: page, where: {{ page.path: \"{name}\" }} }}"),
                None => format!("{{ on: track, name: \"{name}\" }}"),
            };
            writeln!(signals, "  s{}: {what}", known.len()).expect("text");
            known.push(name);
            known.len() - 1
        });
        let count = format!("{{ signal: s{at}, at_least: {at_least}, within: {within}s }}");
        writeln!(list, "  - {{ id: rule-{number}, when: {{ count: {count} }}, cooldown: {cooldown}s }}").expect("text");
    }
    let file = tempfile::Builder::new().suffix(".yaml").tempfile().expect("a file");
    std::fs::write(file.path(), signals + &list).expect("written");
    let (spec, _) = hotlead::config::load_rules(file.path()).unwrap_or_else(|error| panic!("{error}"));
    RuleSet::compile(spec)
}

/// SplitMix64.
pub struct Random(pub u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        mix(self.0)
    }

    /// Below `n`.
    pub fn below(&mut self, n: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(n)) >> 64) as u64
    }
}

fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// Events one after the other; each has an id of its own, its time is a few milliseconds after the one before.
pub struct Stream {
    random: Random,
    leads: u64,
    /// Leads that are active at one moment.
    active: Vec<u64>,
    made: u64,
    /// Milliseconds between two events.
    step_ms: i64,
    /// Only events that are signals.
    only_signals: bool,
}

/// How many leads are active at one moment.
const SESSIONS: usize = 300;

impl Stream {
    pub fn new(leads: u64, step_ms: i64) -> Self {
        Self { random: Random(7), leads, active: Vec::new(), made: 0, step_ms, only_signals: false }
    }

    /// The same with only events that a rule reads.
    pub fn of_signals(leads: u64, step_ms: i64) -> Self {
        Self { only_signals: true, ..Self::new(leads, step_ms) }
    }

    /// The same later: after so many events.
    pub fn after(self, made: u64) -> Self {
        Self { made, ..self }
    }

    /// The next event, of this lead.
    pub fn event_of(&mut self, lead: u64) -> Vec<u8> {
        let mut out = String::with_capacity(420);
        self.write(lead, &mut out);
        out.into_bytes()
    }

    /// The next so many events, of leads in sessions.
    pub fn take(&mut self, count: usize) -> Vec<Vec<u8>> {
        (0..count)
            .map(|_| {
                let lead = self.pick_lead();
                self.event_of(lead)
            })
            .collect()
    }

    /// Four of five events belong to an active session.
    fn pick_lead(&mut self) -> u64 {
        let slot = self.random.below(SESSIONS as u64) as usize;
        if self.active.len() == SESSIONS && self.random.below(5) > 0 {
            return self.active[slot];
        }
        let lead = self.random.below(self.leads);
        match self.active.get_mut(slot) {
            Some(active) => *active = lead,
            None => self.active.push(lead),
        }
        lead
    }

    /// Appends the next event, of this lead.
    pub fn write(&mut self, lead: u64, out: &mut String) {
        let index = self.made;
        self.made += 1;
        let id = mix(0x5eed ^ index);
        let pages = &PAGES[..if self.only_signals { 12 } else { 16 }];
        let tracks = &TRACKS[..if self.only_signals { 8 } else { 9 }];
        let identify = if self.only_signals { 0 } else { IDENTIFY_WEIGHT };
        let weight = |table: &[(&str, u64)]| table.iter().map(|(_, weight)| weight).sum::<u64>();
        let draw = self.random.below(weight(pages) + weight(tracks) + identify);
        let (time, agent) = (
            Timestamp::from_millis(START_MS) + Span::from_millis(index as i64 * self.step_ms),
            AGENTS[lead as usize % 3],
        );
        write!(
            out,
            r#"{{"messageId":"00000001-{:04x}-4{:03x}-8{:03x}-{index:012x}","#,
            id >> 48,
            id & 0xfff,
            id >> 20 & 0xfff
        )
        .expect("text");
        // Seven of ten leads are known users, the others anonymous.
        if lead % 10 < 7 {
            write!(out, r#""userId":"u-{lead:08}","#).expect("text");
        } else {
            let h = mix(lead);
            write!(
                out,
                r#""anonymousId":"{:08x}-{:04x}-4{:03x}-9{:03x}-{lead:012x}","#,
                h as u32,
                h >> 48,
                h >> 32 & 0xfff,
                h >> 40 & 0xfff
            )
            .expect("text");
        }
        write!(out, r#""timestamp":"{time}","#).expect("text");
        let mut path = "/";
        match (choose(pages, draw), draw.checked_sub(weight(pages)).map(|draw| choose(tracks, draw))) {
            (Some(page), _) => {
                path = page;
                write!(out, r#""type":"page","name":"Site","properties":{{"path":"{path}","referrer":"https://www.example.com/","position":{}}},"#, id % 40)
            }
            (None, Some(Some(event))) => {
                write!(out, r#""type":"track","event":"{event}","properties":{{"label":"campaign-{:02}","value":{}}},"#, id % 50, id % 1000)
            }
            _ => write!(out, r#""type":"identify","traits":{{"plan":"trial","employees":{},"industry":"software"}},"#, id % 5000),
        }
        .expect("text");
        write!(
            out,
            r#""context":{{"page":{{"path":"{path}","url":"https://www.example.com{path}"}},"userAgent":"{agent}"}}}}"#
        )
        .expect("text");
    }
}

/// 2026-11-22T10:00:00Z.
const START_MS: i64 = 1_795_341_600_000;

fn choose(table: &[(&'static str, u64)], mut draw: u64) -> Option<&'static str> {
    for (name, weight) in table {
        if draw < *weight {
            return Some(name);
        }
        draw -= weight;
    }
    None
}
