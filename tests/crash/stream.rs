//! The events of a run: the same for the same seed, in sessions, with late, repeated, clamped and unreadable ones.

use serde_json::{Value, json};
use std::collections::VecDeque;

use crate::kafka::Outgoing;

/// 2025-03-01T00:00:00Z: the stream's time, of which records have their timestamps.
const START_MS: i64 = 1_740_787_200_000;

const SECOND: i64 = 1_000;
const MINUTE: i64 = 60 * SECOND;

/// So many records back, one may be sent again.
const RECENT: usize = 4_096;

/// SplitMix64: chance by seed.
#[derive(Clone)]
pub struct Random(pub u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Below `n`.
    pub fn below(&mut self, n: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(n)) >> 64) as u64
    }

    /// From the first to the last, both included.
    pub fn between(&mut self, first: i64, last: i64) -> i64 {
        first + self.below((last - first + 1) as u64) as i64
    }

    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len() as u64) as usize]
    }
}

/// Which events there are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Story {
    /// Everything that a lead's memory is for.
    Whole,
    /// Demo requests in order, each once: what they give depends on nothing that came before.
    Memoryless,
}

impl Story {
    /// The rules file, in JSON, which the twin reads too.
    pub fn rules(self) -> &'static str {
        match self {
            Story::Whole => include_str!("rules.json"),
            Story::Memoryless => include_str!("memoryless.json"),
        }
    }
}

/// Records to produce, without end.
pub struct Stream {
    random: Random,
    story: Story,
    leads: u64,
    /// The leads that are at it; one slot is drawn for each event.
    sessions: Vec<u64>,
    now_ms: i64,
    made: u64,
    recent: VecDeque<Outgoing>,
}

impl Stream {
    pub fn new(seed: u64, story: Story, leads: u64) -> Self {
        let mut random = Random(seed);
        let slots = (leads / 8).max(1);
        let sessions = (0..slots).map(|_| random.below(leads)).collect();
        Self { random, story, leads, sessions, now_ms: START_MS, made: 0, recent: VecDeque::new() }
    }

    /// A lead in a session does something every 200 s, some 20 times.
    fn turn(&mut self) -> u64 {
        self.now_ms += self.random.between(0, 400 * SECOND / self.sessions.len() as i64);
        let slot = self.random.below(self.sessions.len() as u64) as usize;
        if self.random.below(20) == 0 {
            self.sessions[slot] = self.random.below(self.leads);
        }
        self.sessions[slot]
    }

    fn fresh(&mut self) -> Outgoing {
        let lead = format!("u{}", self.turn());
        let time_ms = match self.story {
            Story::Whole => self.now_ms - self.lateness(),
            Story::Memoryless => self.now_ms,
        };
        let what = self.what();
        let (own, with_id) = (self.random.below(2) == 0, self.story == Story::Memoryless || self.random.below(100) > 0);
        let id = with_id.then(|| format!("e{}", self.made));
        let value = if own { own_event(what, &lead, time_ms, id) } else { segment_event(what, &lead, time_ms, id) };
        Outgoing { timestamp: Some(self.now_ms), ..Outgoing::new(lead, value.to_string()) }
    }

    /// How far an event's time lies behind its record's, in milliseconds.
    fn lateness(&mut self) -> i64 {
        match self.random.below(1_000) {
            0..850 => self.random.between(0, 2 * SECOND),
            850..930 => self.random.between(0, 5 * MINUTE),
            930..940 => 5 * MINUTE, // just the grace
            940..975 => self.random.between(5 * MINUTE, 30 * MINUTE),
            975..995 => self.random.between(30 * MINUTE, 4 * 60 * MINUTE),
            _ => -10 * MINUTE, // ahead of its record: clamped
        }
    }

    fn what(&mut self) -> What {
        if self.story == Story::Memoryless {
            return What::Track("Demo Requested");
        }
        match self.random.below(1_000) {
            0..240 => What::Page(self.random.pick(&["/pricing", "/pricing/teams"]), "Mozilla/5.0"),
            240..480 => What::Page("/docs", "Mozilla/5.0"),
            480..600 => What::Page("/", "Mozilla/5.0"),
            600..640 => What::Page("/careers", "Mozilla/5.0"),
            640..660 => What::Page("/pricing", "examplebot/1.0"),
            660..760 => What::Track("Case Study Downloaded"),
            760..800 => What::Track("Demo Requested"),
            800..815 => What::Track("Email Unsubscribed"),
            815..835 => What::Track("Email Subscribed"),
            835..845 => What::Track("Trial Ended"),
            845..875 => What::Track("Trial Started"),
            875..995 => What::Identify(self.traits()),
            _ => What::Unreadable,
        }
    }

    fn traits(&mut self) -> Value {
        let random = &mut self.random;
        match random.below(4) {
            0 => json!({ "country": random.pick(&["US", "DE", "FR", "XX"]) }),
            1 => json!({ "employees": random.pick(&[10, 49, 50, 800]) }),
            2 => json!({ "email": random.pick(&["a@buyer.example", "b@buyer.example", "c@rival.example"]) }),
            _ => json!({ "job_title": random.pick(&["VP Sales", "Engineer"]), "country": random.pick(&["US", "XX"]) }),
        }
    }
}

impl Iterator for Stream {
    type Item = Outgoing;

    fn next(&mut self) -> Option<Outgoing> {
        let again = match (self.story, self.random.below(1_000)) {
            (Story::Whole, 0..40) => Some(16),      // its id is still remembered
            (Story::Whole, 40..50) => Some(RECENT), // mostly forgotten: it counts again
            _ => None,
        };
        let back = again.map(|back| 1 + self.random.below(back as u64) as usize);
        let record = back.and_then(|back| self.recent.get(self.recent.len().checked_sub(back)?).cloned());
        let record = record.unwrap_or_else(|| self.fresh());
        self.made += 1;
        self.recent.push_back(record.clone());
        if self.recent.len() > RECENT {
            self.recent.pop_front();
        }
        Some(record)
    }
}

enum What {
    /// Path and user agent.
    Page(&'static str, &'static str),
    Track(&'static str),
    Identify(Value),
    /// A dead letter: its time is no time.
    Unreadable,
}

fn own_event(what: What, lead: &str, time_ms: i64, id: Option<String>) -> Value {
    let mut event = json!({ "time": time_ms, "lead": { "user_id": lead } });
    match what {
        What::Page(path, agent) => {
            event["type"] = "page".into();
            event["page"] = json!({ "path": path });
            event["user_agent"] = agent.into();
        }
        What::Track(name) => {
            event["type"] = "track".into();
            event["name"] = name.into();
        }
        What::Identify(traits) => {
            event["type"] = "identify".into();
            event["traits"] = traits;
        }
        What::Unreadable => return json!({ "time": "soon", "type": "page", "lead": { "user_id": lead } }),
    }
    with(event, "id", id)
}

fn segment_event(what: What, lead: &str, time_ms: i64, id: Option<String>) -> Value {
    let mut event = json!({ "timestamp": time_ms, "userId": lead });
    match what {
        What::Page(path, agent) => {
            event["type"] = "page".into();
            event["properties"] = json!({ "path": path });
            event["context"] = json!({ "userAgent": agent });
        }
        What::Track(name) => {
            event["type"] = "track".into();
            event["event"] = name.into();
        }
        What::Identify(traits) => {
            event["type"] = "identify".into();
            event["traits"] = traits;
        }
        What::Unreadable => return json!({ "timestamp": "soon", "type": "page", "userId": lead }),
    }
    with(event, "messageId", id)
}

fn with(mut event: Value, key: &str, id: Option<String>) -> Value {
    if let Some(id) = id {
        event[key] = id.into();
    }
    event
}
