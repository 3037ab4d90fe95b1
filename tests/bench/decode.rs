//! What decoding costs beside `serde_json` into a borrowed struct of the same fields, and that it allocates nothing.
//!
//! The figure to read is `ours` beside `serde_json`, both over the same 357-byte Segment events in the same run.

mod rival;

use divan::counter::ItemsCount;
use divan::{AllocProfiler, Bencher};
use hotlead::codec::{Decoder, Record};
use hotlead::core::event::{FieldPath, FieldTable};

#[global_allocator]
static ALLOCATIONS: AllocProfiler = AllocProfiler::system();

const EVENTS: usize = 1000;

fn main() {
    divan::main();
}

/// Page, track and identify events in about the shares of a busy site, of 357 bytes on average.
fn events() -> Vec<Vec<u8>> {
    const PAGES: [&str; 6] = ["/pricing", "/demo", "/case-studies", "/docs", "/", "/blog/how-teams-work"];
    const TRACKS: [&str; 4] = ["Case Study Downloaded", "Email Opened", "Video Played", "Webinar Attended"];
    const AGENTS: [&str; 3] = [
        "Mozilla/5.0 (X11; Linux x86_64; rv:128)",
        "Mozilla/5.0 (Macintosh; Intel Mac OS X)",
        "Mozilla/5.0 (Windows NT 10.0; Win64)",
    ];
    let event = |n: usize| {
        let lead = if n % 10 < 7 {
            format!(r#""userId":"u-{n:08}""#)
        } else {
            format!(r#""anonymousId":"{:08x}-12ab-4cde-9f01-{n:012x}""#, n * 2_654_435_761 % 0xffff_ffff)
        };
        let path = PAGES[n * 7 % PAGES.len()];
        let what = match n * 5 % 11 {
            0..7 => format!(
                r#""type":"page","name":"Site","properties":{{"path":"{path}","referrer":"https://www.example.com/","position":{}}}"#,
                n % 40
            ),
            7..10 => format!(
                r#""type":"track","event":"{}","properties":{{"label":"campaign-{:02}","value":{}}}"#,
                TRACKS[n % 4],
                n % 50,
                n
            ),
            _ => format!(r#""type":"identify","traits":{{"plan":"trial","employees":{n},"industry":"software"}}"#),
        };
        format!(
            r#"{{"messageId":"00000001-{:04x}-4abc-8def-{n:012x}",{lead},"timestamp":"2026-11-22T10:{:02}:{:02}.{:03}Z",{what},"context":{{"page":{{"path":"{path}","url":"https://www.example.com{path}"}},"userAgent":"{}"}}}}"#,
            n * 31 % 0xffff, n / 60 % 60, n % 60, n, AGENTS[n % 3],
        )
        .into_bytes()
    };
    (0..EVENTS).map(event).collect()
}

#[divan::bench]
fn serde_json(bencher: Bencher<'_, '_>) {
    let events = events();
    bencher.counter(ItemsCount::new(EVENTS)).bench_local(|| rival::seven_fields(&events));
}

/// The same fields and more: time read, e-mail, lead key, format told apart.
#[divan::bench]
fn ours(bencher: Bencher<'_, '_>) {
    measure(bencher, FieldTable::new());
}

/// With the fields of a rules file that reads more than pages and names.
#[divan::bench]
fn ours_with_many_fields(bencher: Bencher<'_, '_>) {
    let mut fields = FieldTable::new();
    for name in ["user_agent", "page.url", "properties.seats", "properties.value", "campaign.source"] {
        fields.id(FieldPath::parse(name).expect("a field"));
    }
    for name in ["email_domain", "name", "company", "job_title", "employees", "country"] {
        fields.id(FieldPath::of_trait(name).expect("a trait"));
    }
    measure(bencher, fields);
}

fn measure(bencher: Bencher<'_, '_>, fields: FieldTable) {
    let events = events();
    let lead_key = [FieldPath::UserId, FieldPath::Email, FieldPath::AnonymousId];
    let mut decoder = Decoder::new(&fields, &lead_key);
    let mut read = move || {
        let mut sum = 0;
        for bytes in &events {
            let value = Some(divan::black_box(bytes).as_slice());
            let record = Record { value, ..Record::default() };
            let event = decoder.decode(record).expect("an event");
            sum += event.lead.len() + event.label().len() + event.id.map_or(0, str::len);
            sum += event.time.as_millis() as usize % 2;
        }
        sum
    };
    read();
    bencher.counter(ItemsCount::new(EVENTS)).bench_local(read);
}
