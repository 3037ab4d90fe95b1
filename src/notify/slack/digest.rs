//! A digest: many alerts in one message, each named as long as there is room.

use serde_json::{Value, json};

use super::card::{message, plain, who};
use super::fold::Seen;
use super::text::{clean, cut, cut_escaped, escape, isolated};
use crate::core::time::{Span, Timestamp};

/// Lines of one section, and characters of one line: ten of them stay below Slack's 3,000 of a section.
const LINES: usize = 10;
const LINE: usize = 290;
const BULLET: &str = "• ";
/// Characters of all lines: with the header and the last line below the 10,000 at which we keep away from Slack's limit.
const ALL: usize = 9_300;
const TEXT: usize = 2_000;

/// Why alerts come together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Occasion {
    /// More leads turned hot than there are seconds to post them in.
    Storm,
    /// They are too old to be news.
    Late,
}

/// The digest of these alerts at `now`, the hottest first.
pub fn digest(occasion: Occasion, seen: &[Seen], now: Timestamp) -> Value {
    let mut seen: Vec<&Seen> = seen.iter().collect();
    seen.sort_by(|a, b| b.alert.score.total.total_cmp(&a.alert.score.total).then(a.time.cmp(&b.time)));
    let head = headline(occasion, &seen, now);
    let mut blocks = vec![json!({ "type": "header", "text": plain(&head, 150) })];
    let (lines, left) = lines(&seen);
    // Each lead stands out, also where its line is broken on a phone.
    let listed = |lines: &[String]| lines.iter().map(|line| format!("{BULLET}{line}")).collect::<Vec<_>>().join("\n");
    blocks.extend(lines.chunks(LINES).map(|lines| json!({ "type": "section", "text": plain(&listed(lines), 3_000) })));
    if left > 0 {
        blocks.push(json!({ "type": "section", "text": plain(&format!("and {left} more"), 100) }));
    }
    let more = if left > 0 { format!(" … and {left} more") } else { String::new() };
    let text = cut_escaped(&escape(&format!("{head}: {}", lines.join("; "))), TEXT - more.chars().count());
    message(text + &more, Some(blocks))
}

/// The same in one line of text, for when Slack refuses it.
pub fn minimal(digest: &Value) -> Value {
    message(digest["text"].as_str().unwrap_or_default().to_owned(), None)
}

fn headline(occasion: Occasion, seen: &[&Seen], now: Timestamp) -> String {
    let count = seen.len();
    let alerts = if count == 1 { "alert" } else { "alerts" };
    let ages = seen.iter().map(|seen| (now - seen.time).max(Span::ZERO));
    let said = |age: Option<Span>| age.unwrap_or(Span::ZERO).to_string();
    let (youngest, oldest) = (said(ages.clone().min()), said(ages.max()));
    match occasion {
        Occasion::Storm => format!("DIGEST | {count} more {alerts} at once"),
        Occasion::Late if youngest == oldest => format!("LATE | {count} {alerts}, {oldest} old"),
        Occasion::Late => format!("LATE | {count} {alerts}, {youngest} to {oldest} old"),
    }
}

/// As many lines as there is room for, and how many are left over.
fn lines(seen: &[&Seen]) -> (Vec<String>, usize) {
    let (mut lines, mut used) = (Vec::new(), 0);
    for seen in seen {
        let line = line(seen);
        used += BULLET.chars().count() + line.chars().count() + 1;
        if used > ALL {
            break;
        }
        lines.push(line);
    }
    let left = seen.len() - lines.len();
    (lines, left)
}

/// `Dana Ruiz - Acme | pricing-surge: 3 pricing views in 41 min`
fn line(seen: &Seen) -> String {
    let lead = &seen.alert.lead;
    let mut line = who(lead);
    let company = clean(lead.company.as_deref().unwrap_or_default());
    if !company.is_empty() {
        line.push_str(&format!(" - {}", isolated(&cut(&company, 40))));
    }
    if let Some(sink) = &seen.instead_of {
        line.push_str(&format!(" | in place of {sink}"));
    }
    line.push_str(&format!(" | {}: {}", cut(&clean(&seen.alert.rule), 64), clean(&seen.alert.reason)));
    cut(&line, LINE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::ids::Offset;
    use crate::notify::sample;
    use crate::notify::slack::{Use, limits};

    fn seen(number: i64, name: &str, minutes_ago: i64) -> Seen {
        let now = Timestamp::from_millis(1_795_341_734_000);
        let mut alert = sample::alert(number as u128, now);
        alert.lead.name = Some(name.to_owned());
        alert.score.total = number as f64;
        alert.reason = format!("reason {number}");
        let time = now - Span::from_secs(minutes_ago * 60);
        Seen { offset: Offset(number), time, alert, instead_of: None, comes_back: false }
    }

    fn texts(digest: &Value) -> Vec<String> {
        let blocks = digest["blocks"].as_array().expect("blocks").iter();
        blocks.map(|block| block["text"]["text"].as_str().expect("text").to_owned()).collect()
    }

    #[test]
    fn it_names_the_hottest_first_and_says_how_old_they_are() {
        let now = Timestamp::from_millis(1_795_341_734_000);
        let all = [seen(1, "Ada", 31), seen(3, "<!channel>", 360), seen(2, "Bo", 90)];
        let late = digest(Occasion::Late, &all, now);
        let lines = "• <!channel> - Example | test: reason 3\n• Bo - Example | test: reason 2\n• Ada - Example | test: reason 1";
        assert_eq!(texts(&late), ["LATE | 3 alerts, 31 min to 6 h old", lines]);
        assert!(!late["text"].as_str().expect("text").contains(['<', '>']), "{late}");
        assert_eq!(texts(&digest(Occasion::Storm, &all, now))[0], "DIGEST | 3 more alerts at once");
        assert_eq!(texts(&digest(Occasion::Late, &all[..1], now))[0], "LATE | 1 alert, 31 min old");
        let lent = Seen { instead_of: Some("sdr".to_owned()), ..seen(1, "Ada", 6) };
        assert_eq!(
            texts(&digest(Occasion::Storm, &[lent], now))[1],
            "• Ada - Example | in place of sdr | test: reason 1"
        );
    }

    #[test]
    fn thousands_fit_and_those_without_room_are_counted() {
        let now = Timestamp::from_millis(1_795_341_734_000);
        let hostile = "<&😀>\u{202e}".repeat(200);
        for (count, name) in [(10, "Ada"), (100, "Ada"), (2_000, "Ada"), (2_000, hostile.as_str())] {
            let all: Vec<_> = (0..count).map(|n| seen(n, name, n)).collect();
            let message = digest(Occasion::Storm, &all, now);
            assert!(limits(&message).iter().all(Use::fits), "{:?}", limits(&message));
            let texts = texts(&message);
            let named: usize =
                texts.iter().map(|text| text.lines().filter(|line| line.contains("test: ")).count()).sum();
            let more =
                texts.last().and_then(|text| text.strip_prefix("and ")?.strip_suffix(" more")?.parse::<usize>().ok());
            assert_eq!(named + more.unwrap_or(0), count as usize);
            assert!(minimal(&message)["text"].as_str().expect("text").chars().count() <= TEXT);
        }
    }
}
