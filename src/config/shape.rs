//! What a file may say, as data: each key with its meaning and type. The reader refuses keys that do not stand here, and
//! the JSON Schemas are made from it, so that neither can know a key that the other does not.

/// A map of the file with fixed keys.
#[derive(Debug)]
pub(super) struct Shape {
    /// What it is called in the schema.
    pub name: &'static str,
    /// One sentence for editors.
    pub says: &'static str,
    pub keys: &'static [Key],
    /// More keys, shared with other maps.
    pub also: &'static [Key],
    /// How many of which keys there must be, beyond each key's own need.
    pub choice: Choice,
}

/// How many of a map's keys there must be.
#[derive(Clone, Copy, Debug)]
pub(super) enum Choice {
    Free,
    /// Exactly one of these.
    One(&'static [&'static str]),
    /// One of these at least.
    Some(&'static [&'static str]),
}

/// One key of a map.
#[derive(Debug)]
pub(super) struct Key {
    pub name: &'static str,
    /// One sentence for editors.
    pub says: &'static str,
    pub is: Is,
    pub need: Need,
}

/// Whether a key must be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Need {
    Optional,
    Required,
}

/// What a value is.
#[derive(Clone, Copy, Debug)]
pub(super) enum Is {
    /// The number 1.
    Version,
    /// A text of one line.
    Text,
    /// `[A-Za-z0-9_.-]{1,64}`.
    Name,
    /// `[a-z0-9-]{1,40}`.
    SinkId,
    Truth,
    /// A whole number in this range.
    Whole(i64, i64),
    /// Any finite number.
    Number,
    /// A number with at most one decimal.
    Points,
    Duration,
    /// A duration, or `never`.
    HalfLife,
    /// `latest`, `earliest`, or an age.
    Start,
    /// One of these words.
    Word(&'static [&'static str]),
    /// `env:NAME` or `file:PATH`.
    Secret,
    /// One secret, or two while they are exchanged.
    Secrets,
    /// One scalar or a list of them.
    AnyOf,
    /// One text or a list of them.
    TextOf,
    /// A scalar, a list, or a map of tests.
    Matcher,
    /// Any key, each with a secret.
    SecretMap,
    /// Any key, each with a scalar.
    AnyMap,
    /// Fields of an event, each with a matcher.
    Fields,
    /// Fields of an alert, each with a matcher.
    AlertFields,
    Map(&'static Shape),
    /// Names, each with such a map.
    Named(&'static Shape),
    /// At least one such map.
    List(&'static Shape),
    /// Such maps, perhaps none.
    Maps(&'static Shape),
    /// A list of texts.
    Texts,
    /// A list of texts, or yes or no to all of them.
    TextsOrTruth,
    /// The word, or such a map.
    WordOr(&'static str, &'static Shape),
}

impl Shape {
    /// Every key.
    pub fn all_keys(&self) -> impl Iterator<Item = &'static Key> {
        self.keys.iter().chain(self.also)
    }

    /// The key of that name.
    pub fn key(&self, name: &str) -> Option<&'static Key> {
        self.all_keys().find(|key| key.name == name)
    }
}

/// A map with these keys.
pub(super) const fn shape(name: &'static str, says: &'static str, keys: &'static [Key]) -> Shape {
    Shape { name, says, keys, also: &[], choice: Choice::Free }
}

impl Shape {
    pub const fn with(self, also: &'static [Key]) -> Self {
        Self { also, ..self }
    }

    pub const fn one_of(self, keys: &'static [&'static str]) -> Self {
        let choice = Choice::One(keys);
        Self { choice, ..self }
    }

    pub const fn some_of(self, keys: &'static [&'static str]) -> Self {
        let choice = Choice::Some(keys);
        Self { choice, ..self }
    }
}

/// A key that may be left out.
pub(super) const fn key(name: &'static str, is: Is, says: &'static str) -> Key {
    let need = Need::Optional;
    Key { name, says, is, need }
}

/// A key that must be there.
pub(super) const fn required(name: &'static str, is: Is, says: &'static str) -> Key {
    let need = Need::Required;
    Key { name, says, is, need }
}
