//! Programs that a test starts, such as a Kafka broker: they end with the test process, however that ends.
//!
//! Rust drops no statics, and nothing at all after `kill -9`. So a small shell stands between: it reads commands from a
//! pipe that only the test process holds, and the end of that pipe is the order to kill the program and remove its folder.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

/// `$1` is the folder, the rest the program. `setsid` gives the program a process group of its own, so that its children
/// die with it; the shell's wait keeps the process id from being used again.
const SUPERVISOR: &str = r#"
folder=$1; shift
pid=
# At first the program has no group yet: until setsid has run, only its own id reaches it.
send() { kill -s "$1" -- "-$pid" || kill -s "$1" "$pid"; }
while read -r order signal; do
    case $order in
        start) setsid "$@" </dev/null >>"$folder/log" 2>&1 & pid=$!; echo "$pid" ;;
        tell) send "$signal"; echo 0 ;;
        wait) wait "$pid"; echo "$?"; pid= ;;
        *) send "$order"; wait "$pid"; echo "$?"; pid= ;;
    esac
done
if [ -n "$pid" ]; then send KILL; wait "$pid"; fi
rm -rf -- "$folder"
"#;

/// A program in a temporary folder of its own; both are gone soon after this is dropped or the test process ends.
pub struct Supervised {
    shell: Child,
    orders: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    folder: PathBuf,
    pid: Option<u32>,
}

impl Supervised {
    /// Makes the folder and the supervising shell; the program waits for [`start`](Self::start).
    ///
    /// `command` receives the folder and returns the program with its arguments; it may write files there first.
    pub fn new(name: &str, command: impl FnOnce(&Path) -> Vec<String>) -> Self {
        let folder =
            tempfile::Builder::new().prefix(&format!("hotlead-{name}-")).tempdir().expect("a temporary folder");
        let command = command(folder.path());
        let mut shell = Command::new("sh")
            .args(["-c", SUPERVISOR, "supervisor"])
            .arg(folder.path())
            .args(command)
            .current_dir(folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // Not ours: whoever reads our output to its end must not wait for the supervisor.
            .stderr(Stdio::null())
            // Ctrl-C in a terminal goes to the whole group of the test process; the shell has to outlive it.
            .process_group(0)
            .spawn()
            .expect("sh starts");
        Self {
            orders: shell.stdin.take(),
            answers: BufReader::new(shell.stdout.take().expect("stdout is piped")),
            shell,
            folder: folder.keep(), // from here on the shell removes it
            pid: None,
        }
    }

    /// Starts the program. Its output goes to the file `log` of the folder.
    pub fn start(&mut self) {
        assert_eq!(self.pid, None, "started twice without a signal between");
        self.pid = Some(self.order("start"));
    }

    /// Sends `signal` (`KILL`, `TERM`) to the program and its children and waits until the program has ended.
    /// The folder stays, and [`start`](Self::start) runs the program again.
    pub fn signal(&mut self, signal: &str) {
        assert!(self.pid.take().is_some(), "{signal} without a start before");
        self.order(signal);
    }

    /// Sends `signal` (`STOP`, `CONT`, `TERM`) to the program and its children and waits for nothing.
    pub fn tell(&mut self, signal: &str) {
        assert!(self.pid.is_some(), "{signal} without a start before");
        self.order(&format!("tell {signal}"));
    }

    /// Waits until the program has ended by itself and gives its exit code; 128 and more is the signal that ended it.
    /// [`start`](Self::start) runs it again.
    pub fn ended(&mut self) -> u32 {
        assert!(self.pid.take().is_some(), "ended without a start before");
        self.order("wait")
    }

    fn order(&mut self, order: &str) -> u32 {
        let orders = self.orders.as_mut().expect("taken by drop only");
        writeln!(orders, "{order}").expect("the supervising shell reads");
        let mut answer = String::new();
        self.answers.read_line(&mut answer).expect("the supervising shell answers");
        answer.trim().parse().unwrap_or_else(|_| panic!("{order}: the supervising shell answered {answer:?}"))
    }

    /// Process id of the running program.
    pub fn pid(&self) -> Option<u32> {
        self.pid
    }

    /// Whether the program has been started and has not ended.
    pub fn is_running(&self) -> bool {
        self.pid.is_some_and(is_alive)
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// What the program has printed so far.
    pub fn log(&self) -> String {
        fs::read(self.folder.join("log")).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
    }
}

impl Drop for Supervised {
    fn drop(&mut self) {
        drop(self.orders.take());
        // Fails only if someone else waited for our child.
        let _ = self.shell.wait();
    }
}

/// Whether a process of this id exists and is no zombie.
pub fn is_alive(pid: u32) -> bool {
    // The state follows the program's name, which stands in parentheses and may hold anything.
    fs::read_to_string(format!("/proc/{pid}/stat"))
        .is_ok_and(|stat| stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X'])))
}

/// Polls every few milliseconds until `poll` gives a value.
///
/// # Panics
/// After `deadline`, naming `what` was waited for.
#[track_caller]
pub fn wait_for<T>(what: &str, deadline: Duration, mut poll: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(value) = poll() {
            return value;
        }
        assert!(start.elapsed() < deadline, "waited {deadline:?} in vain for {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A TCP port of the loopback interface that nobody uses at this moment.
pub fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port").port()
}

mod tests {
    use super::*;

    const SOON: Duration = Duration::from_secs(20);

    /// A program with a child of its own, which prints that child's process id.
    fn parent_and_child() -> Supervised {
        Supervised::new("supervise", |_| ["sh", "-c", "sleep 600 & echo $!; wait"].map(String::from).to_vec())
    }

    fn child_of(program: &Supervised) -> u32 {
        wait_for("the child's process id", SOON, || program.log().trim().lines().last()?.parse().ok())
    }

    #[test]
    fn a_signal_ends_the_program_and_its_children_and_leaves_the_folder() {
        let mut program = parent_and_child();
        program.start();
        let (pid, child) = (program.pid().unwrap(), child_of(&program));
        assert!(program.is_running() && is_alive(child));
        program.signal("KILL");
        assert!(!program.is_running() && !is_alive(pid));
        wait_for("the end of the child", SOON, || (!is_alive(child)).then_some(()));
        assert!(program.folder().exists());
        program.start();
        assert_ne!(program.pid(), Some(pid));
        assert!(program.is_running());
    }

    /// Goal: an order in the first moment, before the program has a group of its own, is not lost.
    #[test]
    fn a_signal_right_after_the_start_ends_the_program() {
        let mut program = Supervised::new("supervise", |_| vec!["sleep".into(), "600".into()]);
        for _ in 0..50 {
            program.start();
            program.signal("KILL");
        }
        program.start();
    }

    #[test]
    fn the_end_of_the_program_itself_is_seen() {
        let mut program = Supervised::new("supervise", |_| vec!["true".into()]);
        program.start();
        wait_for("its end", SOON, || (!program.is_running()).then_some(()));
    }

    #[test]
    fn drop_ends_the_program_and_removes_its_folder() {
        let mut program = parent_and_child();
        program.start();
        let (pid, child, folder) = (program.pid().unwrap(), child_of(&program), program.folder().to_owned());
        drop(program);
        assert!(!is_alive(pid) && !folder.exists());
        wait_for("the end of the child", SOON, || (!is_alive(child)).then_some(()));
    }

    const FOLDER_TO: &str = "HOTLEAD_TEST_FOLDER_TO";

    /// The inner half of the next test: a test process that holds a program until it is killed.
    #[test]
    fn holds_a_program_when_told_to() {
        let Some(report) = std::env::var_os(FOLDER_TO) else {
            return;
        };
        let mut program = parent_and_child();
        program.start();
        let child = child_of(&program);
        let mut report = File::create(report).unwrap();
        writeln!(report, "{}\n{}\n{child}\nwritten", program.folder().display(), program.pid().unwrap()).unwrap();
        std::thread::park_timeout(Duration::from_secs(120));
    }

    #[test]
    fn a_program_that_was_stopped_goes_on_and_its_exit_code_is_known() {
        let script = "trap 'exit 7' TERM; echo up; while :; do sleep 0.01; done";
        let mut program = Supervised::new("supervise", |_| ["sh", "-c", script].map(String::from).to_vec());
        program.start();
        wait_for("its trap", SOON, || program.log().contains("up").then_some(()));
        program.tell("STOP");
        program.tell("TERM");
        assert!(program.is_running());
        program.tell("CONT");
        assert_eq!(program.ended(), 7);
        program.start();
        program.tell("STOP");
        program.signal("KILL");
        assert!(!program.is_running());
    }

    /// Goal: nothing is left of a program whose test process got `kill -9`. Method: this binary runs the test above in
    /// a process of its own and kills that.
    #[test]
    fn a_killed_test_process_leaves_nothing_behind() {
        let dir = tempfile::tempdir().unwrap();
        let report = dir.path().join("report");
        let mut test_process = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "supervise::tests::holds_a_program_when_told_to", "--nocapture"])
            .env(FOLDER_TO, &report)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let text = wait_for("the inner test", SOON, || {
            fs::read_to_string(&report).ok().filter(|text| text.ends_with("written\n"))
        });
        let [folder, pid, child, _] = text.lines().collect::<Vec<_>>()[..] else { panic!("{text}") };
        let (pid, child) = (pid.parse().unwrap(), child.parse().unwrap());
        assert!(is_alive(pid) && is_alive(child) && Path::new(folder).exists());
        test_process.kill().unwrap();
        test_process.wait().unwrap();
        wait_for("the end of the program", SOON, || (!is_alive(pid) && !is_alive(child)).then_some(()));
        wait_for("the folder's removal", SOON, || (!Path::new(folder).exists()).then_some(()));
    }
}
