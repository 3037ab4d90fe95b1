//! One Kafka node (KRaft, broker and controller in one process) in a temporary folder, under a supervisor.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};

use crate::python::installed;
use crate::supervise::{Supervised, free_port};

/// A start takes about 5 s; on a machine where everyone compiles, many times that.
const START_DEADLINE: Duration = Duration::from_secs(180);

/// What a broker of one's own has beside the plain listener.
#[derive(Default)]
pub struct Options {
    /// A second listener with TLS, where this user logs in by SCRAM-SHA-512.
    pub tls_scram: Option<Login>,
    /// More lines of `server.properties`; they win over ours.
    pub properties: Vec<(String, String)>,
    /// The most memory that its Java heap takes, in MiB; 512 if it is not said.
    pub heap_mib: Option<u32>,
}

#[derive(Clone)]
pub struct Login {
    pub user: String,
    pub password: String,
}

pub struct Broker {
    bootstrap: String,
    tls: Option<Tls>,
    /// None if it is someone else's.
    program: Option<Supervised>,
}

struct Tls {
    bootstrap: String,
    certificate: PathBuf,
    login: Login,
}

struct Ports {
    plain: u16,
    controller: u16,
    tls: u16,
}

impl Broker {
    /// Someone else's broker, which is neither started nor stopped.
    pub fn of_others(bootstrap: String) -> Self {
        Self { bootstrap, tls: None, program: None }
    }

    /// Starts a broker that ends with this value or with the test process. Returns when it answers.
    ///
    /// # Panics
    /// With the broker's log, if it does not come up.
    pub fn start_own(options: &Options) -> Self {
        const TRIES: usize = 3;
        for _ in 1..TRIES {
            let mut broker = Self::prepare(options);
            match broker.try_start() {
                Ok(()) => return broker,
                // Between our asking for a free port and the broker's taking it, somebody else was quicker.
                Err(log) if log.contains("Address already in use") => {}
                Err(log) => panic!("{log}"),
            }
        }
        let mut broker = Self::prepare(options);
        broker.start_again();
        broker
    }

    fn prepare(options: &Options) -> Self {
        let libs = installed("--print-kafka");
        let ports = Ports { plain: free_port(), controller: free_port(), tls: free_port() };
        let program = Supervised::new("kafka", |folder| {
            let login = options.tls_scram.as_ref();
            if login.is_some() {
                make_certificate(folder);
            }
            std::fs::write(folder.join("server.properties"), server_properties(folder, &ports, options))
                .expect("the temporary folder is writable");
            command(&libs, login, options.heap_mib.unwrap_or(512))
        });
        let tls = options.tls_scram.clone().map(|login| Tls {
            bootstrap: format!("127.0.0.1:{}", ports.tls),
            certificate: program.folder().join("cert.pem"),
            login,
        });
        Self { bootstrap: format!("127.0.0.1:{}", ports.plain), tls, program: Some(program) }
    }

    fn own(&mut self) -> &mut Supervised {
        self.program.as_mut().expect("a broker that the test started")
    }

    /// Ends the broker by this signal (`KILL`: as a crash; `TERM`: orderly). Its folder stays.
    pub fn stop(&mut self, signal: &str) {
        self.own().signal(signal);
    }

    /// Sends `signal` (`STOP`: it answers nobody until `CONT`) and waits for nothing.
    pub fn tell(&mut self, signal: &str) {
        self.own().tell(signal);
    }

    /// Starts a stopped broker, with the same ports and data, and waits until it answers.
    pub fn start_again(&mut self) {
        self.try_start().unwrap_or_else(|log| panic!("{log}"));
    }

    fn try_start(&mut self) -> Result<(), String> {
        let consumer: BaseConsumer = self.client_config().create().expect("the client's configuration is right");
        let program = self.own();
        program.start();
        let start = Instant::now();
        // An answer with a broker in it: the controller knows the broker and lets it take requests.
        while !consumer.fetch_metadata(None, Duration::from_millis(500)).is_ok_and(|m| !m.brokers().is_empty()) {
            if !program.is_running() || start.elapsed() > START_DEADLINE {
                return Err(format!("Kafka is not up after {:?}:\n{}", start.elapsed(), program.log()));
            }
        }
        Ok(())
    }

    /// Where clients connect, without TLS: `host:port`, for others' brokers maybe several with commas.
    pub fn bootstrap(&self) -> &str {
        &self.bootstrap
    }

    pub fn pid(&self) -> Option<u32> {
        self.program.as_ref()?.pid()
    }

    /// What the broker has printed: warnings and errors. Empty if it is someone else's.
    pub fn log(&self) -> String {
        self.program.as_ref().map(Supervised::log).unwrap_or_default()
    }

    pub fn folder(&self) -> Option<&Path> {
        Some(self.program.as_ref()?.folder())
    }

    /// The least that a client needs.
    pub fn client_config(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.bootstrap);
        // From a restarted broker, clients are back at once, not after up to 10 s.
        config.set("reconnect.backoff.ms", "20").set("reconnect.backoff.max.ms", "200");
        config
    }

    /// As [`client_config`](Self::client_config), for the listener with TLS and SCRAM.
    pub fn tls_client_config(&self) -> ClientConfig {
        let tls = self.tls.as_ref().expect("a broker started with `tls_scram`");
        let mut config = self.client_config();
        config.set("bootstrap.servers", &tls.bootstrap);
        config.set("security.protocol", "SASL_SSL").set("sasl.mechanism", "SCRAM-SHA-512");
        config.set("sasl.username", &tls.login.user).set("sasl.password", &tls.login.password);
        config.set("ssl.ca.location", tls.certificate.to_str().expect("a temporary folder's path is UTF-8"));
        config
    }
}

fn server_properties(folder: &Path, ports: &Ports, options: &Options) -> String {
    let Ports { plain, controller, tls } = ports;
    let mut listeners = format!("PLAINTEXT://127.0.0.1:{plain}");
    let mut more = String::new();
    if options.tls_scram.is_some() {
        listeners += &format!(",SASL_SSL://127.0.0.1:{tls}");
        more += &format!("ssl.keystore.location={}\n", folder.join("keystore.pem").display());
        more += "ssl.keystore.type=PEM\n\
            sasl.enabled.mechanisms=SCRAM-SHA-512\n\
            listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config=\
            org.apache.kafka.common.security.scram.ScramLoginModule required;\n";
    }
    for (key, value) in &options.properties {
        more += &format!("{key}={value}\n"); // of two lines with one key, Java takes the later
    }
    format!(
        "process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners={listeners},CONTROLLER://127.0.0.1:{controller}
advertised.listeners={listeners}
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,SASL_SSL:SASL_SSL,CONTROLLER:PLAINTEXT
log.dirs={data}
auto.create.topics.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
share.coordinator.state.topic.num.partitions=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
log.cleaner.backoff.ms=500
log.cleaner.dedupe.buffer.size=16777216
{more}",
        data = folder.join("data").display(),
    )
}

/// Formats the storage at the first start, then becomes the broker.
///
/// One compiler and one collector of garbage instead of two of each take a third off the CPU time of a start: fit for
/// tests, not for measuring.
fn command(libs: &Path, login: Option<&Login>, heap_mib: u32) -> Vec<String> {
    const SCRIPT: &str = r#"
        libs=$1/* heap=$2; shift 2
        quiet=-Dorg.slf4j.simpleLogger.defaultLogLevel=warn
        if ! [ -e formatted ]; then
            java -XX:TieredStopAtLevel=1 -XX:+UseSerialGC "$quiet" -cp "$libs" kafka.tools.StorageTool format -c server.properties "$@" || exit
            : >formatted
        fi
        exec java -Xms256m -Xmx"$heap"m -XX:TieredStopAtLevel=1 -XX:+UseSerialGC "$quiet" -cp "$libs" kafka.Kafka server.properties
    "#;
    // The cluster's id: 16 bytes in base64url. Its folder and ports make a test's broker unique, not this.
    let mut command: Vec<String> = ["sh", "-c", SCRIPT, "kafka"].map(String::from).to_vec();
    command.push(libs.to_str().expect("the cache's path is UTF-8").into());
    command.push(heap_mib.to_string());
    command.extend(["-t", "aG90bGVhZC10ZXN0LTAwMQ"].map(String::from));
    if let Some(Login { user, password }) = login {
        command.extend(["--add-scram".into(), format!("SCRAM-SHA-512=[name={user},password={password}]")]);
    }
    command
}

/// A key and a self-signed certificate for 127.0.0.1: `cert.pem` for clients, both in `keystore.pem` for the broker.
fn make_certificate(folder: &Path) {
    #[rustfmt::skip]
    let args = [
        "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
        "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", "key.pem", "-out", "cert.pem",
    ];
    let output = Command::new("openssl").args(args).current_dir(folder).output().expect("openssl runs");
    assert!(output.status.success(), "openssl: {}", String::from_utf8_lossy(&output.stderr));
    let read = |name| std::fs::read_to_string(folder.join(name)).expect("openssl wrote it");
    std::fs::write(folder.join("keystore.pem"), read("key.pem") + &read("cert.pem")).expect("the folder is writable");
}
