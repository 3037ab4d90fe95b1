//! A real Apache Kafka for tests: one node of its own, or the broker that `HOTLEAD_TEST_BROKERS` names.

mod broker;
mod client;
mod rights;

use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

pub use broker::{Broker, Login, Options};
pub use client::{Outgoing, Record, unique};
pub use rights::{On, Right};

/// The broker that the tests of this process share, started by the first one that asks. Use [`unique`] topic names.
///
/// Tests that stop it or need TLS start one of their own: [`Broker::start_own`].
pub fn broker() -> &'static Broker {
    // A start takes seconds and half a minute on a busy machine: a second test waits for the first one's. When the
    // start fails, all that wait fail with it and none tries again.
    static SHARED: LazyLock<Broker> = LazyLock::new(|| match std::env::var("HOTLEAD_TEST_BROKERS") {
        Ok(brokers) => Broker::of_others(brokers),
        Err(_) => Broker::start_own(&Options::default()),
    });
    &SHARED
}

/// Held by tests that start a broker of their own, so that a small machine never carries three.
pub fn own_broker() -> MutexGuard<'static, ()> {
    static OWN: Mutex<()> = Mutex::new(());
    // A test that failed with it says so itself.
    OWN.lock().unwrap_or_else(PoisonError::into_inner)
}
pub static OWN: Mutex<()> = Mutex::new(());

mod tests {
    use std::net::TcpStream;
    use std::time::Duration;

    use rdkafka::ClientConfig;
    use rdkafka::consumer::{BaseConsumer, Consumer};
    use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

    use super::*;
    use crate::supervise::{is_alive, wait_for};

    const DEADLINE: Duration = Duration::from_secs(60);

    #[test]
    fn a_record_goes_round() {
        let broker = broker();
        let topic = unique("round");
        broker.create_topic(&topic, 3, &[("cleanup.policy", "compact")]);
        let sent = Outgoing {
            partition: Some(2),
            timestamp: Some(1_700_000_000_123),
            headers: vec![("ce_id".into(), "9f0c".into())],
            ..Outgoing::new("u1", "{}")
        };
        broker.produce(&topic, [sent]);
        let expected = Record {
            partition: 2,
            offset: 0,
            timestamp: Some(1_700_000_000_123),
            key: Some("u1".into()),
            value: Some("{}".into()),
            headers: vec![("ce_id".into(), Some("9f0c".into()))],
        };
        assert_eq!(broker.consume_all_read_committed(&topic), [expected]);
    }

    #[test]
    fn many_records_arrive_in_the_order_of_their_partition() {
        let broker = broker();
        let topic = unique("many");
        broker.create_topic(&topic, 2, &[]);
        let value = |i: i32| i.to_string();
        broker
            .produce(&topic, (0..20_000).map(|i| Outgoing { partition: Some(i % 2), ..Outgoing::new("k", value(i)) }));
        let records = broker.consume_all_read_committed(&topic);
        for partition in 0..2 {
            let got: Vec<_> = records.iter().filter(|r| r.partition == partition).map(|r| r.value_text()).collect();
            let expected: Vec<_> = (0..20_000).filter(|i| i % 2 == partition).map(value).collect();
            assert!(got == expected, "partition {partition}: {} records", got.len());
        }
    }

    #[test]
    fn an_aborted_transaction_is_invisible_and_an_open_one_until_it_commits() {
        let broker = broker();
        let topic = unique("transaction");
        broker.create_topic(&topic, 1, &[]);
        let mut config = broker.client_config();
        let producer: BaseProducer =
            config.set("transactional.id", unique("id")).set("transaction.timeout.ms", "10000").create().unwrap();
        producer.init_transactions(DEADLINE).unwrap();
        for (value, commit) in [("first", true), ("aborted", false), ("second", true)] {
            producer.begin_transaction().unwrap();
            producer.send(BaseRecord::<str, str>::to(&topic).payload(value)).map_err(|(e, _)| e).unwrap();
            producer.flush(DEADLINE).unwrap();
            let before: Vec<_> = broker.consume_visible(&topic).iter().map(Record::value_text).collect();
            assert!(!before.contains(&value.to_string()), "{value} is visible in its open transaction");
            if commit {
                producer.commit_transaction(DEADLINE).unwrap();
            } else {
                producer.abort_transaction(DEADLINE).unwrap();
            }
        }
        let values: Vec<_> = broker.consume_all_read_committed(&topic).iter().map(Record::value_text).collect();
        assert_eq!(values, ["first", "second"]);
    }

    #[test]
    fn an_own_broker_keeps_its_records_through_kill_and_restart_and_dies_with_its_handle() {
        let _one_at_a_time = own_broker();
        let mut broker = Broker::start_own(&Options::default());
        broker.create_topic("kept", 1, &[]);
        broker.produce("kept", [Outgoing::new("u1", "before")]);
        for signal in ["KILL", "TERM"] {
            broker.stop(signal);
            TcpStream::connect(broker.bootstrap()).expect_err("nobody listens");
            broker.start_again();
        }
        broker.produce("kept", [Outgoing::new("u1", "after")]);
        let values: Vec<_> = broker.consume_all_read_committed("kept").iter().map(Record::value_text).collect();
        assert_eq!(values, ["before", "after"]);

        let (pid, folder) = (broker.pid().unwrap(), broker.folder().unwrap().to_owned());
        drop(broker); // closes the supervisor's pipe, as the end of the test process does
        wait_for("the broker's end", DEADLINE, || (!is_alive(pid) && !folder.exists()).then_some(()));
    }

    #[test]
    fn scram_over_tls_lets_in_the_right_password_only() {
        let _one_at_a_time = own_broker();
        let login = Login { user: "hotlead".into(), password: "right".into() };
        let broker = Broker::start_own(&Options { tls_scram: Some(login), ..Options::default() });
        let answers = |properties: &[(&str, &str)]| {
            let mut config: ClientConfig = broker.tls_client_config();
            config.extend(properties.iter().map(|(k, v)| (k.to_string(), v.to_string())));
            let consumer: BaseConsumer = config.create().unwrap();
            consumer.fetch_metadata(None, Duration::from_secs(5)).map(|metadata| metadata.brokers().len())
        };
        assert_eq!(wait_for("metadata over TLS", DEADLINE, || answers(&[]).ok()), 1);
        answers(&[("sasl.password", "wrong")]).expect_err("a wrong password");
        answers(&[("ssl.ca.location", "probe")]).expect_err("a certificate that nobody vouches for");
    }
}
