//! A sink's fallback on a real broker. The five minutes are over as soon as the ledger says so: the former owner of the
//! partition wrote when its trouble began.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hotlead::codec::ledger::{self, Entry};
use hotlead::core::time::{Span, Timestamp};
use serde_json::Value;

use super::broker::alert;
use super::receiver::Receiver;
use super::restart::{Deployment, requests, sink, webhook};
use crate::kafka::{Outgoing, broker};
use crate::supervise::wait_for;

const DEADLINE: Duration = Duration::from_secs(60);

/// What `hotlead sink status ID --json` says.
fn status(process: &crate::supervise::Supervised, id: &str) -> Value {
    serde_json::from_str(&sink(process, &["status", id, "--json"]).1).expect("one object")
}

/// Goal: what waits for a sink that is disabled, and what comes, goes to its fallback, once, marked, through restarts; when
/// the sink is opened it gets all of it too. Method: 410 disables it; the ledger is told that this was six minutes ago.
#[tokio::test(flavor = "multi_thread")]
async fn a_fallback_gets_each_alert_once_while_its_sink_is_disabled_and_the_sink_gets_them_all_when_it_opens() {
    let gone = Arc::new(AtomicBool::new(true));
    let is_gone = gone.clone();
    let crm = Receiver::start(move |_| (if is_gone.load(Ordering::Relaxed) { 410 } else { 200 }, "")).await;
    let (spare, slack) = (Receiver::start(|_| (200, "")).await, Receiver::start(|_| (200, "ok")).await);
    let folder = tempfile::tempdir().expect("a folder");
    let address = folder.path().join("url");
    std::fs::write(&address, slack.url()).expect("a writable folder");
    tokio::task::block_in_place(|| {
        let crm_sink = webhook("crm", &crm).replace("    start:", "    fallback: spare\n    start:");
        // It stands in for the webhook and has a fallback of its own, which is never asked.
        let only = "    only: { rule: nothing-is-so }\n    start:";
        let spare_sink = webhook("spare", &spare).replace("    start:", &format!("    fallback: desk\n{only}"));
        let desk = format!(
            "  - id: desk\n    start: earliest\n    only: {{ rule: nothing-is-so }}\n    slack: {{ webhook_url: 'file:{}', \
             allow_http: true, allow_networks: [127.0.0.0/8] }}\nunrouted: drop\n",
            address.display()
        );
        let deployment = Deployment::with("fallback", 1, &(crm_sink + &spare_sink + &desk));
        let mut process = deployment.start("a");
        deployment.publish([alert(1, "a"), alert(2, "b"), alert(3, "a")]);
        wait_for("disabled", DEADLINE, || (status(&process, "crm")["standing"] == "disabled").then_some(()));
        assert_eq!(spare.seen().len(), 0, "not yet");
        process.signal("KILL");
        six_minutes_ago(&deployment);
        process.start();
        let all = |number: usize| wait_for("the fallback", DEADLINE, || (spare.seen().len() == number).then_some(()));
        all(3);
        deployment.publish([alert(4, "b"), alert(5, "c")]);
        all(5);
        let marked = spare.seen().iter().all(|request| request.header("hotlead-instead-of") == "crm");
        assert!(marked, "{:?}", spare.seen());
        let told = wait_for("the status", DEADLINE, || Some(status(&process, "crm")).filter(|told| told["lent"] == 5));
        assert_eq!((&told["fallback"], &told["parked"], &told["delivered"]), (&"spare".into(), &5.into(), &0.into()));
        assert!(told["failing"].is_string(), "{told}");
        let words = sink(&process, &["status", "crm"]).1;
        assert!(words.contains(": spare gets its alerts too, 5 of them wait here"), "{words}");
        assert!(process.log().contains("its fallback gets its alerts until it takes one"), "{}", process.log());

        process.signal("KILL");
        process.start();
        deployment.publish([alert(6, "c")]);
        all(6);
        wait_for("the ends", DEADLINE, || (status(&process, "spare")["delivered"] == 6).then_some(()));
        gone.store(false, Ordering::Relaxed);
        assert_eq!(sink(&process, &["unblock", "crm"]).0, 0);
        wait_for("all of them", DEADLINE, || (status(&process, "crm")["delivered"] == 6).then_some(()));
        deployment.publish([alert(7, "d")]);
        wait_for("one more", DEADLINE, || (status(&process, "crm")["delivered"] == 7).then_some(()));
        let told = status(&process, "crm");
        assert_eq!((&told["lent"], &told["failing"], &told["parked"]), (&0.into(), &Value::Null, &0.into()));
        for lead in ["a", "b", "c"] {
            assert_eq!(
                requests(&spare, lead),
                [[1, 3], [2, 4], [5, 6]][usize::from(lead.as_bytes()[0] - b'a')].map(id)
            );
        }
        let taken: Vec<_> = crm.seen().iter().map(|request| request.header("webhook-id").to_owned()).collect();
        assert!((1..=7).all(|number| taken.contains(&id(number))), "{taken:?}");
        assert_eq!((spare.seen().len(), slack.seen().len()), (6, 0), "none twice, and nobody else");
    });
}

fn id(number: u128) -> String {
    format!("{number:032x}")
}

/// Writes on the ledger of `crm` that its trouble began six minutes ago.
fn six_minutes_ago(deployment: &Deployment) {
    let topic = deployment.topic("hotlead.delivery.crm");
    let mut records = broker().consume_visible(&topic).into_iter();
    let newest = records.rfind(|record| record.key.as_deref() == Some(ledger::SINK)).expect("its state");
    let Some(Entry::Sink(mut state)) = ledger::read(newest.value.as_deref()).expect("a record of ours") else {
        panic!("{newest:?}")
    };
    let earlier = |time: Timestamp| time - Span::from_secs(360);
    (state.since, state.failing) = (earlier(state.since), state.failing.map(earlier));
    let key = String::from_utf8(ledger::SINK.to_vec()).expect("text");
    let again = Outgoing { partition: Some(0), ..Outgoing::new(key, ledger::write(&Entry::Sink(state))) };
    broker().produce(&topic, [again]);
}
