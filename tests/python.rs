//! Python scripts that tests run: the field's official libraries check what hotlead writes.
//!
//! The interpreter is that of the virtual environment which `tests/install tests` makes from `tests/requirements.txt`.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::LazyLock;

/// What `tests/install <option>` prints: the one place that knows where fetched things lie.
///
/// # Panics
/// If nothing complete lies there, naming the command that installs it.
pub fn installed(option: &str) -> PathBuf {
    let install = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/install");
    let output = Command::new(&install).arg(option).output().expect("tests/install runs");
    assert!(output.status.success(), "tests/install {option}: {}", String::from_utf8_lossy(&output.stderr));
    let folder = PathBuf::from(String::from_utf8(output.stdout).expect("a path in UTF-8").trim_end());
    assert!(folder.join(".complete").exists(), "{} is not there: run `tests/install tests`", folder.display());
    folder
}

static INTERPRETER: LazyLock<PathBuf> = LazyLock::new(|| installed("--print-venv").join("bin/python"));

/// A script, ready to start.
pub fn command(script: &str) -> Command {
    let mut command = Command::new(&*INTERPRETER);
    command.args(["-I", "-c", script]); // isolated: the user's own packages and variables don't count
    command
}

/// Runs a script with these arguments and this standard input, and gives back how it ended.
pub fn run(script: &str, args: &[&str], stdin: &[u8]) -> Output {
    let mut child = command(script)
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the Python of the virtual environment starts");
    let mut pipe = child.stdin.take().expect("stdin is piped");
    let output = std::thread::scope(|scope| {
        // From a thread of its own: both sides may have more to say than a pipe holds.
        scope.spawn(move || {
            // A script may end without reading all of it: its exit code says whether that was right.
            let _ = pipe.write_all(stdin);
        });
        child.wait_with_output()
    });
    output.expect("the script ends")
}

/// Runs a script that has to succeed, and returns what it printed.
///
/// # Panics
/// With the script's error output, if its exit code is not 0.
#[track_caller]
pub fn check(script: &str, args: &[&str], stdin: &[u8]) -> String {
    let output = run(script, args, stdin);
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "the script ended with {}\n{stdout}{stderr}", output.status);
    stdout.into_owned()
}

mod tests {
    use super::*;

    #[test]
    fn stdin_arguments_and_exit_code_go_through() {
        let big = "x".repeat(1 << 20);
        let printed = check("import sys; print(sys.argv[1:], len(sys.stdin.read()))", &["a b", "c"], big.as_bytes());
        assert_eq!(printed, "['a b', 'c'] 1048576\n");
        assert_eq!(run("raise SystemExit(3)", &[], big.as_bytes()).status.code(), Some(3));
    }

    #[test]
    #[should_panic(expected = "AssertionError: no")]
    fn a_failing_script_fails_the_test_with_its_words() {
        check("assert False, 'no'", &[], b"");
    }

    #[test]
    fn the_libraries_that_checks_need_are_there() {
        check("import cloudevents, confluent_kafka, jsonschema, slack_sdk, standardwebhooks, svix", &[], b"");
    }
}
