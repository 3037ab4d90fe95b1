//! One alert as a Block Kit message. Nothing that a lead wrote can mention, link or hide anything in it.

use serde_json::{Value, json};

use super::text::{clean, cut, cut_escaped, escape, isolated};
use crate::core::alert::{Alert, AlertKind, Evidence, Lead};
use crate::core::time::{Span, Timestamp};

/// Slack's limit of a header.
const HEADER: usize = 150;
/// Slack's limit of a section's text is 3,000; with the limits below the whole message stays under 10,000, where
/// Slack begins to refuse it.
const REASON: usize = 2_500;
const LINES: usize = 1_500;
const CONTEXT: usize = 300;
const FALLBACK: usize = 2_000;
/// All rules of a card in one line, and in the fallback text.
const RULES: usize = 1_000;
const RULES_IN_TEXT: usize = 300;

/// Contributions that are shown one by one.
const SHOWN: usize = 5;

/// What a card shows.
#[derive(Clone, Debug)]
pub struct Face<'a> {
    /// The newest alert.
    pub alert: &'a Alert,
    /// Every rule that fired on it, and whether its episode lasts.
    pub rules: Vec<(&'a str, bool)>,
    /// The lead is no longer hot.
    pub closed: bool,
    /// To the CRM.
    pub link: Option<String>,
}

impl<'a> Face<'a> {
    /// Of one alert by itself.
    pub fn of(alert: &'a Alert, link: Option<String>) -> Self {
        let closed = alert.kind == AlertKind::Closed;
        Self { alert, rules: vec![(&alert.rule, !closed)], closed, link }
    }
}

/// The message for one alert, posted at `posted_at`: JSON that Slack accepts whatever the alert holds.
pub fn card(face: &Face<'_>, posted_at: Timestamp) -> Value {
    let alert = face.alert;
    let mut blocks = vec![
        json!({ "type": "header", "text": plain(&headline(face), HEADER) }),
        json!({ "type": "section", "text": plain(&clean(&alert.reason), REASON) }),
    ];
    if let Some(score) = score_line(alert) {
        let text = cut_escaped(&format!("*{}*", escape(&score)), CONTEXT);
        blocks.push(json!({ "type": "section", "text": mrkdwn(text) }));
    }
    for lines in [contributions(alert), flags(alert)] {
        if !lines.is_empty() {
            blocks.push(json!({ "type": "section", "text": plain(&lines, LINES) }));
        }
    }
    if let Some(link) = &face.link {
        let link = escape(link).replace('|', "%7C");
        blocks.push(json!({ "type": "section", "text": mrkdwn(format!("<{link}|Open in CRM>")) }));
    }
    let elements: Vec<_> = context(face, posted_at);
    blocks.push(json!({ "type": "context", "elements": elements }));
    message(fallback(face), Some(blocks))
}

/// The same in one line of text, for when Slack refuses the card.
pub fn minimal(face: &Face<'_>) -> Value {
    message(fallback(face), None)
}

/// What takes the place of a card or a reply of a lead that was erased.
pub fn redacted() -> Value {
    let what = "Erased on request";
    let more = "What this message said of a person was deleted. There is nothing left to do here.";
    let blocks = vec![
        json!({ "type": "section", "text": plain(what, HEADER) }),
        json!({ "type": "context", "elements": [plain(more, CONTEXT)] }),
    ];
    message(what.to_owned(), Some(blocks))
}

pub(super) fn message(text: String, blocks: Option<Vec<Value>>) -> Value {
    let mut message = json!({ "text": text, "parse": "none", "unfurl_links": false, "unfurl_media": false });
    if let Some(blocks) = blocks {
        message["blocks"] = Value::Array(blocks);
    }
    message
}

pub(super) fn plain(text: &str, max: usize) -> Value {
    // Slack refuses an empty text.
    let text = if text.is_empty() { "-" } else { text };
    json!({ "type": "plain_text", "text": cut(text, max), "emoji": false })
}

fn mrkdwn(text: String) -> Value {
    json!({ "type": "mrkdwn", "text": text, "verbatim": true })
}

/// What a notification shows, and what a screen reader reads: enough without the card.
fn fallback(face: &Face<'_>) -> String {
    let alert = face.alert;
    let mut text = format!("{}: {}", headline(face), cut(&clean(&alert.reason), REASON / 2));
    if face.rules.len() > 1 {
        text.push_str(&format!(" | rules {}", rules(&face.rules, RULES_IN_TEXT)));
    }
    for part in score_line(alert).into_iter().chain(alert.flag_texts.iter().map(|t| clean(t))) {
        text.push_str(" | ");
        text.push_str(&part);
    }
    cut_escaped(&escape(&text), FALLBACK)
}

/// `HOT | Dana Ruiz, VP Eng - Acme`: tier, who, account; each part short enough to leave room for the next.
fn headline(face: &Face<'_>) -> String {
    let lead = &face.alert.lead;
    let tier = if face.closed { "CLOSED".to_owned() } else { cut(&clean(&face.alert.tier).to_uppercase(), 20) };
    let mut line = format!("{tier} | {}", who(lead));
    for (between, part) in [(", ", &lead.job_title), (" - ", &lead.company)] {
        let part = clean(part.as_deref().unwrap_or_default());
        if !part.is_empty() {
            line.push_str(between);
            line.push_str(&isolated(&cut(&part, 40)));
        }
    }
    line
}

/// The name, else the masked e-mail, else the key.
pub(super) fn who(lead: &Lead) -> String {
    let name = clean(lead.name.as_deref().unwrap_or_default());
    let who = match lead.email.as_deref() {
        _ if !name.is_empty() => name,
        Some(email) if email.contains('@') => masked(&clean(email)),
        _ => clean(&lead.key),
    };
    isolated(&cut(if who.is_empty() { "unnamed lead" } else { &who }, 50))
}

/// `d***@acme.example`
fn masked(email: &str) -> String {
    let (local, domain) = email.rsplit_once('@').unwrap_or((email, ""));
    let first: String = local.chars().take(1).collect();
    format!("{first}***@{domain}")
}

/// Tenths of a point: sums of them are exact.
fn tenths(points: f64) -> i64 {
    (points * 10.0).round() as i64
}

/// `65` or `65.5`
fn points(tenths: i64) -> String {
    let sign = if tenths < 0 { "-" } else { "" };
    match tenths.unsigned_abs() {
        whole if whole.is_multiple_of(10) => format!("{sign}{}", whole / 10),
        part => format!("{sign}{}.{}", part / 10, part % 10),
    }
}

fn signed(tenths: i64) -> String {
    let plus = if tenths < 0 { "" } else { "+" };
    format!("{plus}{}", points(tenths))
}

/// Whether anything in this alert has points.
fn is_scored(alert: &Alert) -> bool {
    let score = &alert.score;
    [score.total, score.fit, score.behaviour].iter().any(|p| tenths(*p) != 0)
        || alert.evidence.iter().any(|e| tenths(e.points) != 0)
}

fn score_line(alert: &Alert) -> Option<String> {
    let [total, fit, behaviour] =
        [alert.score.total, alert.score.fit, alert.score.behaviour].map(|p| points(tenths(p)));
    is_scored(alert).then(|| format!("Score {total} (fit {fit}, behaviour {behaviour})"))
}

/// Contributions of one signal, or one line that sums up others.
struct Group<'a> {
    first: &'a Evidence,
    newest: &'a Evidence,
    tenths: i64,
    count: usize,
}

fn groups(evidence: &[Evidence]) -> Vec<Group<'_>> {
    let mut groups: Vec<Group<'_>> = Vec::new();
    for item in evidence {
        let same = |group: &&mut Group<'_>| item.signal.is_some() && group.first.signal == item.signal;
        match groups.iter_mut().find(same) {
            Some(group) => {
                group.tenths += tenths(item.points);
                group.count += 1;
                group.newest = item;
            }
            None => groups.push(Group { first: item, newest: item, tenths: tenths(item.points), count: 1 }),
        }
    }
    groups
}

/// The largest contributions, fit among them, and one line for the rest: together the score.
fn contributions(alert: &Alert) -> String {
    let scored = is_scored(alert);
    let mut groups = groups(&alert.evidence);
    groups.sort_by_key(|group| std::cmp::Reverse(group.tenths.abs()));
    let hidden = groups.len().saturating_sub(SHOWN);
    let mut lines = Vec::new();
    let mut rest = tenths(alert.score.total);
    if tenths(alert.score.fit) != 0 {
        lines.push(format!("{} fit", signed(tenths(alert.score.fit))));
        rest -= tenths(alert.score.fit);
    }
    for group in groups.iter().take(SHOWN) {
        rest -= group.tenths;
        lines.push(group_line(group, scored, alert.time));
    }
    let others = match hidden {
        0 => "other behaviour, fading and caps".to_owned(),
        n => format!("{n} more, fading and caps"),
    };
    if scored && rest != 0 {
        lines.push(format!("{} {others}", signed(rest)));
    } else if hidden > 0 {
        lines.push(format!("and {hidden} more"));
    }
    lines.join("\n")
}

/// `+30 pricing_view x3, 09:21 to 10:02 UTC, /pricing`
fn group_line(group: &Group<'_>, scored: bool, today: Timestamp) -> String {
    let label = isolated(&cut(&clean(&group.newest.label), 80));
    let mut line = if scored { format!("{} ", signed(group.tenths)) } else { String::new() };
    let Some(signal) = &group.first.signal else {
        return line + &label;
    };
    line.push_str(&cut(&clean(signal), 60));
    if group.count > 1 {
        line.push_str(&format!(" x{}", group.count));
    }
    let times = [group.first.time, group.newest.time].map(|t| t.map(|t| moment(t, today)));
    match times {
        [Some(first), Some(last)] if first != last => {
            line.push_str(&format!(", {first} to {last} UTC"));
        }
        [_, Some(last)] => line.push_str(&format!(", {last} UTC")),
        _ => {}
    }
    if !label.is_empty() {
        line.push_str(", ");
        line.push_str(&label);
    }
    line
}

fn flags(alert: &Alert) -> String {
    let texts = alert.flag_texts.iter().map(|text| clean(text)).filter(|text| !text.is_empty());
    texts.collect::<Vec<_>>().join("\n")
}

/// The small line: rule, campaign, version of the rules, how quick it was.
fn context(face: &Face<'_>, posted_at: Timestamp) -> Vec<Value> {
    let alert = face.alert;
    let mut rule = format!("rule {}", rules(&face.rules, RULES));
    if let Some(campaign) = &alert.campaign {
        rule.push_str(&format!(" | campaign {}", cut(&clean(campaign), 80)));
    }
    rule.push_str(&format!(" | rules {}", version(&alert.rules_version)));
    let event = alert.trigger.time;
    let seconds = event.as_millis().div_euclid(1_000);
    let text = event.to_string();
    let clock = text.get(11..19).unwrap_or_default();
    // Slack shows the reader's own time of day.
    let when = format!("event <!date^{seconds}^{{time_secs}}|{clock} UTC> → posted {}", after(posted_at - event));
    vec![plain(&rule, RULES + CONTEXT), mrkdwn(when)]
}

/// `sha256:1f3a5b7c9d0e`: enough of the digest to tell versions apart.
fn version(text: &str) -> String {
    let text = clean(text);
    let (before, digest) = match text.strip_prefix("sha256:") {
        Some(digest) => ("sha256:", digest),
        None => ("", text.as_str()),
    };
    before.chars().chain(digest.chars().take(12)).collect()
}

/// `pricing-surge, demo-requested (over)`, as many as there is room for.
fn rules(rules: &[(&str, bool)], max: usize) -> String {
    let mut line = String::new();
    for (i, (rule, open)) in rules.iter().enumerate() {
        let name = format!("{}{}", cut(&clean(rule), 80), if *open { "" } else { " (over)" });
        if line.chars().count() + name.chars().count() > max {
            line.push_str(&format!(" and {} more", rules.len() - i));
            break;
        }
        if i > 0 {
            line.push_str(", ");
        }
        line.push_str(&name);
    }
    line
}

/// `+1.8 s`; from a minute on as people say it.
fn after(span: Span) -> String {
    match span.as_millis().max(0) {
        ms @ ..60_000 => format!("+{}.{} s", ms / 1_000, ms % 1_000 / 100),
        ms => format!("+{}", Span::from_millis(ms)),
    }
}

/// `10:02`, on another day than `today` `11-21 10:02`.
fn moment(time: Timestamp, today: Timestamp) -> String {
    let (text, today) = (time.to_string(), today.to_string());
    let same_day = text.get(..10) == today.get(..10);
    let range = if same_day { 11..16 } else { 5..16 };
    text.get(range).unwrap_or_default().replace('T', " ")
}

#[cfg(test)]
#[path = "card_tests.rs"]
mod tests;
