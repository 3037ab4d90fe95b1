//! The live page in a real Chromium.

use hotlead::console::{Decided, Delivery, SinkCounts, View};
use hotlead::core::alert::{Alert, AlertKind};
use hotlead::core::ids::AlertId;
use hotlead::core::time::Timestamp;

use crate::chromium::Browser;
use crate::console::{Console, alert};

const HOSTILE: &str = "<img src=x onerror=\"document.title='owned'\"> <!channel> \u{202e}evil";

/// Three leads: the hottest is u2, then u1, then u3, whose name is hostile.
fn fill(view: &View) {
    let time = Timestamp::from_millis(1_795_341_734_120);
    let fired = Decided { rule: "pricing-surge", verdict: "fire", by: None, until: None };
    let held = Decided { rule: "sales-ready", verdict: "suppressed", by: Some("competitor"), until: None };
    view.seen("u1", time, "/pricing", "applied", &[fired, held]);
    for (number, name, score) in [(1, "Dana Ruiz", 65.0), (2, "Jin Park", 90.0), (3, HOSTILE, 40.0)] {
        view.alert(&alert(number, name, score), None);
    }
}

fn open(console: &Console, width: u32, height: u32) -> Browser {
    let browser = Browser::start(width, height);
    browser.open(&console.url());
    browser.wait_for_text("#link-text", "Live");
    browser
}

/// Key of the row or card that has the focus.
fn focused(browser: &Browser) -> String {
    let key = browser.run("return document.activeElement?.dataset?.key ?? document.activeElement?.id", &[]);
    key.as_str().unwrap_or_default().to_owned()
}

#[test]
fn the_page_waits_then_updates_by_itself_and_comes_back_after_a_restart() {
    let console = Console::start(0);
    let port = console.address.port();
    let browser = open(&console, 1440, 900);
    browser.wait_for_text("#feed-empty", "Waiting for events on engagement at localhost:9092");
    browser.screenshot("empty");

    browser.run("window.sameDocument = true", &[]);
    console.view.alert(&alert(1, "Dana Ruiz", 65.0), None);
    browser.wait_for_text(".message", "Dana Ruiz");
    browser.wait_for_text(".message .total", "65");
    browser.wait_for_text("#hot-list", "3 pricing views in 41 min");
    let said = browser.run("return document.querySelector('#announce').textContent", &[]);
    assert_eq!(said, "hot: Dana Ruiz, Acme Robotics: 3 pricing views in 41 min", "a screen reader hears it");

    drop(console);
    browser.wait_for_text("#link-text", "Reconnecting");
    assert!(browser.text(".message").is_some(), "what was there stays readable");
    let console = Console::start(port);
    console.view.alert(&alert(2, "Jin Park", 80.0), None);
    browser.wait_for_text("#link-text", "Live");
    browser.wait_for_text(".message", "Jin Park");
    assert_eq!(browser.run("return window.sameDocument", &[]), true, "without a reload");
    assert_eq!(
        browser.run("return document.querySelectorAll('.message').length", &[]),
        1,
        "what the new process knows"
    );
}

/// Goal: what becomes of an episode is seen on its card, and disturbs nobody: no other card, no line for screen readers, and
/// whoever is on the card stays there.
#[test]
fn a_card_changes_in_its_place_when_its_episode_goes_on_and_ends() {
    let console = Console::start(0);
    fill(&console.view);
    let browser = open(&console, 1440, 900);
    browser.wait_for_text(".message:nth-child(3)", "Dana Ruiz");
    browser.run("document.querySelector('.message:nth-child(3) .open').focus()", &[]);
    let announced = "return document.querySelectorAll('#announce p').length";
    let before = browser.run(announced, &[]);
    let opened = alert(1, "Dana Ruiz", 65.0);
    for (number, kind, tier, reason) in [
        (11, AlertKind::Updated, "HOT", "4 pricing views in 50 min"),
        (12, AlertKind::Closed, "CLOSED", "1 pricing view in 1 h, fewer than 3"),
    ] {
        let next = Alert { id: AlertId(number), kind, reason: reason.to_owned(), ..opened.clone() };
        console.view.alert(&next, None);
        browser.wait_for_text(".message:nth-child(3) .reason", reason);
        assert_eq!(browser.text(".message:nth-child(3) .tier").as_deref(), Some(tier));
        assert_eq!(browser.run("return document.querySelectorAll('.message').length", &[]), 3);
        assert_eq!(browser.run(announced, &[]), before, "nothing is read out");
        assert_eq!(focused(&browser), "u1");
    }
    browser.run("document.querySelector('.message:nth-child(3) .open').click()", &[]);
    browser.wait_for_text("#detail .latest h4", "over");
    browser.wait_for_text("#detail .timeline", "Over: pricing-surge");
    browser.screenshot("closed");
}

#[test]
fn everything_can_be_done_by_keyboard() {
    let console = Console::start(0);
    fill(&console.view);
    let browser = open(&console, 1440, 900);
    browser.wait_for_text("#hot-list li:nth-child(3)", "onerror");
    browser.press(&["/"]);
    assert_eq!(focused(&browser), "filter");
    browser.press(&["ArrowDown"]);
    assert_eq!(focused(&browser), "u2", "the hottest first");
    browser.press(&["ArrowDown", "Enter"]);
    browser.wait_for_text("#detail h3", "Dana Ruiz");
    browser.wait_for_text("#detail .verdicts", "held back by competitor");
    browser.wait_for_text("#detail .timeline", "/pricing");
    assert_eq!(focused(&browser), "lead");
    browser.screenshot("selected");
    browser.press(&["Escape"]);
    browser.wait_for_text("#detail-empty", "Choose a lead");
    assert_eq!(focused(&browser), "u1", "back where it began");

    browser.press(&["/", "j", "i", "n"]);
    let shown = "return document.querySelectorAll('.message:not([hidden])').length";
    assert_eq!(browser.run(shown, &[]), 1);
    browser.press(&["Escape"]);
    assert_eq!(browser.run(shown, &[]), 3);
    assert_ne!(browser.title(), "owned", "names are text");
    assert_eq!(browser.run("return document.querySelectorAll('main img:not(.avatar)').length", &[]), 0);
}

fn tried(number: u32, sink: &str, attempts: u32, state: &'static str, detail: &str) -> Delivery {
    Delivery {
        alert: format!("{number:032x}"),
        sink: sink.into(),
        rule: "pricing-surge".into(),
        lead: if number == 3 { HOSTILE.into() } else { "Dana Ruiz".into() },
        since: Timestamp::from_millis(1_795_341_732_320),
        time: Timestamp::from_millis(1_795_341_734_120),
        attempts,
        state,
        status: None,
        detail: detail.into(),
        next: (state == "waiting").then_some(Timestamp::from_millis(1_795_341_839_120)),
    }
}

#[test]
fn deliveries_say_what_went_where_how_often_it_was_tried_and_why_not() {
    let console = Console::start(0);
    fill(&console.view);
    let browser = open(&console, 1440, 900);
    browser.wait_for_text("#feed", "Dana Ruiz");
    let is_there = "return document.querySelector('#deliveries').checkVisibility()";
    assert_eq!(browser.run(is_there, &[]), false, "nothing was sent yet");
    console.view.delivery(tried(1, "sdr-channel", 1, "delivered", ""));
    console.view.delivery(tried(3, "crm", 12, "given_up", "status 503"));
    console.view.delivery(tried(1, "crm", 3, "waiting", "no answer in 15 s"));
    browser.wait_for_text("#delivery-rows tr:first-child", "no answer in 15 s");
    let row = |n: usize| browser.text(&format!("#delivery-rows tr:nth-child({n})")).expect("a row");
    for (n, words) in [
        (1, &["crm", "Dana Ruiz", "pricing-surge", "tried again at", "ago", "3"][..]),
        (2, &["crm", "onerror", "given up", "12", "status 503"]),
        (3, &["sdr-channel", "Dana Ruiz", "delivered", "after 1.8 s", "1"]),
    ] {
        assert!(words.iter().all(|word| row(n).contains(word)), "{n}: {}", row(n));
    }
    browser.wait_for_text("#deliveries-hint", "2 of the newest 3 have not arrived");
    let trouble = Some("blocked: its credential is refused".to_owned());
    console
        .view
        .deliveries("sdr-channel", SinkCounts { sent: 1, waiting: 12, trouble, shut: true, ..SinkCounts::default() });
    console.view.deliveries("crm", SinkCounts { waiting: 1, parked: 3, breaker_open: true, ..SinkCounts::default() });
    console.view.deliveries("quiet", SinkCounts { sent: 5, ..SinkCounts::default() });
    browser.wait_for_text("#sink-states", "sdr-channel blocked: its credential is refused · 12 waiting");
    let states = browser.text("#sink-states").expect("a list");
    assert!(
        states.contains("crm paused: it fails too often, one message asks again · 1 waiting · 3 parked"),
        "{states}"
    );
    assert!(!states.contains("quiet"), "nothing is to be said of it: {states}");
    assert_ne!(browser.title(), "owned", "names are text");
    assert_eq!(browser.run("return document.querySelector('#alerts').checkVisibility()", &[]), true, "beside the rest");
    browser.screenshot("deliveries");
    browser.run("document.querySelector('#fold').click()", &[]);
    assert_eq!(browser.run("return document.querySelector('#delivery-rows').checkVisibility()", &[]), false);
    browser.run("document.querySelector('#fold').click()", &[]);
    console.view.delivery(tried(1, "crm", 4, "delivered", ""));
    browser.wait_for_text("#deliveries-hint", "1 of the newest 3 have not arrived");

    browser.resize(390, 844);
    browser.run("document.querySelector('#tab-deliveries').click()", &[]);
    assert_eq!(browser.run("return document.querySelector('#alerts').checkVisibility()", &[]), false);
    browser.wait_for_text("#delivery-rows tr:first-child", "crm");
    let fits = "return document.documentElement.scrollWidth <= innerWidth && document.querySelector('#deliveries-scroll').scrollWidth <= innerWidth";
    assert_eq!(browser.run(fits, &[]), true);
    browser.screenshot("deliveries-phone");
}

#[test]
fn a_phone_has_one_column_with_tabs_and_nothing_to_scroll_sideways() {
    let console = Console::start(0);
    fill(&console.view);
    let browser = open(&console, 390, 844);
    browser.wait_for_text("#feed", "Dana Ruiz");
    let fits = "return document.documentElement.scrollWidth <= innerWidth && [...document.querySelectorAll('.scroll')].every((e) => e.scrollWidth <= e.clientWidth)";
    assert_eq!(browser.run(fits, &[]), true);
    browser.run("document.querySelector('#tab-hottest').click()", &[]);
    assert_eq!(browser.run("return document.querySelector('#alerts').checkVisibility()", &[]), false);
    browser.wait_for_text("#hot-list", "Jin Park");
    assert_eq!(browser.run(fits, &[]), true);
    browser.run("document.querySelector('#hot-list li:nth-child(3) button').click()", &[]);
    browser.wait_for_text("#detail h3", "onerror");
    assert_eq!(browser.run(fits, &[]), true);
    browser.screenshot("phone");
    browser.run("document.querySelector('#close').click()", &[]);
    assert_eq!(browser.run("return document.body.dataset.tab", &[]), "hottest", "back to the list");
}

/// Goal: each kind of card is drawn from the message that Slack gets; whatever a lead is called stands there as text, in its
/// place, and fits a phone.
#[test]
fn every_card_looks_as_in_slack_whatever_the_lead_is_called() {
    let console = Console::start(0);
    let browser = Browser::start(1400, 1000);
    browser.open(&format!("{}cards", console.url()));
    browser.wait_for_element("body[data-shown]");
    let count = |css: &str| browser.run("return document.querySelectorAll(arguments[0]).length", &[css.into()]);
    for kind in ["fresh", "updated", "reply", "closed"] {
        for lead in ["plain", "hostile", "long", "right-to-left", "emoji"] {
            let css = format!("#{kind} .message[data-lead='{lead}'] article > p:not(.sender)");
            assert_ne!(count(&css), 0, "{css}");
        }
    }
    for (kind, words) in [
        ("fresh", "HOT | Dana Ruiz, VP Eng - Acme"),
        ("updated", "rule pricing-surge, demo-requested"),
        ("reply", "demo-requested: asked for a demo"),
        ("closed", "CLOSED | Dana Ruiz"),
        ("late", "LATE | 5 alerts, 45 min old"),
        ("storm", "DIGEST | 5 more alerts at once"),
        ("test", "TEST | TEST lead"),
        ("redacted", "Erased on request"),
    ] {
        browser.wait_for_text(&format!("#{kind}"), words);
    }
    // Names are text: no element of theirs, no script of theirs, no link of theirs, nothing that would do something in Slack.
    assert_ne!(browser.title(), "owned");
    browser.wait_for_text("#fresh .message[data-lead='hostile'] h3", "<img src=x onerror=");
    assert_eq!(count("article img, article script, mark"), 0);
    let strange = "return [...document.querySelectorAll('article a')].filter((a) => !a.href.startsWith('https://crm.example.com/')).length";
    assert_eq!(browser.run(strange, &[]), 0);
    // A name from right to left stays between what stands before and after it.
    let order = "const text = document.querySelector(arguments[0]).firstChild; const at = (part) => { const start = text.data.indexOf(part); \
                 if (start < 0) throw part; const range = document.createRange(); range.setStart(text, start); range.setEnd(text, start + part.length); \
                 return range.getBoundingClientRect().left; }; return arguments[1].map(at)";
    let h3 = "#fresh .message[data-lead='right-to-left'] h3".into();
    let parts = serde_json::json!(["HOT", "דנה", "סמנכ", "شركة"]);
    let lefts = browser.run(order, &[h3, parts]);
    let lefts: Vec<f64> =
        lefts.as_array().expect("a list").iter().map(|left| left.as_f64().expect("a number")).collect();
    assert!(lefts[0] < lefts[1] && lefts[1] < lefts[2] && lefts[2] < lefts[3], "{lefts:?}");

    let turned = "return [...document.querySelectorAll('article *')].filter((e) => getComputedStyle(e).direction !== 'ltr').length";
    assert_eq!(browser.run(turned, &[]), 0, "no line is turned around");
    let fits = "return document.documentElement.scrollWidth <= innerWidth && [...document.querySelectorAll('article *')].every((e) => e.getBoundingClientRect().right <= innerWidth)";
    for (width, name) in [(1400, "cards"), (400, "cards-phone")] {
        browser.resize(width, 1000);
        assert_eq!(browser.run(fits, &[]), true, "{width} pixels wide");
        browser.run("scrollTo(0, 0)", &[]);
        browser.screenshot(name);
        for kind in ["fresh", "updated", "reply", "closed", "late", "storm", "test", "redacted"] {
            browser.run("document.getElementById(arguments[0]).scrollIntoView()", &[kind.into()]);
            browser.screenshot(&format!("{name}-{kind}"));
        }
    }
}
