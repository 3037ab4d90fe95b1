//! A receiver on loopback for tests, as badly behaved as told.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::config::settings::{Encoding, Payload, Reach, Secret, Sink, Start, Target, Webhook};
use crate::core::backoff::Schedule;

/// What came in.
#[derive(Clone, Debug)]
pub struct Request {
    pub line: String,
    pub headers: BTreeMap<String, String>,
    pub body: Vec<u8>,
}

/// What to do with it.
#[derive(Clone, Copy, Debug)]
pub enum Reply {
    /// Status, more headers with line ends, body.
    Answer(u16, &'static str, &'static str),
    /// Never answer.
    Hang,
    /// One byte of the head at a time, never all.
    DripHead,
    /// A good head, then one byte of the body at a time, without end.
    DripBody(u16),
    /// A good head, then a body as fast as it goes, without end.
    Endless(u16),
    /// A good head that promises more of a body than comes before the connection breaks.
    CutOff(u16),
    /// Close the connection.
    Break,
    /// Answer after so many milliseconds.
    Slow(u64),
}

pub struct Receiver {
    pub port: u16,
    seen: Arc<Mutex<Vec<Request>>>,
}

impl Receiver {
    /// Answers the n-th request, from 0, as `script` says.
    pub fn start(script: impl Fn(usize, &Request) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let seen: Arc<Mutex<Vec<Request>>> = Arc::default();
        let (script, all) = (Arc::new(script), seen.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (script, all) = (script.clone(), all.clone());
                std::thread::spawn(move || {
                    if let Some(request) = read(&stream) {
                        let number = {
                            let mut all = all.lock().expect("not poisoned");
                            all.push(request.clone());
                            all.len() - 1
                        };
                        let _ = reply(stream, script(number, &request)); // the other side may be gone
                    }
                });
            }
        });
        Self { port, seen }
    }

    pub fn seen(&self) -> Vec<Request> {
        self.seen.lock().expect("not poisoned").clone()
    }

    pub fn reach(timeout_ms: u64) -> Reach {
        Reach {
            allow_http: true,
            allow_networks: vec!["127.0.0.0/8".parse().expect("a network"), "::1/128".parse().expect("a network")],
            timeout: Duration::from_millis(timeout_ms),
            proxy: None,
            ca: None,
            client: None,
        }
    }

    pub fn webhook(&self, timeout_ms: u64) -> Target {
        Target::Webhook(Box::new(Webhook {
            url: format!("http://127.0.0.1:{}/hook", self.port).parse().expect("a URL"),
            secrets: vec![Secret::resolved("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "env:HOOK")],
            headers: vec![("x-team".into(), Secret::resolved("sales-token", "env:TEAM"))],
            payload: Payload::Full,
            encoding: Encoding::Standard,
            retry: Schedule::Fast,
            reach: Self::reach(timeout_ms),
        }))
    }

    pub fn slack(&self) -> Target {
        Target::Slack {
            webhook_url: Secret::resolved(format!("http://127.0.0.1:{}/services/T0/B0/s3cret", self.port), "env:S"),
            crm_url: None,
            reach: Box::new(Self::reach(5_000)),
        }
    }
}

/// A sink of this kind, all else as by default.
pub fn sink(target: Target) -> Sink {
    let (id, max_age) = ("sink".to_owned(), Duration::from_secs(86_400));
    let stale_after = Duration::from_secs(1_800);
    Sink { id, start: Start::Latest, max_age, stale_after, fallback: None, mask: Vec::new(), target }
}

fn read(stream: &TcpStream) -> Option<Request> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let mut headers = BTreeMap::new();
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).ok()?;
        let Some((name, value)) = header.trim_end().split_once(": ") else {
            break;
        };
        headers.insert(name.to_ascii_lowercase(), value.to_owned());
    }
    let mut body = vec![0; headers.get("content-length")?.parse().ok()?];
    reader.read_exact(&mut body).ok()?;
    Some(Request { line: line.trim_end().to_owned(), headers, body })
}

fn reply(mut stream: TcpStream, reply: Reply) -> std::io::Result<()> {
    const CHUNKED: &str = "transfer-encoding: chunked\r\nconnection: close\r\n\r\n";
    let give_up = Instant::now() + Duration::from_secs(20);
    match reply {
        Reply::Answer(status, headers, body) => {
            let length = body.len();
            write!(
                stream,
                "HTTP/1.1 {status} X\r\n{headers}content-length: {length}\r\nconnection: close\r\n\r\n{body}"
            )
        }
        Reply::Hang => {
            stream.set_read_timeout(Some(Duration::from_secs(20)))?;
            stream.read(&mut [0]).map(|_| ())
        }
        Reply::DripHead => {
            for byte in b"HTTP/1.1 200 OK\r\nx-long: ".iter().chain(std::iter::repeat(&b'x')) {
                stream.write_all(&[*byte])?;
                std::thread::sleep(Duration::from_millis(20));
                if Instant::now() > give_up {
                    break;
                }
            }
            Ok(())
        }
        Reply::DripBody(status) => {
            write!(stream, "HTTP/1.1 {status} X\r\n{CHUNKED}")?;
            while Instant::now() < give_up {
                stream.write_all(b"1\r\nx\r\n")?;
                std::thread::sleep(Duration::from_millis(20));
            }
            Ok(())
        }
        Reply::Endless(status) => {
            write!(stream, "HTTP/1.1 {status} X\r\n{CHUNKED}")?;
            let chunk = format!("1000\r\n{}\r\n", "x".repeat(0x1000));
            while Instant::now() < give_up {
                stream.write_all(chunk.as_bytes())?;
            }
            Ok(())
        }
        Reply::CutOff(status) => write!(stream, "HTTP/1.1 {status} X\r\ncontent-length: 100\r\n\r\nonly this"),
        Reply::Break => Ok(()),
        Reply::Slow(ms) => {
            std::thread::sleep(Duration::from_millis(ms));
            write!(stream, "HTTP/1.1 200 X\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok")
        }
    }
}
