//! What member comes next: records of one sender have the same keys in the same order, so each object remembers them.
//!
//! A guess is the text from a key's first quote to its value, with the child it led to. Equal bytes mean equal tokens,
//! so a hit needs no look at the key at all; a miss costs one comparison.

use super::tree::NodeId;

/// Members of one object that are remembered.
const MEMBERS: usize = 16;

/// Bytes of a member's text before its value: the longest key that is guessed has 21.
const BYTES: usize = 24;

/// Guesses for all objects of a tree. Reused from record to record.
#[derive(Debug, Default)]
pub(super) struct Guesses {
    /// [`MEMBERS`] for each object; two for each, as events of two kinds come in turns. The one that was made last is the
    /// first.
    all: Vec<[Guess; 2]>,
}

/// One member's beginning.
#[derive(Clone, Copy, Debug, Default)]
struct Guess {
    text: [u64; 3],
    /// The bits of `text` that count; none in an empty guess.
    mask: [u64; 3],
    len: usize,
    child: Option<NodeId>,
}

impl Guesses {
    /// Makes room for this many objects, once.
    pub(super) fn resize(&mut self, objects: usize) {
        self.all.resize(objects * MEMBERS, Default::default());
    }

    /// Where the value of an object's member begins and which child it is, if the text here is what was there lately.
    #[inline(always)]
    pub(super) fn look(
        &self,
        object: usize,
        member: usize,
        bytes: &[u8],
        at: usize,
    ) -> Option<(usize, Option<NodeId>)> {
        let guesses = self.all.get(object * MEMBERS + member % MEMBERS)?;
        let text = words(bytes.get(at..)?.first_chunk()?);
        let guess = guesses.iter().find(|guess| guess.is_right(text))?;
        Some((at + guess.len, guess.child))
    }

    /// Remembers the member that was there instead.
    #[cold]
    pub(super) fn learn(&mut self, object: usize, member: usize, text: &[u8], child: Option<NodeId>) {
        let place = object * MEMBERS + member % MEMBERS;
        let (Some(guesses), true) = (self.all.get_mut(place), text.len() <= BYTES) else {
            return;
        };
        let (mut padded, mut mask) = ([0; BYTES], [0; BYTES]);
        padded[..text.len()].copy_from_slice(text);
        mask[..text.len()].fill(0xff);
        guesses[1] = guesses[0];
        guesses[0] = Guess { text: words(&padded), mask: words(&mask), len: text.len(), child };
    }
}

impl Guess {
    #[inline(always)]
    fn is_right(&self, text: [u64; 3]) -> bool {
        let differs = (text[0] ^ self.text[0]) & self.mask[0]
            | (text[1] ^ self.text[1]) & self.mask[1]
            | (text[2] ^ self.text[2]) & self.mask[2];
        differs == 0 && self.len != 0
    }
}

#[inline(always)]
fn words(bytes: &[u8; BYTES]) -> [u64; 3] {
    let (words, _) = bytes.as_chunks::<8>();
    [u64::from_le_bytes(words[0]), u64::from_le_bytes(words[1]), u64::from_le_bytes(words[2])]
}
