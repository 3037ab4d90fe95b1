//! Any text is a rules file or a list of faults, never a panic; and never both rules and faults that forbid them.
//!
//! `RUSTC_BOOTSTRAP=1 cargo fuzz run -s none --fuzz-dir tests/fuzz rules tests/fuzz/corpus/rules deploy/rules`
#![no_main]

use hotlead::core::rule::RuleSet;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let (rules, _faults) = hotlead::config::rules::read("f", text);
    // What passed the check must compile: invalid values cannot exist after it.
    if let Some(rules) = rules {
        let _ = RuleSet::compile(rules);
    }
});
