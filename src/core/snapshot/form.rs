//! In which form a lead's state is written.

/// How the bytes of a lead's state are laid out: each version of a changelog record has one form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// As at rest: version 1.
    Fixed,
    /// In half the bytes: versions 2 and 3, what is written. A state of version 2 knows of no `updated`.
    Compact,
}
