//! The decoder against a naive twin that parses the whole record into a `serde_json::Value` and looks everything up
//! there: the same outcome and the same fields, for records with any escapes, white space, nesting and repeated keys;
//! and for bytes changed at random, JSON is accepted just when `serde_json` accepts it.

use proptest::prelude::*;
use serde_json::Value as Json;

use super::*;
use crate::core::event::{FieldPath, FieldTable, Fields, Kind, Value};

/// The fields that are compared.
#[rustfmt::skip]
const FIELDS: [&str; 14] = [
    "name", "user_id", "anonymous_id", "group_id", "email", "email_domain", "user_agent", "ip", "page.path", "page.url",
    "campaign.n", "properties.n", "traits.company", "context.page.n",
];
const TRAITS: [&str; 4] = ["name", "company", "n", "company.n"];
const LEAD_KEY: [&str; 3] = ["user_id", "email", "anonymous_id"];

/// A JSON text to be: what it says, without how it is spelt.
#[derive(Clone, Debug)]
enum Tree {
    Bare(&'static str),
    Text(String),
    List(Vec<Tree>),
    /// Keys may repeat.
    Object(Vec<(String, Tree)>),
}

fn key() -> impl Strategy<Value = String> {
    #[rustfmt::skip]
    let known = prop::sample::select(vec![
        "type", "userId", "anonymousId", "messageId", "timestamp", "originalTimestamp", "sentAt", "time", "id", "lead",
        "user_id", "anonymous_id", "group_id", "groupId", "email", "traits", "context", "page", "path", "url", "properties",
        "name", "event", "company", "userAgent", "user_agent", "ip", "campaign", "n", "data", "specversion", "source",
        "distinct_id", "", "nn", "typo",
    ]);
    prop_oneof![9 => known.prop_map(str::to_owned), 1 => ".{0,10}"]
}

fn text() -> impl Strategy<Value = String> {
    #[rustfmt::skip]
    let known = prop::sample::select(vec![
        "page", "screen", "track", "identify", "group", "alias", "x.page", "u1", " U2 ", "", " \t", "\u{2003}", "A@X.test", " b@y@Z.test\n", "@",
        "c@", "2026-11-22T10:02:14.120Z", "2026-11-22 10:02:14", "1999-01-01T00:00:00Z", "soon", "https://x.test/a?b#c", "/a/b?c", "https://x.test", "//y.test/z", "1.0",
    ]);
    prop_oneof![6 => known.prop_map(str::to_owned), 1 => ".{0,20}"]
}

fn tree() -> impl Strategy<Value = Tree> {
    let bare = prop::sample::select(vec!["null", "true", "false", "0", "-7", "12.5", "1795341734", "1795341734120"]);
    let leaf = prop_oneof![1 => bare.prop_map(Tree::Bare), 2 => text().prop_map(Tree::Text)];
    leaf.prop_recursive(4, 40, 8, |inner| {
        prop_oneof![
            1 => prop::collection::vec(inner.clone(), 0..5).prop_map(Tree::List),
            4 => prop::collection::vec((key(), inner), 0..8).prop_map(Tree::Object),
        ]
    })
}

/// An object with what an event usually has, and more.
fn event() -> impl Strategy<Value = Tree> {
    let member = |keys: Vec<&'static str>, value: BoxedStrategy<Tree>| {
        (prop::sample::select(keys), value).prop_map(|(key, value)| (key.to_owned(), value)).boxed()
    };
    let texts = |texts: Vec<&'static str>| prop::sample::select(texts).prop_map(|text| Tree::Text(text.into())).boxed();
    let objects = || prop::collection::vec((key(), tree()), 0..8).prop_map(Tree::Object).boxed();
    let usual = prop_oneof![
        member(vec!["type"], texts(vec!["page", "track", "identify", "group", "nope"])),
        member(vec!["timestamp", "time", "sentAt"], texts(vec!["2026-11-22T10:02:14.120Z", "soon"])),
        member(vec!["userId", "anonymousId", "messageId", "id"], texts(vec!["u1", "a\u{1F600}"])),
        member(vec!["lead", "properties", "traits", "context", "page", "data"], objects()),
        member(vec!["specversion", "source"], texts(vec!["1.0"])),
        (key(), tree()).boxed(),
    ];
    prop::collection::vec(usual, 0..12).prop_map(Tree::Object)
}

/// Spells a tree: white space and escapes by the choices, over and over.
fn spell(tree: &Tree, choices: &mut impl Iterator<Item = u8>, out: &mut String) {
    space(choices, out);
    match tree {
        Tree::Bare(bare) => out.push_str(bare),
        Tree::Text(text) => quote(text, choices, out),
        Tree::List(items) => {
            out.push('[');
            for (n, item) in items.iter().enumerate() {
                out.push_str(if n == 0 { "" } else { "," });
                spell(item, choices, out);
            }
            space(choices, out);
            out.push(']');
        }
        Tree::Object(members) => {
            out.push('{');
            for (n, (key, value)) in members.iter().enumerate() {
                out.push_str(if n == 0 { "" } else { "," });
                space(choices, out);
                quote(key, choices, out);
                space(choices, out);
                out.push(':');
                spell(value, choices, out);
            }
            space(choices, out);
            out.push('}');
        }
    }
    space(choices, out);
}

fn space(choices: &mut impl Iterator<Item = u8>, out: &mut String) {
    let choice = choices.next().unwrap_or(0);
    out.push_str(["", "", "", "", "", " ", "\n\t", "\r  "][usize::from(choice % 8)]);
}

fn quote(text: &str, choices: &mut impl Iterator<Item = u8>, out: &mut String) {
    out.push('"');
    for char in text.chars() {
        let is_plain = !matches!(char, '"' | '\\') && char >= ' ';
        if is_plain && !choices.next().unwrap_or(0).is_multiple_of(8) {
            out.push(char);
            continue;
        }
        for unit in char.encode_utf16(&mut [0; 2]) {
            out.push_str(&format!("\\u{unit:04x}"));
        }
    }
    out.push('"');
}

/// A value as the codec's [`Value`] would show it.
fn show_json(json: &Json) -> String {
    match json {
        Json::Null => "-".into(),
        Json::Bool(truth) => truth.to_string(),
        Json::Number(number) => number.to_string(),
        Json::String(text) if text.trim().is_empty() => "-".into(),
        Json::String(text) => format!("'{text}'"),
        Json::Object(_) => "{}".into(),
        Json::Array(items) => {
            let item = |item: &Json| {
                if item.is_array() { "{}".into() } else { show_json(item) }
            };
            let items: Vec<_> = items.iter().map(item).filter(|item| item != "-").collect();
            format!("[{}]", items.join(" "))
        }
    }
}

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

fn look<'a>(json: &'a Json, path: &str) -> &'a Json {
    path.split('.').fold(json, |json, key| json.get(key).unwrap_or(&Json::Null))
}

fn is_there(json: &Json) -> bool {
    show_json(json) != "-"
}

/// Text or a number, as text.
fn says(json: &Json) -> Option<String> {
    match json {
        Json::String(text) if !text.trim().is_empty() => Some(text.clone()),
        Json::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn first(event: &Json, paths: &[&str]) -> Json {
    let mut all = paths.iter().map(|path| look(event, path));
    all.find(|json| is_there(json)).cloned().unwrap_or(Json::Null)
}

fn email(event: &Json, kind: Kind) -> Json {
    let of_person = kind != Kind::Group;
    let paths = ["lead.email", if of_person { "traits.email" } else { "lead.email" }, "context.traits.email"];
    match paths.iter().find_map(|path| says(look(event, path)).map(|text| (text, look(event, path)))) {
        Some((_, number @ Json::Number(_))) => number.clone(),
        Some((text, _)) => Json::String(text.trim().to_lowercase()),
        None => Json::Null,
    }
}

fn page(event: &Json, kind: Kind, key: &str) -> Json {
    let own = format!("page.{key}");
    let properties = format!("properties.{key}");
    let context = format!("context.page.{key}");
    match kind {
        Kind::Page | Kind::Screen => first(event, &[&own, &properties, &context]),
        _ => first(event, &[&own, &context]),
    }
}

fn path_of(url: &Json) -> Json {
    let Some(url) = says(url) else {
        return Json::Null;
    };
    let url = url.split(['?', '#']).next().unwrap_or_default();
    let after = match (url.split_once("://"), url.strip_prefix("//")) {
        (Some((_, after)), _) | (None, Some(after)) => after,
        _ if url.starts_with('/') => return Json::String(url.into()),
        _ => return Json::Null,
    };
    Json::String(after.split_once('/').map_or("/".into(), |(_, path)| format!("/{path}")))
}

fn twin_field(event: &Json, kind: Kind, field: &str) -> Json {
    match field {
        "name" if kind == Kind::Track => first(event, &["event", "name"]),
        "name" => first(event, &["name"]),
        "user_id" => first(event, &["lead.user_id", "userId"]),
        "anonymous_id" => first(event, &["lead.anonymous_id", "anonymousId"]),
        "group_id" => first(event, &["lead.group_id", "groupId", "context.groupId"]),
        "email" => email(event, kind),
        "email_domain" => {
            let email = says(&email(event, kind)).unwrap_or_default();
            email.rsplit_once('@').map_or(Json::Null, |(_, domain)| Json::String(domain.into()))
        }
        "user_agent" => first(event, &["user_agent", "context.userAgent"]),
        "ip" => first(event, &["ip", "context.ip"]),
        "page.path" => {
            let path = page(event, kind, "path");
            if is_there(&path) { path } else { path_of(&page(event, kind, "url")) }
        }
        "page.url" => page(event, kind, "url"),
        "campaign.n" => first(event, &["context.campaign.n"]),
        "traits.company" => first(event, &["traits.company", "context.traits.company"]),
        _ => first(event, &[field]),
    }
}

fn twin_trait(event: &Json, kind: Kind, name: &str) -> Json {
    let is_group = kind == Kind::Group;
    let company = |path: &str| match look(event, path) {
        object @ Json::Object(_) => look(object, "name").clone(),
        other => other.clone(),
    };
    let candidates = match name {
        "name" if is_group => vec![look(event, "context.traits.name").clone()],
        "company" => {
            let of_group = if is_group { look(event, "traits.name").clone() } else { Json::Null };
            vec![of_group, company("traits.company"), company("context.traits.company")]
        }
        _ => vec![first(event, &[&format!("traits.{name}"), &format!("context.traits.{name}")])],
    };
    candidates.into_iter().find(is_there).unwrap_or(Json::Null)
}

fn kind_of(json: &Json) -> Option<Kind> {
    says(look(json, "type")).and_then(|text| Kind::from_name(&text))
}

/// `None` is no time, an error one that cannot be read.
fn time_of(event: &Json, fields: &[&str]) -> Option<Result<i64, ()>> {
    let value = first(event, fields);
    let time = match &value {
        Json::Null => return None,
        Json::String(text) => time::from_text(text),
        Json::Number(number) => time::from_number(&number.to_string()),
        _ => None,
    };
    Some(time.filter(|time| time.is_plausible()).map(Timestamp::as_millis).ok_or(()))
}

/// The outcome in one line, and the fields of an event.
fn twin(json: &Json) -> (String, Vec<String>) {
    let refused = |reason: Reason| (reason.name().to_owned(), Vec::new());
    let there = |json: &Json, key| is_there(look(json, key));
    let has_data = look(json, "data").is_object();
    let is_outer = there(json, "specversion") && (has_data || there(json, "source"));
    if is_outer && !has_data {
        return refused(Reason::UnknownFormat);
    }
    let event = if is_outer { look(json, "data") } else { json };
    let outer_kind = || {
        let outer = says(look(json, "type")).filter(|_| is_outer)?;
        Kind::from_name(outer.rsplit('.').next().unwrap_or_default())
    };
    let kind = kind_of(event).or_else(outer_kind);
    let segment = ["messageId", "userId", "anonymousId", "originalTimestamp"];
    let is_segment = segment.iter().any(|key| there(event, key));
    let is_bare = kind.is_some() && !there(event, "distinct_id");
    let is_own = look(event, "lead").is_object()
        || (!is_segment && is_bare && !there(event, "timestamp") && !there(event, "sentAt"));
    if !(is_own || is_segment || is_bare) {
        return refused(Reason::UnknownFormat);
    }
    let of_envelope = says(look(json, "type")).filter(|_| is_outer && kind.is_none() && !there(event, "type"));
    let Some(kind) = kind.or(of_envelope.is_some().then_some(Kind::Track)) else {
        return refused(Reason::NoType);
    };
    let times: &[&str] = if is_own { &["time"] } else { &["timestamp", "originalTimestamp", "sentAt", "receivedAt"] };
    let outer_time = || is_outer.then(|| time_of(json, &["time"])).flatten();
    let Some(Ok(time)) = time_of(event, times).or_else(outer_time) else {
        return refused(Reason::BadTime);
    };
    let lead = LEAD_KEY.iter().find_map(|field| says(&twin_field(event, kind, field)));
    let Some(lead) = lead else {
        return refused(Reason::NoLead);
    };
    let outer_id = || is_outer.then(|| says(look(json, "id"))).flatten();
    let own_id = says(look(event, if is_own { "id" } else { "messageId" }));
    let scope = if own_id.is_none() && is_outer { says(look(json, "source")) } else { None };
    let (id, scope) = (own_id.or_else(outer_id), scope.unwrap_or_default());
    let fields = FIELDS.iter().map(|field| twin_field(event, kind, field));
    let traits = TRAITS.iter().map(|name| twin_trait(event, kind, name));
    let mut values: Vec<_> = fields.chain(traits).map(|json| show_json(&json)).collect();
    if of_envelope.is_some() && values[0] == "-" {
        values[0] = show_json(look(json, "type"));
    }
    (format!("{kind} {lead} {time} {id:?} {scope}"), values)
}

fn decoder() -> (Decoder, Vec<crate::core::event::FieldId>) {
    let mut table = FieldTable::new();
    let parse = |field: &&str| FieldPath::parse(field).expect("a field");
    let of_trait = |name: &&str| FieldPath::of_trait(name).expect("a trait");
    let paths = FIELDS.iter().map(parse).chain(TRAITS.iter().map(of_trait));
    let ids = paths.map(|path| table.id(path)).collect();
    let lead_key: Vec<_> = LEAD_KEY.iter().map(parse).collect();
    (Decoder::new(&table, &lead_key), ids)
}

fn ours(bytes: &[u8]) -> (String, Vec<String>) {
    let (mut decoder, ids) = decoder();
    let record = Record { value: Some(bytes), ..Record::default() };
    match decoder.decode(record) {
        Ok(event) => {
            let fields: Fields<'_> = event.fields;
            let head =
                format!("{} {} {} {:?} {}", event.kind, event.lead, event.time.as_millis(), event.id, event.id_scope);
            (head, ids.iter().map(|id| show(fields.get(*id))).collect())
        }
        Err(letter) => (letter.reason.name().to_owned(), Vec::new()),
    }
}

/// Whether a record's bytes were taken for JSON.
fn is_json(bytes: &[u8]) -> bool {
    let (outcome, _) = ours(bytes);
    !["empty", "not_utf8", "not_json", "too_deep"].contains(&outcome.as_str())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn fields_and_outcome_are_those_of_the_twin(event in event(), choices in prop::collection::vec(any::<u8>(), 1..50)) {
        let mut text = String::new();
        spell(&event, &mut choices.iter().copied().cycle(), &mut text);
        let json: Json = serde_json::from_str(&text).expect("valid JSON");
        prop_assert_eq!(ours(text.as_bytes()), twin(&json), "{}", text);
    }

    /// Cut, changed, repeated: most results are no JSON any more, some still are.
    #[test]
    fn changed_bytes_are_json_just_when_serde_json_says_so(
        event in event(),
        choices in prop::collection::vec(any::<u8>(), 1..50),
        edits in prop::collection::vec((any::<prop::sample::Index>(), 0u8..4, prop::sample::select(br#"{}[]",:\/0179-+.eEtfnu "#.to_vec())), 1..4),
        any_byte in any::<u8>(),
    ) {
        let mut text = String::new();
        spell(&event, &mut choices.iter().copied().cycle(), &mut text);
        let mut bytes = text.into_bytes();
        for (place, what, byte) in edits {
            let at = place.index(bytes.len());
            match what {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, byte),
                2 => bytes[at] = any_byte,
                _ => drop(bytes.remove(at)),
            }
            if bytes.is_empty() {
                break;
            }
        }
        let theirs = serde_json::from_slice::<serde::de::IgnoredAny>(&bytes).is_ok() && std::str::from_utf8(&bytes).is_ok();
        prop_assert_eq!(is_json(&bytes), theirs, "{:?}", String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn any_bytes_are_an_event_or_a_dead_letter(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let theirs = serde_json::from_slice::<serde::de::IgnoredAny>(&bytes).is_ok() && std::str::from_utf8(&bytes).is_ok();
        prop_assert_eq!(is_json(&bytes), theirs);
    }
}
