//! The compiled rule set: names turned into indices, fields into slots, and an index from events to what they touch.

use super::event::FieldTable;
use super::spec::RulesSpec;

/// One immutable value that workers share and can swap between two commits.
#[derive(Debug)]
pub struct RuleSet {
    spec: RulesSpec,
    fields: FieldTable,
}

impl RuleSet {
    /// Compiles checked rules.
    pub fn compile(spec: RulesSpec) -> Self {
        Self {
            spec,
            fields: FieldTable::new(),
        }
    }

    /// The rules in words.
    pub fn spec(&self) -> &RulesSpec {
        &self.spec
    }

    /// The fields that the codec has to find in a record.
    pub fn fields(&self) -> &FieldTable {
        &self.fields
    }
}
