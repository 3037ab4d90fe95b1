//! One message of each kind that a bot posts, about leads with names of every sort: what people look at to judge the cards.

use serde::Serialize;
use serde_json::Value;

use super::board::{face, reply, shown_alert};
use super::card::{Face, card, redacted};
use super::digest::{Occasion, digest};
use super::fold::{Folding, Seen};
use crate::codec::ledger::{Card, Fired};
use crate::core::alert::{Alert, AlertKind, Evidence, Score};
use crate::core::ids::Offset;
use crate::core::time::{Span, Timestamp};
use crate::notify::sample;

/// A message as it goes to Slack.
#[derive(Clone, Debug, Serialize)]
pub struct Sample {
    /// `fresh`, `updated`, `reply`, `closed`, `late`, `storm`, `test` or `redacted`.
    pub kind: &'static str,
    /// What sort of lead: `plain`, `hostile`, `long`, `right-to-left`, `emoji`, or `mixed` for all of them.
    pub lead: &'static str,
    /// When it was posted.
    pub posted: Timestamp,
    /// The arguments of Slack's method.
    pub message: Value,
}

/// Name, title and company of leads, by what is odd about them.
const LEADS: [(&str, &str, &str, &str); 5] = [
    ("plain", "Dana Ruiz", "VP Eng", "Acme"),
    (
        "hostile",
        "<img src=x onerror=\"document.title='owned'\"> <!channel>",
        "*boss* & <@U123>",
        "<https://evil.example|Acme>",
    ),
    (
        "long",
        "Dana Maria Alejandra Wolfeschlegelsteinhausenbergerdorff-Ruiz de la Torre",
        "Senior Executive Vice President of Platform Engineering and Everything Beside It",
        "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft",
    ),
    ("right-to-left", "דנה רואיס", "סמנכ״לית הנדסה", "شركة أكمي"),
    ("emoji", "Dana 🔥 Ruiz 👩‍💻", "VP 🚀", "Acme 🇵🇹🏭"),
];

/// How long after an event its card is posted here.
const LATER: Span = Span::from_millis(1_800);

/// All of them, posted at `now`.
pub fn samples(now: Timestamp) -> Vec<Sample> {
    let mut all = Vec::new();
    let mut add = |kind, lead, message| all.push(Sample { kind, lead, posted: now, message });
    let cards = LEADS.map(|lead| (lead.0, shown(lead, now)));
    for kind in ["fresh", "updated", "reply", "closed"] {
        for (lead, card) in &cards {
            add(kind, lead, message(kind, card, now));
        }
    }
    let seen: Vec<Seen> = LEADS.iter().map(|lead| seen(*lead, now - Span::from_secs(45 * 60))).collect();
    add("late", "mixed", digest(Occasion::Late, &seen, now));
    add("storm", "mixed", digest(Occasion::Storm, &seen, now));
    let test = sample::alert(1, now);
    add("test", "plain", card(&Face::of(&test, None), now + LATER));
    add("redacted", "plain", redacted());
    all
}

/// A lead's card with one rule that fired.
fn shown(lead: (&str, &str, &str, &str), now: Timestamp) -> Card {
    let folding = Folding { gap: Span::from_secs(14_400), home: String::new(), sink: "gallery".to_owned() };
    folding.new_card(&seen(lead, now))
}

fn seen((_, name, title, company): (&str, &str, &str, &str), time: Timestamp) -> Seen {
    let text = |text: &str| Some(text.to_owned());
    let mut alert = sample::alert(7, time);
    (alert.rule, alert.tier, alert.kind) = ("pricing-surge".to_owned(), "hot".to_owned(), AlertKind::Opened);
    (alert.lead.key, alert.lead.email) = ("u1".to_owned(), text("dana@acme.example"));
    (alert.lead.name, alert.lead.job_title, alert.lead.company) = (text(name), text(title), text(company));
    alert.reason = "3 pricing views in 41 min".to_owned();
    alert.flag_texts = vec!["unsubscribed: call, don't mail".to_owned()];
    alert.score = Score { total: 95.0, fit: 20.0, behaviour: 75.0 };
    let line = |signal: &str, minutes: i64, points: f64, label: &str| Evidence {
        signal: Some(signal.to_owned()),
        time: Some(time - Span::from_secs(minutes * 60)),
        points,
        source: None,
        label: label.to_owned(),
    };
    alert.evidence = vec![
        line("case_study_download", 300, 30.0, company),
        line("pricing_view", 41, 15.0, "/pricing"),
        line("pricing_view", 12, 15.0, "/pricing/enterprise"),
        line("pricing_view", 0, 15.0, "/pricing"),
    ];
    Seen { offset: Offset(0), time, alert, instead_of: None, comes_back: false }
}

fn message(kind: &str, card: &Card, now: Timestamp) -> Value {
    let mut card = card.clone();
    let mut alert: Alert = shown_alert(&card).unwrap_or_else(|| sample::alert(7, now));
    if kind != "fresh" {
        let untold = (kind == "reply").then(|| "asked for a demo".to_owned());
        card.fired.push(Fired { rule: "demo-requested".to_owned(), start: now, open: true, untold });
        (alert.rule, alert.reason) = ("demo-requested".to_owned(), "asked for a demo".to_owned());
        alert.score = Score { total: 125.0, fit: 20.0, behaviour: 105.0 };
    }
    if kind == "closed" {
        card.closed = true;
        card.fired.iter_mut().for_each(|fired| fired.open = false);
        (alert.kind, alert.reason) = (AlertKind::Closed, "score 64.5, below 70".to_owned());
        alert.score = Score { total: 64.5, fit: 20.0, behaviour: 44.5 };
    }
    if kind == "reply" {
        return reply(&card, false);
    }
    let link = Some("https://crm.example.com/?lead=u1".to_owned());
    super::card(&Face { link, ..face(&card, &alert, None) }, now + LATER)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notify::slack::{Use, limits};

    #[test]
    fn each_kind_is_there_and_slack_takes_it() {
        let all = samples(Timestamp::from_millis(1_795_341_734_120));
        for kind in ["fresh", "updated", "reply", "closed", "late", "storm", "test", "redacted"] {
            assert!(all.iter().any(|sample| sample.kind == kind), "{kind}");
        }
        for sample in &all {
            let uses = limits(&sample.message);
            assert!(uses.iter().all(Use::fits), "{} {}: {uses:?}", sample.kind, sample.lead);
        }
    }
}
