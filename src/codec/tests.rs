//! What the codec makes of records: a table for each format, for each fault, and for each sentence about fields.

use super::*;
use crate::core::event::{FieldId, FieldPath, FieldTable, Kind, Value};

const KEY: [FieldPath; 3] = [FieldPath::UserId, FieldPath::Email, FieldPath::AnonymousId];
const T: &str = r#""timestamp":"2026-11-22T10:02:14.120Z""#;
const MS: i64 = 1_795_341_734_120;

/// A field as text, in a form that tells shapes apart.
fn show(value: Value<'_>) -> String {
    match value {
        Value::Absent => "-".into(),
        Value::Bool(truth) => truth.to_string(),
        Value::Number(number) => number.into(),
        Value::Text(text) => format!("'{text}'"),
        Value::List(list) => {
            let items: Vec<_> = list.items().map(show).collect();
            format!("[{}]", items.join(" "))
        }
        Value::Object => "{}".into(),
    }
}

fn record<'a>(value: &'a str, headers: &'a [(&'a str, &'a [u8])]) -> Record<'a> {
    Record { value: Some(value.as_bytes()), headers, time: None }
}

/// One field of one event.
fn field(json: &str, path: FieldPath) -> String {
    let mut table = FieldTable::new();
    let id = table.id(path);
    let mut decoder = Decoder::new(&table, &[FieldPath::UserId]);
    let event = decoder.decode(record(json, &[]));
    match event {
        Ok(event) => show(event.fields.get(id)),
        Err(letter) => letter.reason.name().into(),
    }
}

/// A Segment event of that kind with more members.
fn segment(kind: &str, more: &str) -> String {
    format!(r#"{{"type":"{kind}","userId":"u1",{T}{more}}}"#)
}

#[test]
fn fields_lie_where_each_format_has_them() {
    #[rustfmt::skip]
    let rows = [
        // field          kind    members                                                            value
        ("name",          "track", r#","event":"Demo Requested","name":"x""#,                         "'Demo Requested'"),
        ("name",          "page",  r#","event":"x","name":"Pricing""#,                                "'Pricing'"),
        ("name",          "screen",r#","name":"Home""#,                                               "'Home'"),
        ("user_id",       "page",  "",                                                                "'u1'"),
        ("anonymous_id",  "page",  r#","anonymousId":7"#,                                             "7"),
        ("group_id",      "group", r#","groupId":"acme""#,                                            "'acme'"),
        ("group_id",      "page",  r#","context":{"groupId":"acme"}"#,                                "'acme'"),
        ("group_id",      "page",  r#","lead":{"group_id":"acme","user_id":"u1"},"time":1795341734"#, "'acme'"),
        ("user_agent",    "page",  r#","context":{"userAgent":"Moz"}"#,                               "'Moz'"),
        ("user_agent",    "page",  r#","user_agent":"Own","context":{"userAgent":"Moz"}"#,            "'Own'"),
        ("ip",            "page",  r#","context":{"ip":"192.0.2.7"}"#,                                "'192.0.2.7'"),
        ("ip",            "page",  r#","ip":"192.0.2.8","context":{"ip":"192.0.2.7"}"#,               "'192.0.2.8'"),
        ("campaign.source","page", r#","context":{"campaign":{"source":"ad"}}"#,                      "'ad'"),
        ("context.a.b",   "page",  r#","context":{"a":{"b":true}}"#,                                  "true"),
        ("properties.n",  "track", r#","properties":{"n":-1.50e2}"#,                                  "-1.50e2"),
        ("properties.n",  "track", r#","properties":{"n":false}"#,                                    "false"),
        ("properties.n",  "track", r#","properties":{"n":{"m":1}}"#,                                  "{}"),
        ("properties.n.m","track", r#","properties":{"n":{"m":1}}"#,                                  "1"),
        ("properties.n.m","track", r#","properties":{"n":[{"m":1}]}"#,                                "-"),
        ("properties.n.m","track", r#","properties":{"n.m":1}"#,                                      "-"),
        ("properties.n",  "track", r#","properties":{"n":[]}"#,                                       "[]"),
        ("properties.n",  "track", r#","properties":{"n":[1,"a","",null,true,[2],{"b":3},"c\n"]}"#,   "[1 'a' true {} {} 'c\n']"),
        ("properties.n",  "track", r#","properties":"n""#,                                            "-"),
        // page.*: key by key from properties, then context; of a track event from the context (rules.md 11)
        ("page.path",     "page",  r#","properties":{"path":"/a"},"context":{"page":{"path":"/b"}}"#, "'/a'"),
        ("page.title",    "page",  r#","properties":{"path":"/a"},"context":{"page":{"title":"B"}}"#, "'B'"),
        ("page.path",     "page",  r#","properties":{"path":" "},"context":{"page":{"path":"/b"}}"#,  "'/b'"),
        ("page.path",     "page",  r#","properties":{"path":null},"context":{"page":{"path":"/b"}}"#, "'/b'"),
        ("page.path",     "screen",r#","properties":{"path":"/a"},"context":{"page":{"path":"/b"}}"#, "'/a'"),
        ("page.path",     "track", r#","properties":{"path":"/a"},"context":{"page":{"path":"/b"}}"#, "'/b'"),
        ("page.path",     "page",  r#","page":{"path":"/o"},"properties":{"path":"/a"}"#,             "'/o'"),
        ("page.path",     "page",  r#","properties":{"url":"https://x.test/a/b?c#d"}"#,               "'/a/b'"),
        ("page.path",     "page",  r#","context":{"page":{"url":"https://x.test/a#d?e"}}"#,           "'/a'"),
        ("page.path",     "page",  r#","properties":{"url":"https://x.test"}"#,                       "'/'"),
        ("page.path",     "page",  r#","properties":{"url":"https://x.test?q=//a/b"}"#,               "'/'"),
        ("page.path",     "page",  r#","properties":{"url":"//x.test/a"}"#,                           "'/a'"),
        ("page.path",     "page",  r#","properties":{"url":"/a?b"}"#,                                 "'/a'"),
        ("page.path",     "page",  r#","properties":{"url":"https:\/\/x.test\/a\u00e9?b"}"#,          "'/a\u{e9}'"),
        ("page.path",     "page",  r#","properties":{"url":"mailto:a@x.test"}"#,                      "-"),
        ("page.path",     "page",  r#","properties":{"url":"https://x.test/u"},"context":{"page":{"path":"/b"}}"#, "'/b'"),
        ("page.url",      "page",  r#","properties":{"path":"/a"}"#,                                  "-"),
        // traits: of the event, else of its context
        ("traits.plan",   "identify", r#","traits":{"plan":"a"},"context":{"traits":{"plan":"b"}}"#,  "'a'"),
        ("traits.plan",   "track", r#","context":{"traits":{"plan":"b"}}"#,                           "'b'"),
        // email: lead.email, else traits, else context.traits, never properties; trimmed, lower case (rules.md 4)
        ("email",         "identify", r#","traits":{"email":"  Dana@ACME.example "}"#,                "'dana@acme.example'"),
        ("email",         "identify", r#","traits":{"email":" dana@acme.example\n"}"#,                "'dana@acme.example'"),
        ("email",         "identify", r#","traits":{"email":"D\u00c9@x.test"}"#,                      "'d\u{e9}@x.test'"),
        ("email",         "identify", r#","traits":{"email":null},"context":{"traits":{"email":"b@x.test"}}"#, "'b@x.test'"),
        ("email",         "identify", r#","traits":{"email":["a@x.test"]},"context":{"traits":{"email":"b@x.test"}}"#, "'b@x.test'"),
        ("email",         "page",  r#","lead":{"user_id":"u1","email":"A@x.test"},"time":1795341734,"traits":{"email":"b@x.test"}"#, "'a@x.test'"),
        ("email",         "track", r#","properties":{"email":"a@x.test"}"#,                           "-"),
        ("email",         "identify", r#","traits":{"email":"   "}"#,                                 "-"),
        ("email_domain",  "identify", r#","traits":{"email":" A@b@ACME.example "}"#,                  "'acme.example'"),
        ("email_domain",  "identify", r#","traits":{"email":"dana"}"#,                                "-"),
        ("email_domain",  "identify", r#","traits":{"email":"dana@"}"#,                               "-"),
        ("email",         "group", r#","traits":{"email":"info@acme.example"}"#,                      "-"),
        // null and blank are absent (rules.md 3)
        ("properties.n",  "track", r#","properties":{"n":null}"#,                                     "-"),
        ("properties.n",  "track", r#","properties":{"n":""}"#,                                       "-"),
        ("properties.n",  "track", r#","properties":{"n":" \t\u00a0"}"#,                              "-"),
        ("properties.n",  "track", "\t,\"properties\":{\"n\":\"\u{2003}\"}",                          "-"),
        ("properties.n",  "track", "\t,\"properties\":{\"n\":\"\u{2003}x\"}",                         "'\u{2003}x'"),
        // keys: escaped, repeated, unknown ones beside
        ("properties.n",  "track", r#","pr\u006fperties":{"\u006e":1}"#,                              "1"),
        ("properties.n",  "track", r#","properties":{"n":1,"n":2}"#,                                  "2"),
        ("properties.n",  "track", r#","properties":{"n":1,"n":null}"#,                               "-"),
        ("properties.n",  "track", r#","properties":{"n":1},"properties":{"m":2}"#,                   "-"),
        ("properties.n",  "track", r#","properties":{"n":1},"properties":null"#,                      "-"),
        ("properties.n.m","track", r#","properties":{"n":{"m":1},"n":{"o":1}}"#,                      "-"),
        ("properties.n",  "track", r#","properties":{"nn":{"n":[{"n":5}]},"n":"\ud83d\ude00\ud83d"}"#,"'\u{1F600}\u{FFFD}'"),
    ];
    for (path, kind, more, value) in rows {
        let json = segment(kind, more);
        let path = FieldPath::parse(path).expect("a field");
        assert_eq!(field(&json, path), value, "{json}");
    }
}

#[test]
fn remembered_traits_of_a_group_are_the_companys() {
    #[rustfmt::skip]
    let rows = [
        // trait        kind       members                                                                           value
        ("plan",        "identify", r#","traits":{"plan":"a"}"#,                                                      "'a'"),
        ("plan",        "track",    r#","context":{"traits":{"plan":"a"}}"#,                                          "'a'"),
        ("name",        "identify", r#","traits":{"name":"Dana"}"#,                                                   "'Dana'"),
        ("name",        "group",    r#","traits":{"name":"Acme"}"#,                                                   "-"),
        ("name",        "group",    r#","traits":{"name":"Acme"},"context":{"traits":{"name":"Dana"}}"#,              "'Dana'"),
        ("company",     "group",    r#","traits":{"name":"Acme"}"#,                                                   "'Acme'"),
        ("company",     "group",    r#","traits":{"company":"Acme"}"#,                                                "'Acme'"),
        ("company",     "identify", r#","traits":{"name":"Dana"}"#,                                                   "-"),
        ("company",     "identify", r#","traits":{"company":"Acme"}"#,                                                "'Acme'"),
        ("company",     "identify", r#","traits":{"company":{"id":1,"name":"Acme"}}"#,                                "'Acme'"),
        ("company",     "identify", r#","traits":{"company":{"id":1}},"context":{"traits":{"company":{"name":"B"}}}"#,"'B'"),
        ("employees",   "group",    r#","traits":{"employees":450}"#,                                                 "450"),
        ("company.id",  "identify", r#","traits":{"company":{"id":1,"name":"Acme"}}"#,                                "1"),
        ("email",       "group",    r#","traits":{"email":"info@acme.example"}"#,                                     "-"),
        ("email_domain","group",    r#","traits":{"email":"info@acme.example"}"#,                                     "-"),
    ];
    for (name, kind, more, value) in rows {
        let json = segment(kind, more);
        let path = FieldPath::of_trait(name).expect("a trait");
        assert_eq!(field(&json, path), value, "{json}");
    }
}

/// What became of a record, in one line.
fn outcome(record: Record<'_>) -> String {
    let mut decoder = Decoder::new(&FieldTable::new(), &KEY);
    match decoder.decode(record) {
        Ok(event) => format!(
            "{} {} {} id={} scope={}",
            event.kind,
            event.lead,
            event.time.as_millis(),
            event.id.unwrap_or("-"),
            event.id_scope
        ),
        Err(letter) => format!(
            "{} {} {} id={}",
            letter.reason.name(),
            letter.lead.as_deref().unwrap_or("-"),
            letter.time.map_or("-".into(), |time| time.as_millis().to_string()),
            letter.id.as_deref().unwrap_or("-")
        ),
    }
}

#[test]
fn formats_are_told_apart_and_read() {
    #[rustfmt::skip]
    let rows = [
        // Segment and RudderStack
        (r#"{"messageId":"m1","type":"page","userId":"u1","timestamp":"2026-11-22T10:02:14.120Z"}"#, "page u1 1795341734120 id=m1 scope="),
        (r#"{"type":"page","userId":"u1","timestamp":"2026-11-22T10:02:14.120Z"}"#,                  "page u1 1795341734120 id=- scope="),
        (r#"{"type":"track","event":"E","anonymousId":"a1","originalTimestamp":"2026-11-22T10:02:14.120Z","channel":"web"}"#, "track a1 1795341734120 id=- scope="),
        (r#"{"type":"track","userId":"u1","timestamp":1795341734,"originalTimestamp":1,"sentAt":1}"#, "track u1 1795341734000 id=- scope="),
        (r#"{"type":"track","userId":"u1","timestamp":null,"originalTimestamp":1795341734,"sentAt":1}"#, "track u1 1795341734000 id=- scope="),
        (r#"{"type":"track","userId":"u1","sentAt":1795341734,"receivedAt":1}"#,                     "track u1 1795341734000 id=- scope="),
        (r#"{"type":"alias","userId":"u1","previousId":"a1","receivedAt":1795341734120}"#,           "alias u1 1795341734120 id=- scope="),
        (r#"{"type":"identify","traits":{"email":"A@x.test"},"timestamp":1795341734}"#,              "identify a@x.test 1795341734000 id=- scope="),
        (r#"{"type":"screen","userId":42,"messageId":7,"id":"no","timestamp":1795341734}"#,          "screen 42 1795341734000 id=7 scope="),
        (r#"{"type":"group","userId":" ","anonymousId":"a1","timestamp":1795341734}"#,               "group a1 1795341734000 id=- scope="),
        (r#"{"type":"group","userId":true,"anonymousId":"a1","timestamp":1795341734}"#,              "group a1 1795341734000 id=- scope="),
        (r#"{"type":"page","userId":" U1 ","timestamp":1795341734}"#,                                "page  U1  1795341734000 id=- scope="),
        // our own
        (r#"{"id":"e-1","time":"2026-11-22T10:02:14.120Z","type":"page","lead":{"user_id":"u1"}}"#,  "page u1 1795341734120 id=e-1 scope="),
        (r#"{"id":"e-1","messageId":"m","time":1795341734,"timestamp":1,"type":"page","lead":{"anonymous_id":"a1"}}"#, "page a1 1795341734000 id=e-1 scope="),
        (r#"{"id":"e-1","time":1795341734,"type":"page","lead":{}}"#,                                "no_lead - 1795341734000 id=e-1"),
        (r#"{"id":"e-1","time":1795341734,"type":"page"}"#,                                          "no_lead - 1795341734000 id=e-1"),
        // CloudEvents, structured
        (r#"{"specversion":"1.0","source":"/s","id":"c1","type":"com.example.thing","data":{"type":"page","userId":"u1","messageId":"m1","timestamp":1795341734}}"#, "page u1 1795341734000 id=m1 scope="),
        (r#"{"specversion":"1.0","source":"/s","id":"c1","type":"com.example.page","time":"2026-11-22T10:02:14.120Z","data":{"userId":"u1"}}"#, "page u1 1795341734120 id=c1 scope=/s"),
        (r#"{"data":{"lead":{"user_id":"u1"},"time":1795341734},"type":"track","id":"c1","source":"/s","specversion":"1.0","time":1}"#, "track u1 1795341734000 id=c1 scope=/s"),
        (r#"{"specversion":"1.0","source":"/s","id":"c1","type":"com.example.thing","time":1795341734,"data":{"userId":"u1"}}"#, "track u1 1795341734000 id=c1 scope=/s"),
        (r#"{"specversion":"1.0","source":"/s","id":"c1","type":"com.example.thing","time":1795341734,"data":{"userId":"u1","type":"nope"}}"#, "no_type u1 1795341734000 id=c1"),
        (r#"{"specversion":"1.0","source":"/s","id":"c1","type":" ","time":1795341734,"data":{"userId":"u1"}}"#, "no_type u1 1795341734000 id=c1"),
        (r#"{"specversion":"1.0","source":"/s","id":"c1","time":1795341734,"data":{"userId":"u1"}}"#, "no_type u1 1795341734000 id=c1"),
        (r#"{"specversion":"1.0","source":"/s","id":"c1","type":"page","time":"x","data":{"userId":"u1"}}"#, "bad_time u1 - id=c1"),
        (r#"{"specversion":"1.0","source":"/s","id":"c1","type":"page","data":{"x":1}}"#,            "bad_time - - id=c1"),
        (r#"{"specversion":"1.0","source":"/s","id":"c1","type":"page","data":"text"}"#,             "unknown_format - - id=-"),
        (r#"{"specversion":"1.0","source":"/s","id":"c1","type":"page","data_base64":"e30="}"#,      "unknown_format - - id=-"),
        (r#"{"specversion":"1.0","source":"/s","id":"c1","type":"x.y","data":{"a":1}}"#,             "unknown_format - - id=-"),
        // none of them
        (r#"{"event":"$pageview","distinct_id":"d","timestamp":"2026-11-22T10:02:14Z","properties":{}}"#, "unknown_format - - id=-"),
        (r#"{"type":"identify","distinct_id":"d","timestamp":"2026-11-22T10:02:14Z"}"#,              "unknown_format - - id=-"),
        (r#"[{"eventId":1,"subscriptionType":"contact.creation","occurredAt":1795341734120}]"#,      "unknown_format - - id=-"),
        (r#"{"event_id":"e","collector_tstamp":"2026-11-22T10:02:14Z","event":"page_view"}"#,        "unknown_format - - id=-"),
        (r#"{}"#, "unknown_format - - id=-"), ("[]", "unknown_format - - id=-"), ("1", "unknown_format - - id=-"), ("\"page\"", "unknown_format - - id=-"), ("null", "unknown_format - - id=-"),
    ];
    for (json, what) in rows {
        assert_eq!(outcome(record(json, &[])), what, "{json}");
    }
}

#[test]
fn a_cloud_event_in_headers_gives_what_its_data_lacks() {
    let headers: [(&str, &[u8]); 6] = [
        ("ce_specversion", b"1.0"),
        ("ce_id", b"c1"),
        ("ce_source", b"/s"),
        ("ce_type", b"com.example.track"),
        ("ce_time", b"2026-11-22T10:02:14.120Z"),
        ("content-type", b"application/json"),
    ];
    #[rustfmt::skip]
    let rows = [
        (r#"{"userId":"u1"}"#,                                                      "track u1 1795341734120 id=c1 scope=/s"),
        (r#"{"userId":"u1","type":"page","messageId":"m1","timestamp":1795341734}"#,"page u1 1795341734000 id=m1 scope="),
        (r#"{"lead":{"user_id":"u1"},"id":"e1","time":1795341734}"#,                "track u1 1795341734000 id=e1 scope="),
        (r#"{"name":"n"}"#,                                                         "no_lead - 1795341734120 id=c1"),
        ("[]",                                                                      "unknown_format - - id=-"),
    ];
    for (json, what) in rows {
        assert_eq!(outcome(record(json, &headers)), what, "{json}");
    }
    let structured: [(&str, &[u8]); 1] = [("Content-Type", b"application/CloudEvents+json; charset=utf-8")];
    let json = r#"{"id":"c1","type":"page","time":1795341734,"data":{"userId":"u1"}}"#;
    assert_eq!(outcome(record(json, &structured)), "page u1 1795341734000 id=c1 scope=");
}

#[test]
fn a_cloud_event_of_any_type_is_a_track_of_that_name() {
    let name = |json: &str, headers: &[(&str, &[u8])]| {
        let mut decoder = Decoder::new(&FieldTable::new(), &KEY);
        let event = decoder.decode(record(json, headers)).expect("an event");
        (event.kind.name(), event.fields.text_of(FieldTable::NAME).unwrap_or("-").to_owned())
    };
    let around = |kind: &str, data: &str| {
        format!(r#"{{"specversion":"1.0","source":"/s","id":"c1","type":"{kind}","time":1795341734,"data":{data}}}"#)
    };
    let headers = |kind: &'static str| -> [(&str, &[u8]); 3] {
        [("ce_specversion", b"1.0"), ("ce_type", kind.as_bytes()), ("ce_time", b"2026-11-22T10:02:14Z")]
    };
    #[rustfmt::skip]
    let rows = [
        // type of the CloudEvent         its data                                      kind     name
        ("com.example.quote.requested",   r#"{"userId":"u1"}"#,                         "track", "com.example.quote.requested"),
        ("quote",                         r#"{"lead":{"user_id":"u1"}}"#,               "track", "quote"),
        ("com.example.quote.requested",   r#"{"userId":"u1","event":"Quote Requested"}"#, "track", "Quote Requested"),
        ("com.example.quote.requested",   r#"{"userId":"u1","type":"page","name":"P"}"#, "page",  "P"),
        ("com.example.quote.requested",   r#"{"userId":"u1","type":"track"}"#,          "track", "-"),
        ("com.example.page",              r#"{"userId":"u1"}"#,                         "page",  "-"),
    ];
    for (of_envelope, data, kind, named) in rows {
        let expected = (kind, named.to_owned());
        assert_eq!(name(&around(of_envelope, data), &[]), expected, "structured {of_envelope} {data}");
        assert_eq!(name(data, &headers(of_envelope)), expected, "binary {of_envelope} {data}");
    }
}

#[test]
fn every_fault_has_its_reason_and_the_first_in_order_counts() {
    let long = "x".repeat(crate::core::limits::MAX_LEAD_KEY);
    let fits = format!(r#"{{"type":"page","userId":"{long}",{T}}}"#);
    let longer = format!(r#"{{"type":"page","userId":"{long}x","anonymousId":"a",{T}}}"#);
    let deep = format!("{{\"userId\":{}", "[".repeat(10_000));
    #[rustfmt::skip]
    let rows: [(&[u8], &str); 22] = [
        (b"",                                                             "empty - - id=-"),
        (b" ",                                                            "not_json - - id=-"),
        (b"\xff{}",                                                       "not_utf8 - - id=-"),
        (b"{\"userId\":\"\xc3\"}",                                        "not_utf8 - - id=-"),
        (b"{\"userId\":\"u\"",                                            "not_json - - id=-"),
        (b"{\"userId\":\"u\"} {}",                                        "not_json - - id=-"),
        (b"a\tb\tc",                                                      "not_json - - id=-"),
        (deep.as_bytes(),                                                 "too_deep - - id=-"),
        (br#"{"userId":"u1","type":"nope","messageId":"m"}"#,             "no_type u1 - id=m"),
        (br#"{"userId":"u1","type":"Page","timestamp":1795341734}"#,      "no_type u1 1795341734000 id=-"),
        (br#"{"userId":"u1","timestamp":1795341734}"#,                    "no_type u1 1795341734000 id=-"),
        (br#"{"lead":{"user_id":"u1"},"time":1795341734}"#,               "no_type u1 1795341734000 id=-"),
        (br#"{"userId":"u1","type":"page","messageId":"m"}"#,             "bad_time u1 - id=m"),
        (br#"{"userId":"u1","type":"page","timestamp":"soon","sentAt":1795341734}"#, "bad_time u1 - id=-"),
        (br#"{"userId":"u1","type":"page","timestamp":true}"#,            "bad_time u1 - id=-"),
        (br#"{"userId":"u1","type":"page","timestamp":"1999-12-31T23:59:59.999Z"}"#, "bad_time u1 - id=-"),
        (br#"{"userId":"u1","type":"page","timestamp":"2000-01-01T00:00:00Z"}"#,     "page u1 946684800000 id=- scope="),
        (br#"{"userId":"u1","type":"page","timestamp":253402300800000}"#, "bad_time u1 - id=-"),
        (br#"{"messageId":"m","type":"page","timestamp":"soon"}"#,        "bad_time - - id=m"),
        (br#"{"messageId":"m","type":"page","timestamp":1795341734}"#,    "no_lead - 1795341734000 id=m"),
        (longer.as_bytes(),                                               "no_lead - 1795341734120 id=-"),
        (br#"{"type":"page","timestamp":1795341734,"userId":null}"#,      "no_lead - 1795341734000 id=-"),
    ];
    for (value, what) in rows {
        let value = Some(value);
        let came = outcome(Record { value, ..Record::default() });
        assert_eq!(came, what, "{:?}", value.map(String::from_utf8_lossy));
    }
    assert_eq!(outcome(record(&fits, &[])), format!("page {long} {MS} id=- scope="));
    assert_eq!(outcome(Record::default()), "empty - - id=-", "a tombstone");
    let most = crate::core::limits::MAX_RECORD;
    let mut large = segment("page", "");
    large.push_str(&" ".repeat(most - large.len()));
    assert_eq!(outcome(record(&large, &[])), format!("page u1 {MS} id=- scope="));
    large.push(' ');
    assert_eq!(outcome(record(&large, &[])), "too_large - - id=-");
}

#[test]
fn an_event_without_a_time_has_its_records() {
    let json = r#"{"type":"page","userId":"u1"}"#;
    let at = |time| Record { time, ..record(json, &[]) };
    let time = Timestamp::from_millis(MS);
    assert_eq!(outcome(at(Some(time))), format!("page u1 {MS} id=- scope="));
    assert_eq!(outcome(at(Some(Timestamp::from_millis(-1)))), "bad_time u1 - id=-");
    assert_eq!(outcome(at(None)), "bad_time u1 - id=-");
    // A time that is there and wrong is not replaced.
    let json = r#"{"type":"page","userId":"u1","timestamp":""}"#;
    assert_eq!(
        outcome(Record { time: Some(time), ..record(json, &[]) }),
        format!("page u1 {MS} id=- scope="),
        "blank is absent"
    );
    let json = r#"{"type":"page","userId":"u1","timestamp":"x"}"#;
    assert_eq!(outcome(Record { time: Some(time), ..record(json, &[]) }), "bad_time u1 - id=-");
}

#[test]
fn a_detail_names_fields_and_quotes_nothing() {
    let json = r#"{"type":"page","userId":"secret-lead","timestamp":"secret-time"}"#;
    let mut decoder = Decoder::new(&FieldTable::new(), &KEY);
    let letter = decoder.decode(record(json, &[])).expect_err("a wrong time");
    assert_eq!(letter.detail, "timestamp is no time from 2000 to 9999");
}

#[test]
fn an_id_that_is_too_long_is_none() {
    let most = crate::core::limits::MAX_EVENT_ID;
    for (len, is_read) in [(most, true), (most + 1, false)] {
        let json = segment("page", &format!(r#","messageId":"{}""#, "x".repeat(len)));
        let mut decoder = Decoder::new(&FieldTable::new(), &KEY);
        let event = decoder.decode(record(&json, &[])).expect("an event");
        assert_eq!(event.id.is_some(), is_read, "{len} bytes");
    }
}

#[test]
fn a_list_is_looked_at_up_to_its_limit() {
    let most = crate::core::limits::MAX_LIST_ITEMS;
    let json = segment("track", &format!(r#","properties":{{"n":[{}1]}}"#, "1,".repeat(most + 5)));
    let mut table = FieldTable::new();
    let id = table.id(FieldPath::parse("properties.n").expect("a field"));
    let mut decoder = Decoder::new(&table, &KEY);
    let event = decoder.decode(record(&json, &[])).expect("an event");
    let Value::List(list) = event.fields.get(id) else { panic!("a list") };
    assert_eq!(list.items().count(), most);
}

#[test]
fn a_decoder_forgets_the_record_before() {
    let mut decoder = Decoder::new(&FieldTable::new(), &KEY);
    let full = segment("page", r#","name":"N\n","anonymousId":"a","traits":{"email":"A@x.test"},"messageId":"m""#);
    let bare = segment("page", "");
    for _ in 0..3 {
        let event = decoder.decode(record(&full, &[])).expect("an event");
        assert_eq!(event.fields.text_of(FieldTable::NAME), Some("N\n"));
        assert_eq!(event.fields.text_of(FieldTable::EMAIL), Some("a@x.test"));
        decoder.decode(record("{\"name\":\"N\"", &[])).expect_err("cut off");
        let event = decoder.decode(record(&bare, &[])).expect("an event");
        assert_eq!((event.kind, event.id, event.label()), (Kind::Page, None, "page"));
        for id in [FieldTable::NAME, FieldTable::EMAIL, FieldTable::ANONYMOUS_ID] {
            assert_eq!(event.fields.text_of(id), None);
        }
    }
    let event = decoder.decode(record(&full, &[])).expect("an event");
    assert_eq!(event.fields.text_of(FieldId(99)), None);
}
