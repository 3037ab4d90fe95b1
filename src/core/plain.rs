//! Text from outside as a terminal may show it: nothing in it moves the cursor, changes colours or turns the line around.

use std::borrow::Cow;

/// The text with a replacement character for each that steers: all control characters, and those that set the
/// direction of writing.
pub fn plain(text: &str) -> Cow<'_, str> {
    match text.contains(steers) {
        true => text.chars().map(|c| if steers(c) { char::REPLACEMENT_CHARACTER } else { c }).collect(),
        false => Cow::Borrowed(text),
    }
}

fn steers(c: char) -> bool {
    let is_direction =
        matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    c.is_control() || is_direction
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_steers_is_replaced_and_all_else_stays() {
        #[rustfmt::skip]
        let rows = [
            ("Dana Ruiz, مرحبا 🚀",     "Dana Ruiz, مرحبا 🚀"),
            ("\u{1b}[31mred\n\0",       "\u{fffd}[31mred\u{fffd}\u{fffd}"),
            ("a\u{9b}1mb\u{7f}",        "a\u{fffd}1mb\u{fffd}"),
            ("\u{202e}live\u{202c}",    "\u{fffd}live\u{fffd}"),
            ("\u{2066}x\u{2069}\u{61c}", "\u{fffd}x\u{fffd}\u{fffd}"),
        ];
        for (text, expected) in rows {
            assert_eq!(plain(text), expected, "{text:?}");
        }
    }
}
