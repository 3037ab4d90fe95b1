//! Exit codes, as the interface pins them.

/// Done.
pub const DONE: u8 = 0;
/// The thing asked about is not so.
pub const NOT_SO: u8 = 1;
/// The command line is wrong.
pub const USAGE: u8 = 2;
/// An input file is missing.
pub const NO_INPUT: u8 = 66;
/// A broker or topic cannot be reached.
pub const UNAVAILABLE: u8 = 69;
/// Our own fault.
pub const SOFTWARE: u8 = 70;
/// Fenced by another instance of the same name.
pub const FENCED: u8 = 75;
/// Rules or config are wrong.
pub const CONFIG: u8 = 78;
