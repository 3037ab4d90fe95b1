//! What member comes next: records of one sender have the same keys in the same order, so each object remembers them.
//!
//! A guess is the text from the comma (or opening brace) before a key to its value, the opening quote of a text
//! included, with the child it led to. Equal bytes mean equal tokens, so a hit needs no look at the key at all; a miss
//! costs one comparison.

use super::tree::NodeId;

/// Members of one object that are remembered.
const MEMBERS: usize = 16;

/// Bytes of a member's text before its value: that of the longest key that an event always has takes 24 with blanks
/// after comma and colon.
const BYTES: usize = 24;

/// Guesses for all objects of a tree. Reused from record to record.
#[derive(Debug)]
pub(super) struct Guesses {
    /// For each object and member two, as events of two kinds come in turns. The one that was made last is the first.
    all: Vec<[[Guess; 2]; MEMBERS]>,
}

/// What stands before a member's value, and whose value it is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Member {
    /// The wanted place, if it is one.
    pub(super) child: Option<NodeId>,
    /// Whether the opening quote of a text is part of it.
    pub(super) is_text: bool,
}

/// One member's beginning.
#[derive(Clone, Copy, Debug)]
struct Guess {
    text: [u64; 3],
    /// The bits of `text` that count.
    mask: [u64; 3],
    len: usize,
    member: Member,
}

impl Default for Guess {
    /// No text of a record is like this: no UTF-8 has such bytes.
    fn default() -> Self {
        let never = [u64::MAX; 3];
        Self { text: never, mask: never, len: 0, member: Member { child: None, is_text: false } }
    }
}

impl Guesses {
    /// Nothing known of this many objects.
    pub(super) fn new(objects: usize) -> Self {
        Self { all: vec![Default::default(); objects] }
    }

    /// Where the value of an object's member begins and what it is, if the text here is what was there lately.
    #[inline(always)]
    pub(super) fn look(&self, object: usize, member: usize, bytes: &[u8], at: usize) -> Option<(usize, Member)> {
        let guesses = &self.all.get(object)?[member % MEMBERS];
        let text = words(bytes.get(at..)?.first_chunk()?);
        // A jump that is foreseen most of the time: what follows need not wait for the comparison.
        let guess = guesses.iter().find(|guess| guess.is_right(text))?;
        Some((at + guess.len, guess.member))
    }

    /// Remembers what was there instead, from `at` to `start`.
    #[cold]
    pub(super) fn learn(
        &mut self,
        object: usize,
        number: usize,
        bytes: &[u8],
        (at, start): (usize, usize),
        member: Member,
    ) {
        let len = start - at;
        // What is too long, or so close to the record's end that it is never compared.
        if len > BYTES || at + BYTES > bytes.len() {
            return;
        }
        let Some(guesses) = self.all.get_mut(object).map(|all| &mut all[number % MEMBERS]) else {
            return;
        };
        let (mut padded, mut mask) = ([0; BYTES], [0; BYTES]);
        padded[..len].copy_from_slice(&bytes[at..start]);
        mask[..len].fill(0xff);
        guesses[1] = guesses[0];
        guesses[0] = Guess { text: words(&padded), mask: words(&mask), len, member };
    }
}

impl Guess {
    #[inline(always)]
    fn is_right(&self, text: [u64; 3]) -> bool {
        let differs = (text[0] ^ self.text[0]) & self.mask[0]
            | (text[1] ^ self.text[1]) & self.mask[1]
            | (text[2] ^ self.text[2]) & self.mask[2];
        differs == 0
    }
}

#[inline(always)]
fn words(bytes: &[u8; BYTES]) -> [u64; 3] {
    let (words, _) = bytes.as_chunks::<8>();
    [u64::from_le_bytes(words[0]), u64::from_le_bytes(words[1]), u64::from_le_bytes(words[2])]
}
