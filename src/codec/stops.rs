//! Where the strings of a text can end: every quote, backslash and control character, as one bit for each byte.
//!
//! Found 16 bytes at a time for the whole record at once, before its structure is looked at: a string is then skipped
//! by looking at one or two words instead of at its bytes.

/// The stops of one text. Reused from record to record.
#[derive(Debug, Default)]
pub(super) struct Stops {
    /// Bit `n % 64` of word `n / 64` stands for byte `n`. After the text all bits are set, for a whole word at least.
    words: Vec<u64>,
}

impl Stops {
    /// Finds the stops of a text.
    pub(super) fn find(&mut self, bytes: &[u8]) {
        let (chunks, rest) = bytes.as_chunks::<64>();
        self.words.clear();
        self.words.extend(chunks.iter().map(word_of));
        // Past the text all is a stop, so a search that runs there ends.
        let past = u64::MAX << rest.len();
        self.words.push(past | last_word(bytes, rest));
        self.words.push(u64::MAX);
    }

    /// The stops, for reading.
    pub(super) fn words(&self) -> &[u64] {
        &self.words
    }
}

/// The first stop at `at` or after it; the text's length if there is none, or where `at` is if that lies behind it.
#[inline(always)]
pub(super) fn next(words: &[u64], at: usize) -> usize {
    let index = at / 64;
    let Some([here, there]) = words.get(index..).and_then(<[u64]>::first_chunk) else {
        return at;
    };
    // The 64 bytes from `at` on, wherever it lies between two words.
    let ahead = (here >> (at % 64)) | (there << 1 << (63 - at % 64));
    if ahead != 0 { at + ahead.trailing_zeros() as usize } else { far(words, index + 1) }
}

/// The first stop in this word or a later one.
#[inline(never)]
fn far(words: &[u64], from: usize) -> usize {
    let mut later = words.iter().enumerate().skip(from);
    let found = later.find(|(_, word)| **word != 0);
    found.map_or(0, |(index, word)| index * 64 + word.trailing_zeros() as usize)
}

/// The stops of what is left after whole words.
#[inline(always)]
fn last_word(bytes: &[u8], rest: &[u8]) -> u64 {
    if rest.is_empty() {
        return 0;
    }
    // The last 64 bytes of a longer text are the rest with what is known already before it: no copy.
    if let Some(last) = bytes.last_chunk() {
        return word_of(last) >> (64 - rest.len());
    }
    let mut last = [b' '; 64];
    last[..rest.len()].copy_from_slice(rest);
    word_of(&last)
}

#[inline(always)]
fn word_of(chunk: &[u8; 64]) -> u64 {
    let (parts, _) = chunk.as_chunks::<16>();
    let mut word = 0;
    for (n, part) in parts.iter().enumerate() {
        word |= u64::from(bits_of(part)) << (16 * n);
    }
    word
}

#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn bits_of(part: &[u8; 16]) -> u16 {
    // SAFETY: the only demand of the function is SSE2, which belongs to every x86-64.
    unsafe { sse2_bits_of(part) }
}

/// The bytes come as an integer, which needs no pointer and becomes one load all the same.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "sse2")]
#[inline]
fn sse2_bits_of(part: &[u8; 16]) -> u16 {
    use std::arch::x86_64::{
        _mm_cmpeq_epi8, _mm_min_epu8, _mm_movemask_epi8, _mm_or_si128, _mm_set_epi64x, _mm_set1_epi8,
    };
    let whole = u128::from_le_bytes(*part);
    let bytes = _mm_set_epi64x((whole >> 64) as i64, whole as i64);
    let quote = _mm_cmpeq_epi8(bytes, _mm_set1_epi8(b'"' as i8));
    let backslash = _mm_cmpeq_epi8(bytes, _mm_set1_epi8(b'\\' as i8));
    let control = _mm_cmpeq_epi8(_mm_min_epu8(bytes, _mm_set1_epi8(0x1f)), bytes);
    _mm_movemask_epi8(_mm_or_si128(_mm_or_si128(quote, backslash), control)) as u16
}

#[cfg(not(target_arch = "x86_64"))]
#[inline(always)]
fn bits_of(part: &[u8; 16]) -> u16 {
    portable_bits_of(part)
}

/// The definition.
#[cfg(any(test, not(target_arch = "x86_64")))]
fn portable_bits_of(part: &[u8; 16]) -> u16 {
    let is_stop = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..0x20);
    let bits = part.iter().enumerate();
    bits.fold(0, |bits, (n, byte)| bits | u16::from(is_stop(byte)) << n)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_at_every_place_is_a_stop_or_not() {
        for byte in 0..=255u8 {
            for place in 0..16 {
                let mut part = [b'x'; 16];
                part[place] = byte;
                part[(place + 7) % 16] = 0xff;
                assert_eq!(bits_of(&part), portable_bits_of(&part), "{byte} at {place}");
            }
        }
    }

    #[test]
    fn a_search_ends_at_a_stop_or_at_the_end_of_the_text() {
        let mut stops = Stops::default();
        for len in [0, 1, 15, 63, 64, 65, 128, 200] {
            let mut text = vec![b'x'; len];
            stops.find(&text);
            for at in 0..=len {
                assert_eq!(next(stops.words(), at), len, "from {at} of {len}");
            }
            for place in 0..len {
                text[place] = b'"';
                stops.find(&text);
                assert_eq!(next(stops.words(), 0), place, "{place} of {len}");
                assert_eq!(next(stops.words(), place + 1), len, "after {place} of {len}");
                text[place] = b'x';
            }
        }
    }
}
