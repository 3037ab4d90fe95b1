//! The README is true: its YAML checks without a fault, its commands parse, and the paths that it names exist.

use std::path::Path;

use clap::Parser;
use hotlead::cli::Cli;
use hotlead::config;
use regex::Regex;

/// A fenced block: its language, the number of its first line, its text.
struct Block {
    language: String,
    line: usize,
    text: String,
}

fn blocks(markdown: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut open: Option<Block> = None;
    for (index, line) in markdown.lines().enumerate() {
        match (line.strip_prefix("```"), open.take()) {
            (Some(language), None) => {
                open = Some(Block { language: language.to_owned(), line: index + 2, text: String::new() });
            }
            (Some(_), Some(block)) => blocks.push(block),
            (None, Some(mut block)) => {
                block.text += line;
                block.text.push('\n');
                open = Some(block);
            }
            (None, None) => {}
        }
    }
    blocks
}

/// Faults and warnings of a rules or config file. That a secret is not set here is no fault of the text.
fn yaml_faults(block: &Block) -> Vec<String> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("block.yaml");
    std::fs::write(&file, &block.text).expect("the folder is writable");
    let (_, faults) = config::check(&file).expect("the file was just written");
    let is_of_this_place = |line: &&str| line.contains("warning: the variable") && line.ends_with("is not set");
    let prefix = format!("{}:", file.display());
    let faults = faults.to_string();
    let faults = faults.lines().filter(|line| !is_of_this_place(line));
    let faults = faults.map(|line| line.strip_prefix(&prefix).unwrap_or(line));
    faults.map(|fault| format!("block at {}: {fault}", block.line)).collect()
}

/// The commands of a line: what pipes and `&&` connect, without redirections and comments.
fn commands(line: &str) -> impl Iterator<Item = Vec<&str>> {
    let line = line.split(" #").next().unwrap_or_default();
    let commands = line.split(['|', '&', ';']).map(|command| command.split('>').next().unwrap_or_default());
    commands.map(|command| command.split_whitespace().collect())
}

/// Commands of ours that cannot be typed like this. `deploy/demo` takes what `hotlead demo` takes.
fn command_faults(line: &str) -> Vec<String> {
    let typed = commands(line).filter_map(|words| match words.split_first()? {
        (&"hotlead", _) => Some(words),
        (&"deploy/demo", rest) => Some([&["hotlead", "demo"], rest].concat()),
        _ => None,
    });
    let refused = typed.filter_map(|words| Cli::try_parse_from(words).err());
    // Help and version are no refusals.
    refused.filter(clap::Error::use_stderr).map(|error| error.to_string()).collect()
}

/// Paths of this repository that stand anywhere in the text, and targets of links that are none.
fn path_faults(text: &str, exists: impl Fn(&str) -> bool) -> Vec<String> {
    let inside =
        Regex::new(r"(?:^|[\s`(])((?:deploy|schemas|src|tests)/[A-Za-z0-9_./-]*[A-Za-z0-9_/-])").expect("a regex");
    let target = Regex::new(r"\]\(([^)#]+)\)").expect("a regex");
    let named = inside.captures_iter(text).chain(target.captures_iter(text));
    let paths = named.map(|found| found.get(1).expect("each regex has one group").as_str());
    let missing = paths.filter(|path| !path.starts_with("https://") && !exists(path));
    missing.map(|path| format!("{path} does not exist")).collect()
}

/// Links to sections that are not there: a heading's anchor is its words in lower case with `-` between them.
fn anchor_faults(text: &str) -> Vec<String> {
    let headings = text.lines().filter(|line| line.starts_with('#'));
    let anchor = |line: &str| {
        let words = line.trim_start_matches('#').trim().to_lowercase();
        words.chars().filter(|c| c.is_alphanumeric() || " -".contains(*c)).collect::<String>().replace(' ', "-")
    };
    let anchors: Vec<_> = headings.map(anchor).collect();
    let link = Regex::new(r"\]\(#([^)]+)\)").expect("a regex");
    let links = link.captures_iter(text).map(|found| found[1].to_owned());
    links.filter(|link| !anchors.contains(link)).map(|link| format!("no section #{link}")).collect()
}

fn faults(text: &str, exists: impl Fn(&str) -> bool) -> Vec<String> {
    let blocks = blocks(text);
    let of = |language: &'static str| blocks.iter().filter(move |block| block.language == language);
    let mut faults: Vec<_> = of("yaml").flat_map(yaml_faults).collect();
    faults.extend(of("sh").flat_map(|block| block.text.lines()).flat_map(command_faults));
    faults.extend(path_faults(text, exists));
    faults.extend(anchor_faults(text));
    faults
}

#[test]
fn the_readme_is_true() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(root.join("README.md")).expect("a text");
    let faults = faults(&text, |path| root.join(path).exists());
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    for command in ["\ndeploy/demo\n", "\ntests/run\n", "\nhotlead run ", "\nhotlead backtest "] {
        assert!(text.contains(command), "the README no longer says {command:?}");
    }
    for language in ["yaml", "sh"] {
        assert!(blocks(&text).iter().any(|block| block.language == language), "no block of {language} was found");
    }
}

#[test]
fn what_is_not_true_is_found() {
    #[rustfmt::skip]
    let table = [
        // text                                                             a word of the fault, if it is one
        ("```yaml\nversion: 1\nkafka: { brokers: [k:1] }\nrules: r\ngrup: g\n```", Some("block at 2: 4:1: grup:")),
        ("```yaml\n- a\n```",                                                Some("must be a map")),
        ("```yaml\nversion: 1\nkafka: { brokers: [k:1] }\nrules: r\n```",    None),
        ("```sh\nhotlead run --config c.yaml\n```",                          None),
        ("```sh\nhotlead run --confg c.yaml\n```",                           Some("--confg")),
        ("```sh\nhotlead simulate --events 5 | hotlead backtest > out\n```", Some("--rules")),
        ("```sh\ndeploy/demo --for 30s\n```",                                None),
        ("```sh\ndeploy/demo --while 30s\n```",                              Some("--while")),
        ("```sh\nls && hotlead --help  # hotlead x\n```",                    None),
        ("`src/gone.rs`, [a](deploy/demo), see https://src/x.",              Some("src/gone.rs does not exist")),
        ("[a](gone.md)",                                                     Some("gone.md does not exist")),
        ("## Of it all\n[a](#of-it-all)",                                    None),
        ("## Of it all\n[a](#of-it)",                                        Some("no section #of-it")),
    ];
    for (text, expected) in table {
        let faults = faults(text, |path| path == "deploy/demo");
        match expected {
            Some(word) => assert!(faults.len() == 1 && faults[0].contains(word), "{text}\n{faults:?}"),
            None => assert!(faults.is_empty(), "{text}\n{faults:?}"),
        }
    }
}
