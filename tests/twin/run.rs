//! A file of events through the rules, line by line.

use super::condition::{Asked, Condition};
use super::event::Event;
use super::evidence::{self, Line};
use super::history::{Applied, History, Turn, View};
use super::rules::{Rule, Rules};
use super::score::Score;
use super::time::MINUTE;
use super::{ids, latch, time};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// What a run says: the lines of `backtest --decisions`, and the alerts.
#[derive(Default)]
pub struct Run {
    pub decisions: Vec<Value>,
    pub alerts: Vec<Alert>,
}

#[derive(Clone, Debug)]
pub struct Alert {
    /// `opened`, `updated` or `closed`.
    pub kind: &'static str,
    pub rule: String,
    pub tier: Option<String>,
    pub campaign: Option<String>,
    pub lead: String,
    /// The lead's clock when it was written.
    pub time: i64,
    pub episode_start: i64,
    pub flags: Vec<String>,
    pub score: Score,
    /// The event at which it was written: its id, or its source if it has none, and its own time.
    pub trigger: (String, i64),
    pub evidence: Vec<Line>,
}

/// A lead of one partition; a plain file is a partition of its own.
type LeadOf = (Option<(String, i64)>, String);

/// Runs `lines` through `rules`. `file` is the path as typed, of which a source speaks.
pub fn run(rules: &Rules, lead_key: &[&str], lines: &[String], file: &str) -> Run {
    let mut out = Run::default();
    let mut leads: BTreeMap<LeadOf, History> = BTreeMap::new();
    for (at, line) in lines.iter().enumerate() {
        let event = Event::read(rules, lead_key, line, &format!("{file}:{}", at + 1));
        if let Err(refused) = take_in(rules, &mut leads, &event, &mut out) {
            out.decisions.push(refusal(&event, refused));
        }
    }
    out
}

/// Why an event was not applied.
enum Refused {
    DeadLetter(&'static str),
    Ignored(String),
    Unmatched,
    Duplicate,
}

fn refusal(event: &Event, refused: Refused) -> Value {
    let mut line = json!({
        "lead": event.lead, "rule": null, "time": event.time.map(time::text),
        "event_id": event.identity(),
    });
    line["decision"] = match &refused {
        Refused::DeadLetter(_) => "dead_letter",
        Refused::Ignored(_) => "ignored",
        Refused::Unmatched => "unmatched",
        Refused::Duplicate => "duplicate",
    }
    .into();
    match refused {
        Refused::DeadLetter(reason) => line["reason"] = reason.into(),
        Refused::Ignored(by) => line["by"] = by.into(),
        _ => {}
    }
    line
}

fn take_in(rules: &Rules, leads: &mut BTreeMap<LeadOf, History>, event: &Event, out: &mut Run) -> Result<(), Refused> {
    if let Some(reason) = event.dead {
        return Err(Refused::DeadLetter(reason));
    }
    if let Some((name, _)) = rules.ignore.iter().find(|(_, pattern)| pattern.means(event)) {
        return Err(Refused::Ignored(name.clone()));
    }
    let applied = what_is_read(rules, event);
    if applied.signals.is_empty() && applied.traits.is_empty() {
        return Err(Refused::Unmatched);
    }
    let key = (event.scope.clone(), event.lead.clone().unwrap());
    let history = leads.entry(key).or_insert_with(|| History::new(rules));
    if history.clock().is_some_and(|clock| applied.time - clock > rules.forget_after) {
        *history = History::new(rules);
    }
    if ids::remembered(rules, history, event.identity()) {
        return Err(Refused::Duplicate);
    }
    let clock = history.clock().map_or(applied.time, |clock| clock.max(applied.time));
    let before = View { rules, history, clock, current: None };
    let renews =
        applied.traits.iter().any(|(name, _)| before.trait_newest(name).is_none_or(|(known, _)| known <= applied.time));
    if applied.signals.is_empty() && !renews {
        return Err(Refused::Unmatched);
    }
    apply(rules, history, applied, clock, event, out);
    Ok(())
}

/// The event with the signals and traits that anything speaks of.
fn what_is_read(rules: &Rules, event: &Event) -> Applied {
    let (signals, traits) = (rules.read_signals(), rules.read_traits());
    let carried = rules.signals.iter().filter(|(name, _)| signals.contains(name));
    Applied {
        time: event.time.unwrap(),
        identity: event.identity().to_string(),
        signals: carried.filter(|(_, pattern)| pattern.means(event)).map(|(name, _)| name.clone()).collect(),
        traits: event.traits.iter().filter(|(name, _)| traits.contains(name)).cloned().collect(),
    }
}

fn apply(rules: &Rules, history: &mut History, applied: Applied, clock: i64, event: &Event, out: &mut Run) {
    let touched = touched_rules(rules, history, &applied);
    for at in &touched {
        let before = View { rules, history, clock, current: None };
        let released = !rules.rules[*at].when.holds(&before, Asked::Release);
        let Some((_, announced)) = history.episode(*at).filter(|_| released) else { continue };
        if announced {
            out.alerts.push(alert("closed", &before, *at, event));
        }
        history.turns[*at].push(Turn::Closed);
    }
    let fit_before = View { rules, history, clock, current: None }.score().fit;
    history.applied.push(applied);
    latch::update(rules, history, clock);
    for at in touched {
        let rule = &rules.rules[at];
        let (decision, by) = decide(rules, history, at, clock);
        let mut line = json!({
            "lead": event.lead, "rule": rule.id, "decision": decision,
            "time": time::text(clock), "event_id": event.identity(),
        });
        if let Some(by) = by {
            line["by"] = by.into();
        }
        out.decisions.push(line);
        let kind = match decision {
            "fire" => "opened",
            "same_episode" if updates(rules, history, at, clock, fit_before) => {
                history.turns[at].push(Turn::Updated { clock });
                "updated"
            }
            _ => continue,
        };
        let after = View { rules, history, clock, current: Some(history.applied.len() - 1) };
        out.alerts.push(alert(kind, &after, at, event));
    }
}

/// The rules that an event touches: its signals, the traits that it changes, and for those that
/// read the score the scored signals and the fit traits.
fn touched_rules(rules: &Rules, history: &History, applied: &Applied) -> Vec<usize> {
    let view = View { rules, history, clock: 0, current: None };
    let changes = |name: &String| {
        applied.traits.iter().any(|(carried, value)| {
            carried == name
                && view.trait_newest(name).is_none_or(|(known, _)| known <= applied.time)
                && view.trait_value(name) != Some(value)
        })
    };
    let touches = |signals: Vec<String>, traits: Vec<String>| {
        signals.iter().any(|signal| applied.signals.contains(signal)) || traits.iter().any(changes)
    };
    let scoring = rules.scoring.as_ref();
    let score_moves = scoring.is_some_and(|s| touches(s.signals(), s.fit_traits()));
    let is_touched = |when: &Condition| touches(when.signals(), when.traits()) || (when.reads_score() && score_moves);
    (0..rules.rules.len()).filter(|at| is_touched(&rules.rules[*at].when)).collect()
}

/// The decision for one rule after an event, and what suppresses it.
fn decide(rules: &Rules, history: &mut History, at: usize, clock: i64) -> (&'static str, Option<String>) {
    let rule: &Rule = &rules.rules[at];
    let current = history.applied.len() - 1;
    let view = View { rules, history, clock, current: Some(current) };
    if !rule.when.holds(&view, Asked::Condition) {
        return ("below_threshold", None);
    }
    let held_by = latch::held_by(&view, &rule.despite);
    let announced = match history.episode(at) {
        Some((_, announced)) => announced,
        None => {
            history.turns[at].push(Turn::Opened { clock, event: current });
            false
        }
    };
    if announced {
        return ("same_episode", None);
    }
    if held_by.is_some() {
        return ("suppressed", held_by);
    }
    if history.last_announced(at).is_some_and(|last| clock < last + rule.cooldown) {
        return ("cooling_down", None);
    }
    history.turns[at].push(Turn::Announced { clock });
    ("fire", None)
}

/// Whether the event that was just applied is one that people are told of although they know of the episode: it adds
/// something to what the rule reads, nothing suppresses the rule, and in this minute nothing was told yet.
fn updates(rules: &Rules, history: &History, at: usize, clock: i64, fit_before: i64) -> bool {
    let rule = &rules.rules[at];
    let view = View { rules, history, clock, current: Some(history.applied.len() - 1) };
    let scored = rules.scoring.as_ref().map_or(Vec::new(), |scoring| scoring.signals());
    let names = |signal: &String| rule.when.signals().contains(signal);
    let adds = view.carried().iter().any(names)
        || rule.when.reads_score()
            && (view.carried().iter().any(|signal| scored.contains(signal)) || view.score().fit != fit_before);
    let minute = |clock: i64| clock.div_euclid(MINUTE);
    let told = history.last_update(at).is_some_and(|last| minute(last) == minute(clock));
    adds && !told && latch::held_by(&view, &rule.despite).is_none()
}

fn alert(kind: &'static str, view: &View<'_>, at: usize, event: &Event) -> Alert {
    let rule = &view.rules.rules[at];
    let (episode_start, _) = view.history.episode(at).unwrap();
    Alert {
        kind,
        rule: rule.id.clone(),
        tier: rule.tier.clone(),
        campaign: rule.campaign.clone(),
        lead: event.lead.clone().unwrap(),
        time: view.clock,
        episode_start,
        flags: latch::flags(view),
        score: view.score(),
        trigger: (event.identity().to_string(), event.time.unwrap()),
        evidence: evidence::lines(&rule.when, view),
    }
}
