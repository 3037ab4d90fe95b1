//! Endpoints that show a certificate of their own authority and ask for ours.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Stdio};

use hotlead::cli::sink_test;
use hotlead::config::settings::{Secret, Start, Target, Webhook};

use super::receiver::{SECRET, reach, settings, sink};
use crate::python;

fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/notify/tls").join(name)
}

/// Ends with the test.
struct Server {
    port: u16,
    child: Child,
    open: Option<ChildStdin>,
}

impl Server {
    fn start() -> Self {
        let mut command = python::command(include_str!("tls/server.py"));
        command.args(["server.pem", "server.key", "ca.pem"].map(path));
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("Python starts");
        let open = child.stdin.take();
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("a pipe")).read_line(&mut line).expect("its port");
        Self { port: line.trim().parse().expect("a number"), child, open }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.open = None; // it ends with its standard input
        let _ = self.child.wait();
    }
}

/// What `hotlead sink test` says of a sink with these certificates.
async fn said(port: u16, ca: Option<&str>, client: Option<(&str, &str)>) -> String {
    let pem = |name: &str| Secret::inline(std::fs::read_to_string(path(name)).expect("a file"));
    let mut reach = reach();
    reach.allow_http = false;
    reach.ca = ca.map(pem);
    reach.client = client.map(|(certificate, key)| (pem(certificate), pem(key)));
    let webhook = Webhook {
        url: format!("https://127.0.0.1:{port}/hook").parse().expect("a URL"),
        secrets: vec![Secret::resolved(SECRET, "env:HOOK")],
        headers: vec![],
        payload: Default::default(),
        encoding: Default::default(),
        retry: Default::default(),
        reach,
    };
    let sinks = vec![sink("crm", Start::Latest, Target::Webhook(Box::new(webhook)))];
    let settings = settings("none", "none", sinks);
    let (mut out, mut err) = (Vec::new(), Vec::new());
    sink_test::send(&settings, "crm", &mut out, &mut err).await.expect("writing to memory");
    String::from_utf8([out, err].concat()).expect("UTF-8")
}

#[tokio::test(flavor = "multi_thread")]
async fn both_sides_show_who_they_are() {
    let server = tokio::task::block_in_place(Server::start);
    let client = Some(("client.pem", "client.key"));
    let both = said(server.port, Some("ca.pem"), client).await;
    assert_eq!(both, "crm: delivered, https://127.0.0.1: 200 client.example.com\n");
    #[rustfmt::skip]
    let refused = [
        (None,           client,                             "not delivered", "the system does not know the authority"),
        (Some("ca.pem"), None,                               "not delivered", "no certificate of ours"),
        (Some("ca.pem"), Some(("client.pem", "server.key")), "sink crm: url: client_cert and client_key", "another's key"),
        (Some("ca.pem"), Some(("client.key", "client.key")), "sink crm: url: client_cert and client_key", "no certificate"),
        (Some("client.pem"), client,                         "not delivered", "another authority"),
    ];
    for (ca, client, expected, why) in refused {
        let said = said(server.port, ca, client).await;
        assert!(said.contains(expected) && !said.contains("PRIVATE"), "{why}: {said}");
    }
}
