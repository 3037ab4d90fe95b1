//! Sentences 4, 10 and 11: fields of both formats, and matchers.

use super::super::event::Event;
use super::super::matcher::satisfied;
use super::rules;
use serde_json::{Value, json};

#[test]
fn matchers_decide_by_their_own_type() {
    #[rustfmt::skip]
    let rows = [
        // matcher                                  field               holds
        (json!("a"),                                json!("A"),         true),
        (json!("É"),                                json!("é"),         true),
        (json!(["b", "a"]),                         json!("A"),         true),
        (json!("5"),                                json!(5.0),         true),
        (json!("5.0"),                              json!(5),           false),
        (json!(5),                                  json!("5.0"),       true),
        (json!(5),                                  json!("5x"),        false),
        (json!(true),                               json!("True"),      true),
        (json!(true),                               json!(1),           false),
        (json!({"prefix": ["/x", "/A"]}),           json!("/a/b"),      true),
        (json!({"suffix": "B"}),                    json!("/a/b"),      true),
        (json!({"contains": "/B/"}),                json!("/a/b"),      false),
        (json!({"matches": "b$"}),                  json!("ab"),        true),
        (json!({"matches": "B$"}),                  json!("ab"),        false),
        (json!({"matches": ["^x", "^a"]}),          json!("ab"),        true),
        (json!({"at_least": 5, "at_most": 5}),      json!("5"),         true),
        (json!({"above": 5}),                       json!(5),           false),
        (json!({"below": 5}),                       json!(4.9),         true),
        (json!({"at_least": 5}),                    json!("many"),      false),
        (json!({"not": "a"}),                       json!("b"),         true),
        (json!({"not": ["a", "b"]}),                json!("B"),         false),
        (json!({"in": ["a"]}),                      json!(["b", "a"]),  true),
        (json!({"not": "a"}),                       json!(["b", "a"]),  false),
        (json!("a"),                                json!({"a": 1}),    false),
        (json!({"exists": true}),                   json!({"a": 1}),    true),
        // null and blank are absent: all false but `exists: false` and `not`
        (json!({"exists": true}),                   json!(" "),         false),
        (json!({"exists": false}),                  json!(null),        true),
        (json!({"not": "a"}),                       json!(null),        true),
        (json!({"not": {"exists": false}}),         json!(null),        false),
        (json!({"matches": ""}),                    json!(""),          false),
        (json!({"at_most": 5}),                     json!(null),        false),
    ];
    for (matcher, field, holds) in rows {
        assert_eq!(satisfied(&matcher, Some(&field)), holds, "{matcher} {field}");
    }
    assert!(!satisfied(&json!({"at_most": 5}), None));
    assert!(satisfied(&json!({"not": {"at_most": 5}}), None));
}

fn read(event: Value) -> Event {
    let rules = rules(r#""rules": []"#);
    Event::read(&rules, &["user_id", "email", "anonymous_id"], &event.to_string(), "f:1")
}

#[test]
fn page_fields_are_merged_key_by_key() {
    let when = "2026-11-22T10:00:00Z";
    #[rustfmt::skip]
    let rows = [
        (json!({"messageId": "m", "type": "page", "timestamp": when, "properties": {"path": "/p"},
                "context": {"page": {"path": "/c", "title": "C"}}}), "/p", "C"),
        (json!({"messageId": "m", "type": "page", "timestamp": when, "properties": {"path": " "},
                "context": {"page": {"path": "/c", "title": "C"}}}), "/c", "C"),
        (json!({"messageId": "m", "type": "track", "timestamp": when, "properties": {"path": "/p"},
                "context": {"page": {"path": "/c", "title": "C"}}}), "/c", "C"),
        (json!({"messageId": "m", "type": "page", "timestamp": when, "properties":
                {"url": "https://s.test/u/v?x=/1", "title": "C"}}), "/u/v", "C"),
        (json!({"time": when, "type": "page", "lead": {}, "page": {"url": "https://s.test", "title": "C"}}), "/", "C"),
    ];
    for (event, path, title) in rows {
        let read = read(event.clone());
        assert_eq!(read.field("page.path"), Some(&json!(path)), "{event}");
        assert_eq!(read.field("page.title"), Some(&json!(title)), "{event}");
    }
}

#[test]
fn the_lead_is_the_first_key_that_is_present() {
    let when = "2026-11-22T10:00:00Z";
    #[rustfmt::skip]
    let rows = [
        (json!({"time": when, "type": "track", "lead": {"user_id": 7, "email": "a@b.test"}}),     Some("7")),
        (json!({"time": when, "type": "track", "lead": {"user_id": " ", "email": " A@B.Test "}}), Some("a@b.test")),
        (json!({"time": when, "type": "track", "lead": {}, "traits": {"email": "t@b.test"}}),     Some("t@b.test")),
        (json!({"timestamp": when, "type": "identify", "userId": null, "anonymousId": "A",
                "context": {"traits": {"email": "C@b.test"}}}),                                   Some("c@b.test")),
        (json!({"timestamp": when, "type": "track", "anonymousId": "A",
                "properties": {"email": "p@b.test"}}),                                            Some("A")),
        (json!({"timestamp": when, "type": "group", "traits": {"email": "g@b.test"}}),            None),
        (json!({"originalTimestamp": when, "type": "track", "userId": "U"}),                      Some("U")),
    ];
    for (event, lead) in rows {
        assert_eq!(read(event.clone()).lead.as_deref(), lead, "{event}");
    }
}

#[test]
fn a_group_speaks_of_a_company() {
    let group = read(json!({"type": "group", "userId": "u", "timestamp": "2026-11-22T10:00:00Z",
        "traits": {"name": "Acme", "email": "info@acme.example", "employees": 50}}));
    let person = read(json!({"type": "identify", "userId": "u", "timestamp": "2026-11-22T10:00:00Z",
        "traits": {"name": "Dana", "email": " Dana@Acme.Example", "plan": null}}));
    let said =
        |event: Event| -> Vec<String> { event.traits.iter().map(|(name, value)| format!("{name}={value}")).collect() };
    assert_eq!(said(group), [r#"employees=50"#, r#"company="Acme""#]);
    let expected = [r#"email="dana@acme.example""#, r#"email_domain="acme.example""#, r#"name="Dana""#];
    assert_eq!(said(person), expected);
}
