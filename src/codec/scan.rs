//! JSON text, token by token: strings, numbers and whole values to skip, with the grammar checked in full.
//!
//! Every function takes a position in the text and returns the position after what it read. Nothing here allocates
//! or recurses. What it accepts is what `serde_json` accepts when it skips a value, with a limit on nesting; so a
//! lone surrogate (`"\ud83d"`, an emoji cut in half by a sender) is no fault.

use super::stops;
use crate::core::limits::MAX_DEPTH;

/// Why a text is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// Not JSON, seen at this byte.
    NotJson(usize),
    /// Nested deeper than is followed, seen at this byte.
    TooDeep(usize),
}

/// The position after what was read.
pub(super) type Scanned = Result<usize, Fault>;

/// A text and where its strings can end.
#[derive(Clone, Copy, Debug)]
pub(super) struct Json<'a> {
    pub(super) bytes: &'a [u8],
    /// [`Stops::words`](super::stops::Stops::words) of the same bytes.
    pub(super) stops: &'a [u64],
}

/// The string whose first character is at `at`: the position of its closing quote, and whether it has escapes.
#[inline(always)]
pub(super) fn string(json: Json<'_>, at: usize) -> Result<(usize, bool), Fault> {
    let end = stops::next(json.stops, at);
    match json.bytes.get(end) {
        Some(b'"') => Ok((end, false)),
        _ => escaped_string(json, end).map(|end| (end, true)),
    }
}

/// The rest of a string from its first backslash (or fault) on.
#[cold]
fn escaped_string(json: Json<'_>, mut at: usize) -> Scanned {
    loop {
        match json.bytes.get(at) {
            Some(b'"') => return Ok(at),
            Some(b'\\') => at = escape(json.bytes, at)?,
            _ => return Err(Fault::NotJson(at)),
        }
        at = stops::next(json.stops, at);
    }
}

fn escape(bytes: &[u8], at: usize) -> Scanned {
    match bytes.get(at + 1) {
        Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Ok(at + 2),
        Some(b'u') => match bytes.get(at + 2..at + 6) {
            Some(digits) if digits.iter().all(u8::is_ascii_hexdigit) => Ok(at + 6),
            _ => Err(Fault::NotJson(at)),
        },
        _ => Err(Fault::NotJson(at)),
    }
}

/// The first character that is not white space.
#[inline(always)]
pub(super) fn blanks(bytes: &[u8], mut at: usize) -> usize {
    while let Some(byte) = bytes.get(at) {
        // One comparison for what nearly always comes.
        if *byte > b' ' || !matches!(byte, b' ' | b'\n' | b'\r' | b'\t') {
            break;
        }
        at += 1;
    }
    at
}

/// One wanted character, and the white space after it.
#[inline(always)]
pub(super) fn expect(bytes: &[u8], at: usize, wanted: u8) -> Scanned {
    if bytes.get(at) == Some(&wanted) { Ok(blanks(bytes, at + 1)) } else { Err(Fault::NotJson(at)) }
}

fn digits(bytes: &[u8], mut at: usize) -> usize {
    while bytes.get(at).is_some_and(u8::is_ascii_digit) {
        at += 1;
    }
    at
}

/// A number that begins here.
#[inline]
pub(super) fn number(bytes: &[u8], at: usize) -> Scanned {
    let whole = at + usize::from(bytes.get(at) == Some(&b'-'));
    let mut at = digits(bytes, whole);
    // At least one digit, and no zero before others.
    if at == whole || (at > whole + 1 && bytes[whole] == b'0') {
        return Err(Fault::NotJson(whole));
    }
    if bytes.get(at) == Some(&b'.') {
        at = some_digits(bytes, at + 1)?;
    }
    if let Some(b'e' | b'E') = bytes.get(at) {
        let sign = usize::from(matches!(bytes.get(at + 1), Some(b'+' | b'-')));
        at = some_digits(bytes, at + 1 + sign)?;
    }
    Ok(at)
}

fn some_digits(bytes: &[u8], at: usize) -> Scanned {
    let end = digits(bytes, at);
    if end == at {
        return Err(Fault::NotJson(at));
    }
    Ok(end)
}

/// `true`, `false` or `null`.
#[inline]
pub(super) fn word(bytes: &[u8], at: usize, wanted: &str) -> Scanned {
    let end = at + wanted.len();
    if bytes.get(at..end) == Some(wanted.as_bytes()) { Ok(end) } else { Err(Fault::NotJson(at)) }
}

/// Any value that begins here, inside `depth` objects and lists.
#[inline(always)]
pub(super) fn value(json: Json<'_>, at: usize, depth: usize) -> Scanned {
    match json.bytes.get(at) {
        Some(b'"') => string(json, at + 1).map(|(end, _)| end + 1),
        Some(b'{' | b'[') => container(json, at, depth),
        _ => scalar(json.bytes, at),
    }
}

#[inline]
fn scalar(bytes: &[u8], at: usize) -> Scanned {
    match bytes.get(at) {
        Some(b't') => word(bytes, at, "true"),
        Some(b'f') => word(bytes, at, "false"),
        Some(b'n') => word(bytes, at, "null"),
        _ => number(bytes, at),
    }
}

/// An object or list. Which of the two each open level is, is a bit of one integer: [`MAX_DEPTH`] fits.
fn container(json: Json<'_>, mut at: usize, depth: usize) -> Scanned {
    const _: () = assert!(MAX_DEPTH <= u128::BITS as usize);
    let bytes = json.bytes;
    let (mut objects, mut open) = (0u128, 0usize);
    loop {
        // A value begins here; an opening bracket only opens it and goes on to what is inside.
        let start = at;
        match bytes.get(at) {
            Some(b'"') => at = string(json, at + 1)?.0 + 1,
            Some(bracket @ (b'{' | b'[')) => {
                if depth + open >= MAX_DEPTH {
                    return Err(Fault::TooDeep(start));
                }
                open += 1;
                objects = objects << 1 | u128::from(*bracket == b'{');
                at = blanks(bytes, at + 1);
                let is_object = objects & 1 == 1;
                if bytes.get(at) != Some(if is_object { &b'}' } else { &b']' }) {
                    if is_object {
                        at = key(json, at)?;
                    }
                    continue;
                }
            }
            _ => at = scalar(bytes, at)?,
        }
        // A value has ended, or an empty container is about to: close what closes, up to the next value.
        loop {
            at = blanks(bytes, at);
            let is_object = objects & 1 == 1;
            match bytes.get(at) {
                Some(b',') => {
                    at = blanks(bytes, at + 1);
                    if is_object {
                        at = key(json, at)?;
                    }
                    break;
                }
                Some(b'}') if is_object => {}
                Some(b']') if !is_object => {}
                _ => return Err(Fault::NotJson(at)),
            }
            at += 1;
            open -= 1;
            objects >>= 1;
            if open == 0 {
                return Ok(at);
            }
        }
    }
}

/// A key with its colon, of no interest: the position of its value.
#[inline(always)]
fn key(json: Json<'_>, at: usize) -> Scanned {
    let bytes = json.bytes;
    if bytes.get(at) != Some(&b'"') {
        return Err(Fault::NotJson(at));
    }
    let (end, _) = string(json, at + 1)?;
    expect(bytes, blanks(bytes, end + 1), b':')
}

/// Writes what a string between quotes says. The string was read by [`string`], so its escapes are well formed; half
/// of a surrogate pair becomes U+FFFD.
pub(super) fn unescape(text: &str, out: &mut String) {
    let mut rest = text;
    while let Some((plain, escape)) = rest.split_once('\\') {
        out.push_str(plain);
        let mut chars = escape.chars();
        let what = match chars.next() {
            Some('b') => '\u{8}',
            Some('f') => '\u{c}',
            Some('n') => '\n',
            Some('r') => '\r',
            Some('t') => '\t',
            Some('u') => {
                let (what, after) = unicode(escape);
                chars = after.chars();
                what
            }
            other => other.unwrap_or(char::REPLACEMENT_CHARACTER),
        };
        out.push(what);
        rest = chars.as_str();
    }
    out.push_str(rest);
}

/// The character of an escape `u` + four digits, with the second half of its pair if it has one; and what follows.
fn unicode(escape: &str) -> (char, &str) {
    let unit = |text: &str| {
        let digits = text.strip_prefix('u')?.get(..4)?;
        u32::from_str_radix(digits, 16).ok()
    };
    let after = escape.get(5..).unwrap_or_default();
    let first = unit(escape).unwrap_or(0xFFFD);
    if let 0xD800..0xDC00 = first
        && let Some(low @ 0xDC00..0xE000) = after.strip_prefix('\\').and_then(unit)
    {
        let both = 0x1_0000 + ((first - 0xD800) << 10) + (low - 0xDC00);
        let what = char::from_u32(both).unwrap_or(char::REPLACEMENT_CHARACTER);
        return (what, after.get(6..).unwrap_or_default());
    }
    let what = char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER);
    (what, after)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<(), Fault> {
        let bytes = text.as_bytes();
        let mut stops = stops::Stops::default();
        stops.find(bytes);
        let stops = stops.words();
        let end = value(Json { bytes, stops }, blanks(bytes, 0), 0)?;
        let end = blanks(bytes, end);
        if end == bytes.len() { Ok(()) } else { Err(Fault::NotJson(end)) }
    }

    #[test]
    fn values_are_accepted_just_when_serde_json_skips_them() {
        #[rustfmt::skip]
        let texts = [
            "", " ", "0", "-0", "-", "01", "-01", "1.", ".5", "1.5", "1e", "1e+", "1e+5", "1E-05", "1.5e3", "+1", "0x1", "1 2",
            "true", "tru", "truex", "false", "null", "nul", "NaN", "Infinity",
            r#""""#, r#"""#, r#""a"#, r#""\"#, r#""\""#, r#""\"""#, r#""\q""#, r#""\u12""#, r#""\u12g4""#, r#""\u1234""#, r#""\ud83d""#,
            r#""\udE00""#, r#""\ud83d\ude00""#, "\"tab\there\"", "\"nul\0\"", "\"\u{7f}\"", "\"\u{e9}\u{1F600}\"", "\"12345678\t\"",
            r#""1234567\n89""#, r#""123456781234567812345678""#, "'a'",
            "[]", "[ ]", "[,]", "[1,]", "[1 2]", "[1,2]", "[1", "[", "]", "[}", "[[],[[]],{}]", "[1]]", "[\"a\"]",
            "{}", "{ }", "{,}", r#"{"a"}"#, r#"{"a":}"#, r#"{"a":1,}"#, r#"{"a":1 "b":2}"#, r#"{"a":1,"b":[{}]}"#, "{a:1}", "{1:1}", r#"{"a" : 1 , "b" : { } }"#,
            r#"{"a":1]"#, r#"{"a":[1}"#, "\u{feff}1", "\u{a0}1", "/**/1", "{}x", "{} ", "\n\r\t {} \n",
        ];
        for text in texts {
            let theirs = serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok();
            assert_eq!(read(text).is_ok(), theirs, "{text:?}");
        }
    }

    #[test]
    fn nesting_is_followed_to_the_limit_and_no_further() {
        for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
            let nested = |depth: usize| {
                let inner = if open == "[" { "" } else { "1" };
                format!("{}{inner}{}", open.repeat(depth), close.repeat(depth))
            };
            assert_eq!(read(&nested(MAX_DEPTH)), Ok(()));
            let place = MAX_DEPTH * open.len();
            assert_eq!(read(&nested(MAX_DEPTH + 1)), Err(Fault::TooDeep(place)));
            assert_eq!(read(&open.repeat(1_000_000)), Err(Fault::TooDeep(place)));
        }
    }

    #[test]
    fn escapes_say_what_they_mean() {
        #[rustfmt::skip]
        let rows = [
            (r#"plain"#, "plain"), (r#"\"\\\/\b\f\n\r\t"#, "\"\\/\u{8}\u{c}\n\r\t"), (r#"a\u0041b"#, "aAb"), (r#"\u00e9x"#, "\u{e9}x"),
            (r#"\ud83d\ude00!"#, "\u{1F600}!"), (r#"\ud83d!"#, "\u{FFFD}!"), (r#"\ude00\ud83d"#, "\u{FFFD}\u{FFFD}"),
            (r#"\ud83d\u0041"#, "\u{FFFD}A"), (r#"\ud83d\ud83d\ude00"#, "\u{FFFD}\u{1F600}"), (r#"\u0000"#, "\0"),
        ];
        for (escaped, says) in rows {
            let mut out = String::from(">");
            unescape(escaped, &mut out);
            assert_eq!(out, format!(">{says}"), "{escaped}");
        }
    }
}
