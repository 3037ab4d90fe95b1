//! The layer table: who may import whom, and what no file of a layer may use.

use super::Fault;
use super::rust::{code_only, paths, without_tests};

struct Layer {
    modules: &'static [&'static str],
    /// Paths that its code, without its tests, may not use.
    forbidden: &'static [&'static str],
}

/// From the lowest to the highest. A module may import itself and lower ones.
#[rustfmt::skip]
const LAYERS: &[Layer] = &[
    Layer {
        modules: &["core"],
        // A function of its inputs: no I/O, no clock, no chance, no order that changes from run to run.
        forbidden: &[
            "tokio", "tokio_stream", "rdkafka", "reqwest", "axum", "tracing", "fastrand", "rand",
            "std::time::Instant", "std::time::SystemTime", "std::collections::HashMap", "std::collections::HashSet",
            "std::collections::hash_map", "std::collections::hash_set", "std::hash::RandomState",
            "std::fs", "std::env", "std::thread", "std::process",
            "std::net::TcpStream", "std::net::TcpListener", "std::net::UdpSocket",
        ],
    },
    Layer {
        modules: &["config", "codec", "telemetry"],
        forbidden: &[
            "tokio::net", "reqwest", "rdkafka::consumer", "rdkafka::producer", "rdkafka::admin",
            "std::net::TcpStream", "std::net::TcpListener", "std::net::UdpSocket",
        ],
    },
    Layer { modules: &["source", "sink", "notify", "console"], forbidden: &[] },
    Layer { modules: &["run", "backtest"], forbidden: &[] },
    Layer { modules: &["cli"], forbidden: &[] },
    Layer { modules: &["main"], forbidden: &[] },
];

fn layer_of(module: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.modules.contains(&module))
}

/// Imports that the table forbids, in a file of `src`.
pub fn check_layers(path: &str, text: &str) -> Vec<Fault> {
    let inside = path.strip_prefix("src/").unwrap_or(path);
    let module = inside.split('/').next().unwrap_or_default().trim_end_matches(".rs");
    if module == "lib" {
        return Vec::new(); // names the modules, and is what they all belong to
    }
    let Some(own) = layer_of(module) else {
        return vec![Fault::new(path, 1, format!("{module} is in no layer of tests/tidy/layers.rs"))];
    };
    let mut faults = Vec::new();
    for (line, used) in paths(&code_only(text)) {
        let mut names = used.split("::");
        let (true, Some(other)) = (matches!(names.next(), Some("crate" | "hotlead")), names.next()) else {
            continue;
        };
        if other != module && layer_of(other).is_some_and(|layer| layer >= own) {
            let relation = if layer_of(other) == Some(own) { "its sibling" } else { "the higher" };
            faults.push(Fault::new(path, line, format!("{module} may not import {relation} {other}")));
        }
    }
    for (line, used) in paths(&code_only(without_tests(text))) {
        let hit = LAYERS[own].forbidden.iter().find(|forbidden| {
            used.strip_prefix(**forbidden).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
        });
        if let Some(forbidden) = hit {
            faults.push(Fault::new(path, line, format!("{module} may not use {forbidden}")));
        }
    }
    faults
}

#[test]
fn forbidden_imports_are_found() {
    #[rustfmt::skip]
    let table = [
        // file                     code                                          what is wrong
        ("src/core/window.rs",      "use crate::core::event::Event;",             None),
        ("src/core/window.rs",      "\nuse crate::config::Rules;",                Some("2: core may not import the higher config")),
        ("src/core/window.rs",      "// crate::config is not used",               None),
        ("src/core/window.rs",      "use std::{fmt, time::{Duration, Instant}};", Some("1: core may not use std::time::Instant")),
        ("src/core/window.rs",      "let m = std::collections::HashMap::new();",  Some("1: core may not use std::collections::HashMap")),
        ("src/core/window.rs",      "use hashbrown::HashMap;",                    None),
        ("src/core/window.rs",      "tracing::info!(\"x\");",                     Some("1: core may not use tracing")),
        ("src/core/window.rs",      "#[cfg(test)]\nmod tests {\nuse std::collections::HashSet; }", None),
        ("src/core/window.rs",      "#[cfg(test)]\nmod tests {\nuse crate::run::Worker; }", Some("3: core may not import the higher run")),
        ("src/codec/segment.rs",    "use crate::{core::Event, config::Rules};",   Some("1: codec may not import its sibling config")),
        ("src/telemetry/mod.rs",    "use rdkafka::consumer::BaseConsumer;",       Some("1: telemetry may not use rdkafka::consumer")),
        ("src/telemetry/mod.rs",    "use rdkafka::Statistics;",                   None),
        ("src/sink/mod.rs",         "use crate::telemetry::Metrics;",             None),
        ("src/run.rs",              "use crate::backtest::x;",                    Some("1: run may not import its sibling backtest")),
        ("src/main.rs",             "hotlead::cli::main()",                       None),
        ("src/lib.rs",              "pub mod core; pub use crate::run::Run;",     None),
        ("src/utilities.rs",        "",                                           Some("1: utilities is in no layer of tests/tidy/layers.rs")),
    ];
    for (path, code, expected) in table {
        let faults: Vec<_> = check_layers(path, code).iter().map(Fault::to_string).collect();
        let expected: Vec<_> = expected.iter().map(|what| format!("{path}:{what}")).collect();
        assert_eq!(faults, expected, "{code}");
    }
}
