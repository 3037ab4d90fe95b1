//! The one line about a right that Kafka denies us: on what, which right, and the command that grants it.

use std::fmt;

/// What Kafka keeps rights on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resource<'a> {
    /// A topic.
    Topic(&'a str),
    /// A consumer group.
    Group(&'a str),
    /// The id of a producer of transactions.
    TransactionalId(&'a str),
}

/// What we have to be allowed to do with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Right {
    /// Fetch records; join a group and commit offsets.
    Read,
    /// Produce records; open transactions.
    Write,
    /// Give a topic more partitions.
    Alter,
}

/// A resource that is refused for want of a right. Prints as one line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Denied<'a> {
    /// Which.
    pub resource: Resource<'a>,
    /// What we lack.
    pub right: Right,
}

impl fmt::Display for Denied<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (what, option, name) = match self.resource {
            Resource::Topic(name) => ("topic", "--topic", name),
            Resource::Group(name) => ("group", "--group", name),
            Resource::TransactionalId(name) => ("transactional id", "--transactional-id", name),
        };
        let right = match self.right {
            Right::Read => "Read",
            Right::Write => "Write",
            Right::Alter => "Alter",
        };
        write!(
            f,
            "no access to {what} {name:?}: the principal needs {right} on it; grant it with kafka-acls.sh --add \
             --allow-principal User:NAME --operation {right} {option} {name}"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_names_the_resource_the_right_and_the_command() {
        let denied = Denied { resource: Resource::TransactionalId("hotlead-hot-1-0"), right: Right::Write };
        assert_eq!(
            denied.to_string(),
            "no access to transactional id \"hotlead-hot-1-0\": the principal needs Write on it; grant it with \
             kafka-acls.sh --add --allow-principal User:NAME --operation Write --transactional-id hotlead-hot-1-0"
        );
    }
}
