//! A receiver on loopback that answers as a test says, and settings of sinks that lead to it.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::http::header::RETRY_AFTER;
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri};
use hotlead::config::settings::{Kafka, LogFormat, Reach, Secret, Settings, Sink, Start, Target, Topics, Webhook};

pub const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
pub const OLD_SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";

#[derive(Clone, Debug)]
pub struct Request {
    pub path: String,
    pub headers: HeaderMap,
    pub body: String,
}

impl Request {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The lead that a webhook's body is about.
    pub fn lead(&self) -> String {
        let body: serde_json::Value = serde_json::from_str(&self.body).expect("JSON");
        body["data"]["lead"]["key"].as_str().unwrap_or_default().to_owned()
    }
}

pub struct Receiver {
    pub port: u16,
    seen: Arc<Mutex<Vec<Request>>>,
}

impl Receiver {
    /// Answers each request with a status and a text; one that is `retry-after: …` is that header too.
    pub async fn start(script: impl Fn(&Request) -> (u16, &'static str) + Clone + Send + Sync + 'static) -> Self {
        let seen: Arc<Mutex<Vec<Request>>> = Arc::default();
        let all = seen.clone();
        let app = Router::new().fallback(move |uri: Uri, headers: HeaderMap, body: Bytes| {
            let path = uri.path().to_owned();
            let request = Request { path, headers, body: String::from_utf8_lossy(&body).into_owned() };
            let (status, text) = script(&request);
            all.lock().expect("not poisoned").push(request);
            let wait = text.strip_prefix("retry-after: ").map(HeaderValue::from_static);
            let headers: HeaderMap = wait.map(|wait| HeaderMap::from_iter([(RETRY_AFTER, wait)])).unwrap_or_default();
            async move { (StatusCode::from_u16(status).expect("a status"), headers, text) }
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { port, seen }
    }

    pub fn seen(&self) -> Vec<Request> {
        self.seen.lock().expect("not poisoned").clone()
    }

    pub fn webhook(&self, secrets: &[&str]) -> Target {
        Target::Webhook(Box::new(Webhook {
            url: format!("http://127.0.0.1:{}/hook", self.port).parse().expect("a URL"),
            secrets: secrets.iter().map(|secret| Secret::resolved(*secret, "env:HOOK")).collect(),
            headers: vec![],
            payload: Default::default(),
            encoding: Default::default(),
            retry: Default::default(),
            reach: reach(),
        }))
    }

    /// As [`Self::webhook`], otherwise in some way.
    pub fn changed(&self, secrets: &[&str], change: impl FnOnce(&mut Webhook)) -> Target {
        let Target::Webhook(mut webhook) = self.webhook(secrets) else { unreachable!() };
        change(&mut webhook);
        Target::Webhook(webhook)
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/hook", self.port)
    }

    pub fn slack(&self) -> Target {
        let url = format!("http://127.0.0.1:{}/services/T0/B0/s3cret", self.port);
        Target::Slack { webhook_url: Secret::resolved(url, "env:SLACK"), crm_url: None, reach: Box::new(reach()) }
    }
}

pub fn reach() -> Reach {
    Reach {
        allow_http: true,
        allow_networks: vec!["127.0.0.0/8".parse().expect("a network")],
        timeout: Duration::from_secs(15),
        proxy: None,
        ca: None,
        client: None,
    }
}

pub fn sink(id: &str, start: Start, target: Target) -> Sink {
    let (max_age, stale_after) = (Duration::from_secs(86_400), Duration::from_secs(1_800));
    Sink { id: id.into(), start, max_age, stale_after, fallback: None, mask: vec![], target }
}

/// Settings of which deliveries read the brokers, the group, the topics and the sinks.
pub fn settings(brokers: &str, name: &str, sinks: Vec<Sink>) -> Settings {
    let topic = |kind: &str| format!("{name}.{kind}");
    Settings {
        kafka: Kafka { brokers: vec![brokers.to_owned()], properties: Default::default() },
        group: name.to_owned(),
        instance: "test".into(),
        start: Start::Latest,
        topics: Topics {
            events: topic("events"),
            alerts: topic("alerts"),
            dead_letter: topic("dead-letter"),
            state: topic("state"),
            feedback: topic("feedback"),
            ops: topic("ops"),
            delivery: topic("delivery"),
            replication_factor: Some(1),
        },
        rules: "rules.yaml".into(),
        lead_key: vec![],
        commit_interval: Duration::from_millis(200),
        max_leads: 1_000_000,
        workers: 1,
        sinks,
        routing: Default::default(),
        http: None,
        log: LogFormat::Text,
    }
}
