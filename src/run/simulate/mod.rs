//! The simulator: realistic engagement events without a site, the same for the same seed on any machine.
//!
//! Leads come and go in sessions: visitors without a name, people of companies on their way to buying, crawlers, a
//! competitor, job applicants, people who unsubscribe; some events come late, some twice, some names are hostile. All
//! domains are reserved for examples and all addresses for documentation.

mod journey;
pub mod output;
mod people;
mod random;
mod segment;

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use self::journey::{Act, Persona, Step};
use self::people::{COMPANIES, Person, RIVAL};
use self::random::Random;
use crate::core::time::{Span, Timestamp};

/// What to simulate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scenario {
    /// Decides everything else that happens.
    pub seed: u64,
    /// How many leads there are, from 1; 0 counts as 1.
    pub leads: usize,
    /// When the first session begins.
    pub start: Timestamp,
}

impl Scenario {
    /// Where a simulation begins that nobody gave a time: 2026-11-02T08:00:00Z, a Monday morning.
    pub const START: Timestamp = Timestamp::from_millis(1_793_606_400_000);
    /// The first session of every lead lies within this.
    const ARRIVALS: Span = Span::from_secs(6 * 3600);
}

/// One event, ready to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SimulatedEvent {
    /// Its id; the same again when it is sent twice.
    pub id: String,
    /// The record's key: the user id, else the anonymous id.
    pub lead_key: String,
    /// The event's own time, and the record's timestamp.
    pub time: Timestamp,
    /// When it is sent, in simulated time: never before `time`, and never before the event that came before.
    pub sent: Timestamp,
    /// The record's value, in Segment's form.
    pub json: String,
}

/// An endless stream of events in the order in which they are sent.
#[derive(Debug)]
pub struct Simulator {
    random: Random,
    actors: Vec<Actor>,
    /// What happens next, earliest first; the counter orders what happens at the same time.
    agenda: BinaryHeap<Reverse<(Timestamp, u64, What)>>,
    counter: u64,
}

/// What is on the agenda.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum What {
    /// The next step of this actor.
    Step(usize),
    /// The same event once more, as a library that retries sends it: id, key, time, JSON.
    Again(String, String, Timestamp, String),
}

#[derive(Debug)]
struct Actor {
    persona: Persona,
    anonymous_id: String,
    ip: String,
    user_agent: &'static str,
    person: Option<Person>,
    is_known: bool,
    sessions: u32,
    steps: &'static [Step],
    next_step: usize,
}

const BROWSERS: &[&str] = &[
    "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 Mobile/15E148 Safari/604.1",
];
const CRAWLERS: &[&str] = &[
    "Mozilla/5.0 (compatible; examplebot/2.1; +https://bot.example/about)",
    "ExampleSpider/1.0 (+https://spider.example)",
];

impl Simulator {
    /// The stream of this scenario.
    pub fn new(scenario: Scenario) -> Self {
        let mut simulator =
            Self { random: Random::new(scenario.seed), actors: Vec::new(), agenda: BinaryHeap::new(), counter: 0 };
        for index in 0..scenario.leads.max(1) {
            let actor = simulator.draw_actor(index);
            simulator.actors.push(actor);
            let wait = simulator.random.below(Scenario::ARRIVALS.as_millis() as u64);
            let begin = scenario.start + Span::from_millis(wait as i64);
            simulator.plan(begin, What::Step(index));
        }
        simulator
    }

    fn draw_actor(&mut self, index: usize) -> Actor {
        let random = &mut self.random;
        let persona = Persona::draw(random);
        let company = match persona {
            Persona::Rival => RIVAL,
            _ => random.pick(COMPANIES),
        };
        let person = match persona {
            Persona::Visitor | Persona::Crawler => None,
            _ => Some(Person::draw(random, index, company)),
        };
        let user_agent = match persona {
            Persona::Crawler => random.pick(CRAWLERS),
            _ => random.pick(BROWSERS),
        };
        Actor {
            persona,
            anonymous_id: format!("a-{:012x}", random.bits() >> 16),
            ip: format!("192.0.2.{}", random.between(1, 254)),
            user_agent,
            is_known: persona.is_known_at_once(),
            person,
            sessions: 0,
            steps: persona.session(0, random),
            next_step: 0,
        }
    }

    fn plan(&mut self, at: Timestamp, what: What) {
        self.counter += 1;
        self.agenda.push(Reverse((at, self.counter, what)));
    }

    /// One step of an actor, and the plan for its next.
    fn step(&mut self, now: Timestamp, index: usize) -> SimulatedEvent {
        let actor = &mut self.actors[index];
        let (_, _, act) = actor.steps[actor.next_step];
        if matches!(act, Act::Identify) {
            actor.is_known = true;
        }
        // One in fifty was without a network for a while: late, but within the default grace.
        let late_s = match self.random.below(50) {
            0 => self.random.between(5, 240),
            _ => 0,
        };
        let time = now - Span::from_secs(late_s as i64);
        let person = actor.person.as_ref().filter(|_| actor.is_known);
        let id = format!("{:016x}-{:08x}", self.random.bits(), self.random.bits() >> 32);
        let facts = segment::Facts {
            message_id: &id,
            time,
            anonymous_id: &actor.anonymous_id,
            person,
            user_agent: actor.user_agent,
            ip: &actor.ip,
        };
        let json = segment::message(act, &facts);
        let lead_key = match person {
            Some(person) => person.user_id.clone(),
            None => actor.anonymous_id.clone(),
        };

        let wait_s = actor.advance(&mut self.random);
        let wait_ms = wait_s * 1000 + self.random.below(1000);
        self.plan(now + Span::from_millis(wait_ms as i64), What::Step(index));
        if self.random.chance(2) {
            let again = now + Span::from_secs(self.random.between(1, 20) as i64);
            self.plan(again, What::Again(id.clone(), lead_key.clone(), time, json.clone()));
        }
        SimulatedEvent { id, lead_key, time, sent: now, json }
    }
}

impl Actor {
    /// Moves on to the next step, of the next session if need be; the seconds until then.
    fn advance(&mut self, random: &mut Random) -> u64 {
        self.next_step += 1;
        if let Some((at_least, at_most, _)) = self.steps.get(self.next_step) {
            return random.between(*at_least, *at_most);
        }
        let pause_s = self.persona.pause_s(self.sessions, random);
        self.sessions = self.sessions.saturating_add(1);
        self.steps = self.persona.session(self.sessions, random);
        self.next_step = 0;
        pause_s
    }
}

impl Iterator for Simulator {
    type Item = SimulatedEvent;

    /// Never `None`.
    fn next(&mut self) -> Option<SimulatedEvent> {
        let Reverse((now, _, what)) = self.agenda.pop()?;
        Some(match what {
            What::Step(index) => self.step(now, index),
            What::Again(id, lead_key, time, json) => SimulatedEvent { id, lead_key, time, sent: now, json },
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use serde_json::Value;
    use sha2::{Digest, Sha256};

    use super::*;

    fn events(seed: u64, leads: usize, count: usize) -> Vec<SimulatedEvent> {
        let start = Scenario::START;
        Simulator::new(Scenario { seed, leads, start }).take(count).collect()
    }

    #[test]
    fn a_seed_gives_the_same_bytes_everywhere() {
        let mut digest = Sha256::new();
        for event in events(1, 200, 5000) {
            digest.update(event.lead_key.as_bytes());
            digest.update(event.json.as_bytes());
            digest.update(b"\n");
        }
        let hex: String = digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        // Changes only when the simulated people change: demos and samples change with it.
        assert_eq!(hex, "d5c028d81285f2682f534044df19874d282aa7ce5338ffb3b6c15e31a870e377");
        assert_ne!(events(1, 200, 50), events(2, 200, 50));
    }

    #[test]
    fn events_are_sent_in_order_and_never_before_they_happen() {
        let events = events(3, 100, 5000);
        assert!(events.windows(2).all(|pair| pair[0].sent <= pair[1].sent));
        assert!(events.iter().all(|event| event.time <= event.sent));
        assert!(events.iter().any(|event| event.time < event.sent), "some are late");
    }

    #[test]
    fn every_event_is_json_with_an_id_and_its_key() {
        for event in events(4, 50, 2000) {
            let json: Value = serde_json::from_str(&event.json).expect("JSON");
            assert!(json["messageId"].is_string());
            let key = json["userId"].as_str().or(json["anonymousId"].as_str());
            assert_eq!(key, Some(event.lead_key.as_str()));
            assert_eq!(json["timestamp"], event.time.to_string());
        }
    }

    #[test]
    fn all_kinds_of_leads_come_by() {
        let events = events(5, 400, 20_000);
        let all: String = events.iter().map(|event| event.json.as_str()).collect();
        for sign in [
            "examplebot",
            "@rival.example",
            "/careers/apply",
            "Email Unsubscribed",
            "Demo Requested",
            "<!channel>",
            "\"type\":\"group\"",
            "Webinar Attended",
        ] {
            assert!(all.contains(sign), "{sign}");
        }
        let distinct: HashSet<&str> = events.iter().map(|event| event.json.as_str()).collect();
        assert!(distinct.len() < events.len(), "some events come twice");
    }
}
