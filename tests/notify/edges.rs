//! What operators are told before it hurts: alerts that expire, and clocks that are apart.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use rdkafka::{Offset, TopicPartitionList};

use super::broker::alert;
use super::load::metric;
use super::receiver::Receiver;
use super::restart::{Deployment, webhook};
use crate::kafka::broker;
use crate::supervise::{free_port, wait_for};

const DEADLINE: Duration = Duration::from_secs(60);

/// Goal: the alert topic keeps alerts for an hour, the sink tries for a day: that is said at the start. What then expires is
/// said and counted. Method: the broker is told to delete the records, as retention does.
#[tokio::test(flavor = "multi_thread")]
async fn retention_shorter_than_max_age_is_told_at_the_start_and_what_expired_is_counted() {
    let crm = Receiver::start(|_| (200, "")).await;
    tokio::task::block_in_place(|| {
        let port = free_port();
        let deployment = Deployment::with("retention", 1, &webhook("crm", &crm)).on_port(port);
        let topic = deployment.topic("hotlead.alerts");
        broker().create_topic(&topic, 1, &[("retention.ms", "3600000"), ("cleanup.policy", "delete")]);
        let mut process = deployment.start("a");
        let told = "the alert topic keeps alerts for 1 h, but a sink may need them for 1 d (max_age)";
        assert!(process.log().contains(told), "{}", process.log());
        deployment.publish([alert(1, "a")]);
        deployment.commits_to(1);
        process.signal("KILL");
        deployment.publish((2..=4).map(|number| alert(number, "a")));
        delete_before(&topic, 3);
        process.start();
        wait_for("the last alert", DEADLINE, || (crm.seen().len() == 2).then_some(()));
        let expired = "hotlead_deliveries_total{sink=\"crm\",outcome=\"expired\",reason=\"\"}";
        wait_for("the count", DEADLINE, || (metric(port, expired) == 2).then_some(()));
        assert!(
            process.log().contains("alerts left the topic by retention before they were sent"),
            "{}",
            process.log()
        );
    });
}

/// Deletes what lies before an offset of partition 0.
fn delete_before(topic: &str, offset: i64) {
    let admin: AdminClient<DefaultClientContext> = broker().client_config().create().expect("a client");
    let mut before = TopicPartitionList::new();
    before.add_partition_offset(topic, 0, Offset::Offset(offset)).expect("an offset");
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(admin.delete_records(&before, &AdminOptions::new())).expect("it deletes");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_whose_clock_is_more_than_a_minute_off_is_told_once_and_measured() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let of_another_time = listener.local_addr().expect("an address").port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let mut request = [0; 16 * 1_024];
            let _ = stream.read(&mut request);
            let answer = "HTTP/1.1 200 OK\r\ndate: Sat, 01 Jan 2000 00:00:00 GMT\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    let crm = Receiver::start(|_| (200, "")).await;
    tokio::task::block_in_place(|| {
        let port = free_port();
        let past = webhook("past", &crm).replace(&format!(":{}/", crm.port), &format!(":{of_another_time}/"));
        let deployment = Deployment::with("skew", 1, &(webhook("crm", &crm) + &past)).on_port(port);
        let process = deployment.start("a");
        deployment.publish([alert(1, "a"), alert(2, "b"), alert(3, "c")]);
        let delivered = "hotlead_deliveries_total{sink=\"past\",outcome=\"delivered\",reason=\"\"}";
        wait_for("all", DEADLINE, || (metric(port, delivered) == 3).then_some(()));
        let warning = "its clock is far ahead of ours, or behind";
        let lines: Vec<_> = process.log().lines().filter(|line| line.contains(warning)).map(str::to_owned).collect();
        assert!(lines.len() == 1 && lines[0].contains("past") && lines[0].contains("seconds=-"), "{lines:?}");
    });
}
