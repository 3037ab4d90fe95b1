//! A strict Slack in a process of its own (`slack.py`): enforces Slack's limits and rates, and fails as it is told.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value;

use crate::python;
use crate::supervise::{Supervised, wait_for};

const DEADLINE: Duration = Duration::from_secs(60);

/// The channel that it knows.
pub const CHANNEL: &str = "C0000000001";

pub struct FakeSlack {
    _process: Supervised,
    pub port: u16,
}

impl FakeSlack {
    pub fn start() -> Self {
        let mut process = Supervised::new("slack", |folder| {
            let script = folder.join("slack.py");
            std::fs::write(&script, include_str!("slack.py")).expect("a writable folder");
            let interpreter = python::installed("--print-venv").join("bin/python");
            [interpreter.display().to_string(), "-I".into(), script.display().to_string()].to_vec()
        });
        process.start();
        let port = wait_for("its port", DEADLINE, || process.log().lines().next()?.parse().ok());
        Self { _process: process, port }
    }

    pub fn api_url(&self) -> String {
        format!("http://127.0.0.1:{}/api/", self.port)
    }

    /// Changes it: see `slack.py`.
    pub fn control(&self, wish: &Value) {
        self.request("POST", "/control", &wish.to_string());
    }

    /// Its messages, its requests, and what was broken of its rules.
    pub fn state(&self) -> Value {
        self.request("GET", "/state", "")
    }

    /// The messages that are about this lead: cards, or replies in threads.
    pub fn messages(&self, lead: &str, in_thread: bool) -> Vec<Value> {
        let state = self.state();
        let messages = state["messages"].as_array().expect("a list").clone();
        let ts_of = |message: &Value| message["ts"].as_str().unwrap_or_default().to_owned();
        let cards: Vec<_> =
            messages.iter().filter(|m| m["text"].as_str().is_some_and(|text| text.contains(lead))).cloned().collect();
        if !in_thread {
            return cards;
        }
        let of = |m: &&Value| cards.iter().any(|card| m["thread_ts"].as_str() == Some(&ts_of(card)));
        messages.iter().filter(of).cloned().collect()
    }

    /// How often a method was called.
    pub fn count(&self, method: &str) -> usize {
        let state = self.state();
        state["requests"].as_array().expect("a list").iter().filter(|request| request["method"] == method).count()
    }

    /// Fails if a client broke a rule.
    #[track_caller]
    pub fn assert_kept(&self) {
        assert_eq!(self.state()["broken"], serde_json::json!([]));
    }

    fn request(&self, method: &str, path: &str, body: &str) -> Value {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).expect("it listens");
        stream.set_read_timeout(Some(DEADLINE)).expect("a timeout");
        let length = body.len();
        let head =
            format!("{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n");
        stream.write_all((head + body).as_bytes()).expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("it answers");
        let (_, body) = answer.split_once("\r\n\r\n").expect("a body");
        serde_json::from_str(body).expect("JSON")
    }
}
