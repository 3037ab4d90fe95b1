//! A real headless Chromium, driven over WebDriver; each [`Browser`] has a profile of its own and ends with its test.
//!
//! It speaks the W3C WebDriver protocol to Debian's `chromedriver` in a dozen lines of JSON over the HTTP client that
//! hotlead has anyway. The calls block, so that tests read from top to bottom: not for use inside of an async runtime.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use base64::prelude::{BASE64_STANDARD as BASE64, Engine};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::supervise::{Supervised, wait_for};

const START_DEADLINE: Duration = Duration::from_secs(60);
const DEADLINE: Duration = Duration::from_secs(20);

const FLAGS: &[&str] = &[
    "--headless",
    "--no-sandbox", // Chromium's sandbox refuses to start for root, as whom CI runs
    "--disable-gpu",
    "--disable-dev-shm-usage",
    // Nothing goes out to the network by itself.
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--force-prefers-reduced-motion", // a screenshot catches no animation half-way
];

/// One browser with one page.
pub struct Browser {
    http: reqwest::Client,
    runtime: Runtime,
    /// Address of the driver's session, in which all commands are sent.
    session: String,
    program: Supervised,
}

impl Browser {
    /// Starts a browser whose page is this large, in CSS pixels.
    ///
    /// # Panics
    /// With the driver's log, if it does not come up.
    pub fn start(width: u32, height: u32) -> Self {
        let mut program = Supervised::new("chromium", |folder| {
            // The programs write to HOME, TMPDIR and the profile: all in the folder that goes away.
            let folder = folder.display();
            vec![
                "env".into(),
                format!("HOME={folder}"),
                format!("TMPDIR={folder}"),
                format!("XDG_CONFIG_HOME={folder}"),
                format!("XDG_CACHE_HOME={folder}"),
                "chromedriver".into(),
                "--port=0".into(), // any free one
            ]
        });
        program.start();
        let port = wait_for("chromedriver's port", START_DEADLINE, || {
            assert!(program.is_running(), "chromedriver ended:\n{}", program.log());
            let log = program.log();
            let (_, rest) = log.split_once("started successfully on port ")?;
            rest.split_once('.')?.0.parse::<u16>().ok()
        });
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let http = reqwest::Client::builder().no_proxy().build().expect("an HTTP client");
        let mut browser = Self { http, runtime, session: format!("http://127.0.0.1:{port}"), program };
        let profile = format!("--user-data-dir={}", browser.folder().join("profile").display());
        let flags: Vec<&str> = FLAGS.iter().copied().chain([profile.as_str()]).collect();
        let wanted = json!({"browserName": "chrome", "goog:chromeOptions": {"args": flags}});
        let created = browser.post("/session", json!({"capabilities": {"alwaysMatch": wanted}}));
        let id = created["sessionId"].as_str().unwrap_or_else(|| panic!("no session: {created}"));
        browser.session += &format!("/session/{id}");
        browser.resize(width, height);
        browser
    }

    fn post(&self, command: &str, parameters: Value) -> Value {
        self.send(self.http.post(format!("{}{command}", self.session)).json(&parameters))
            .unwrap_or_else(|error| panic!("{command} {parameters}: {error}\n{}", self.program.log()))
    }

    fn get(&self, command: &str) -> Value {
        self.send(self.http.get(format!("{}{command}", self.session)))
            .unwrap_or_else(|error| panic!("{command}: {error}\n{}", self.program.log()))
    }

    fn send(&self, request: reqwest::RequestBuilder) -> Result<Value, String> {
        let exchange = async {
            let response = request.timeout(START_DEADLINE).send().await?;
            Ok((response.status(), response.json::<Value>().await?))
        };
        let failed = |error: reqwest::Error| error.to_string();
        let (status, mut answer) = self.runtime.block_on(exchange).map_err(failed)?;
        let value = answer["value"].take();
        if status.is_success() { Ok(value) } else { Err(value["message"].to_string()) }
    }

    /// Makes the page this large, in CSS pixels, below 500 wide as a phone with a touch screen. (A real window of
    /// Chromium cannot be as narrow as a phone, so the page is told instead.)
    pub fn resize(&self, width: u32, height: u32) {
        let mobile = width < 500;
        self.devtools(
            "Emulation.setDeviceMetricsOverride",
            json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": mobile}),
        );
        self.devtools("Emulation.setTouchEmulationEnabled", json!({"enabled": mobile}));
    }

    /// One command of the Chrome DevTools protocol, such as `Network.emulateNetworkConditions`.
    pub fn devtools(&self, command: &str, parameters: Value) -> Value {
        self.post("/goog/cdp/execute", json!({"cmd": command, "params": parameters}))
    }

    /// Opens a page and waits until it is loaded.
    pub fn open(&self, url: &str) {
        self.post("/url", json!({"url": url}));
    }

    pub fn title(&self) -> String {
        self.get("/title").as_str().expect("a title is text").into()
    }

    /// What `return …` of this JavaScript gives; `arguments` holds what it is called with.
    pub fn run(&self, script: &str, arguments: &[Value]) -> Value {
        self.post("/execute/sync", json!({"script": script, "args": arguments}))
    }

    /// The visible text of the first element that matches this selector, None if there is none.
    pub fn text(&self, css: &str) -> Option<String> {
        self.run("return document.querySelector(arguments[0])?.innerText ?? null", &[css.into()])
            .as_str()
            .map(Into::into)
    }

    /// Waits until an element matches this selector and its visible text contains `text`; returns its whole text.
    ///
    /// # Panics
    /// After 20 s, with what the page shows.
    #[track_caller]
    pub fn wait_for_text(&self, css: &str, text: &str) -> String {
        self.wait_until(&format!("{css} with {text:?}"), || self.text(css).filter(|found| found.contains(text)))
    }

    /// Waits until an element matches this selector.
    #[track_caller]
    pub fn wait_for_element(&self, css: &str) {
        self.wait_until(css, || self.text(css).map(drop));
    }

    #[track_caller]
    fn wait_until<T>(&self, what: &str, mut poll: impl FnMut() -> Option<T>) -> T {
        let start = Instant::now();
        wait_for(what, DEADLINE + DEADLINE, || {
            let found = poll();
            if found.is_none() && start.elapsed() > DEADLINE {
                panic!("waited in vain for {what}; the page shows:\n{}", self.text("body").unwrap_or_default());
            }
            found
        })
    }

    /// Presses keys one after the other on whatever has the focus: characters, the names of [`key`], and both together
    /// as in `Shift+Tab`.
    pub fn press(&self, keys: &[&str]) {
        let mut actions = Vec::new();
        for together in keys {
            let held: Vec<char> = together.split('+').map(key).collect();
            actions.extend(held.iter().map(|key| json!({"type": "keyDown", "value": key})));
            actions.extend(held.iter().rev().map(|key| json!({"type": "keyUp", "value": key})));
        }
        self.post("/actions", json!({"actions": [{"type": "key", "id": "keyboard", "actions": actions}]}));
    }

    /// Writes what the page shows to `<name>.png` in the folder that `HOTLEAD_SCREENSHOTS` names, if it names one.
    pub fn screenshot(&self, name: &str) {
        let Some(folder) = std::env::var_os("HOTLEAD_SCREENSHOTS").map(PathBuf::from) else {
            return;
        };
        let png = BASE64.decode(self.get("/screenshot").as_str().expect("text")).expect("base64");
        std::fs::create_dir_all(&folder).expect("HOTLEAD_SCREENSHOTS is a folder");
        std::fs::write(folder.join(format!("{name}.png")), png).expect("HOTLEAD_SCREENSHOTS is writable");
    }

    /// The folder that holds the profile; it goes away with the browser.
    pub fn folder(&self) -> &Path {
        self.program.folder()
    }
}

/// The character that WebDriver uses for a key.
fn key(name: &str) -> char {
    match name {
        "Tab" => '\u{e004}',
        "Enter" => '\u{e007}',
        "Shift" => '\u{e008}',
        "Escape" => '\u{e00c}',
        "PageUp" => '\u{e00e}',
        "PageDown" => '\u{e00f}',
        "End" => '\u{e010}',
        "Home" => '\u{e011}',
        "ArrowLeft" => '\u{e012}',
        "ArrowUp" => '\u{e013}',
        "ArrowRight" => '\u{e014}',
        "ArrowDown" => '\u{e015}',
        _ => {
            let mut characters = name.chars();
            let first = characters.next();
            first.filter(|_| characters.next().is_none()).unwrap_or_else(|| panic!("no key has the name {name:?}"))
        }
    }
}

mod tests {
    use std::io::{BufRead, BufReader, Write};
    use std::net::TcpListener;

    use super::*;

    const PAGE: &str = r#"<!doctype html><meta name=viewport content="width=device-width"><title>Hot leads</title>
        <p id=late></p><button>first</button> <button onclick="late.innerText += ' pressed'">second</button> <button>third</button>
        <script>setTimeout(() => late.innerText = 'here now', 100)</script>"#;

    /// Answers every request on a free port with the page, until the test process ends; returns its address.
    fn serve_page() -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let request = BufReader::new(stream.try_clone().unwrap());
                request.lines().map_while(Result::ok).take_while(|line| !line.is_empty()).for_each(drop);
                let length = PAGE.len();
                let _ = write!(
                    stream,
                    "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{PAGE}"
                );
            }
        });
        url
    }

    /// Processes whose command line holds this text.
    fn processes_with(text: &str) -> usize {
        let command_lines = std::fs::read_dir("/proc")
            .unwrap()
            .flatten()
            .filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok());
        command_lines.filter(|line| String::from_utf8_lossy(line).contains(text)).count()
    }

    #[test]
    fn a_page_is_read_used_by_keyboard_and_on_a_phone_and_nothing_is_left() {
        let browser = Browser::start(1200, 800);
        browser.open(&serve_page());
        assert_eq!(browser.title(), "Hot leads");
        assert_eq!(browser.run("return innerWidth", &[]), 1200);
        assert_eq!(browser.text("#missing"), None);
        browser.wait_for_element("button");
        assert_eq!(browser.wait_for_text("#late", "now"), "here now");
        browser.press(&["Tab", "Tab", "Tab", "Shift+Tab", "Enter"]);
        browser.wait_for_text("#late", "here now pressed");
        browser.resize(390, 844);
        assert_eq!(browser.run("return [innerWidth, arguments[0]]", &["x".into()]), json!([390, "x"]));
        browser.screenshot("smoke-phone");

        let folder = browser.folder().to_owned();
        let profile = folder.join("profile").display().to_string();
        assert!(processes_with(&profile) > 1, "the browser runs in its own profile");
        drop(browser);
        wait_for("the browser's end", DEADLINE, || (processes_with(&profile) == 0 && !folder.exists()).then_some(()));
    }
}
