//! A lead on the changelog: the same state in half the bytes, which nobody has to change in place.
//!
//! Numbers are varints: seven bits a byte, the lowest first. Times count back from the lead's clock, an event's time and
//! position from the event after it: the newest comes first. An event says itself which rings it is in and which points
//! it earned; the order within those follows from times. Of its id 48 bits are kept ([`super::super::lead::ID_BITS`]).
//!
//! | part | bytes |
//! |---|---|
//! | sections | 1: a bit for each that is there, as at rest |
//! | clock | varint of milliseconds since 2000 |
//! | events | their number; of each time, position, id (6), label, rings, points |
//! | sums, traits, marks, episodes | the number of each, and then they |
//!
//! A label is twice its number if the rules name it; else its length and text at first, and later its number among the
//! texts. Rings and points are a list that ends with an even number: twice the number and two, and one if more follow.

mod read;
mod write;

pub(in crate::core) use read::read;
pub(in crate::core) use write::write;

/// Lists that both directions work with, reused from lead to lead.
#[derive(Clone, Debug, Default)]
pub(in crate::core) struct Scratch {
    /// (event, ring), and (event, points entry).
    rings: Vec<(u16, u16)>,
    points: Vec<(u16, u16)>,
    /// Of each label of the lead, how it is said; of each text said so far, which label it is.
    labels: Vec<u64>,
}

/// Bytes of an event's id.
const ID_BYTES: usize = 6;

/// Of an episode: its times are there.
const LAST_ANNOUNCED: u8 = 4;
const SPARED: u8 = 8;
const SPARED_FROM: u8 = 32;
/// Of an episode: it was updated in the minute of the lead's clock. From version 3 on; a bit is all that an `updated` costs,
/// for of an earlier minute nobody has to know.
const UPDATED: u8 = 16;

/// Small numbers for small distances in either direction.
fn zigzag(number: i64) -> u64 {
    ((number << 1) ^ (number >> 63)) as u64
}

fn unzigzag(code: u64) -> i64 {
    (code >> 1) as i64 ^ -((code & 1) as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_in_either_direction() {
        #[rustfmt::skip]
        let rows = [(0, 0), (-1, 1), (1, 2), (-2, 3), (i64::MAX, u64::MAX - 1), (i64::MIN, u64::MAX)];
        for (number, code) in rows {
            assert_eq!((zigzag(number), unzigzag(code)), (code, number), "{number}");
        }
    }
}
