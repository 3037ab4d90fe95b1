//! Text from outside made fit for Slack: cleaned, escaped, and cut to Slack's lengths in code points.

/// What stands for what was cut off.
const ELLIPSIS: char = '…';

/// One line without anything that cannot be seen: control, bidirectional and zero-width characters go, each run of white
/// space becomes one space.
pub fn clean(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_whitespace() {
            if !out.is_empty() && !out.ends_with(' ') {
                out.push(' ');
            }
        } else if !c.is_control() && !is_invisible(c) {
            out.push(c);
        }
    }
    out.truncate(out.trim_end().len());
    out
}

/// Characters that direct, join or hide others and show nothing themselves.
fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{00ad}' | '\u{034f}' | '\u{061c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
        | '\u{180b}'..='\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{3164}' | '\u{feff}' | '\u{ffa0}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// Text that is written from right to left, kept from turning around what stands before and after it: isolated, and behind a mark
/// that the line itself runs from left to right, for a reader that goes by a line's first letter. Any other stays as it is.
pub fn isolated(text: &str) -> String {
    if text.chars().any(is_right_to_left) { format!("\u{200e}\u{2068}{text}\u{2069}") } else { text.to_owned() }
}

/// Letters of scripts that are written from right to left.
fn is_right_to_left(c: char) -> bool {
    matches!(c,
        '\u{0590}'..='\u{08ff}' | '\u{fb1d}'..='\u{fdff}' | '\u{fe70}'..='\u{fefc}' | '\u{10800}'..='\u{10fff}'
        | '\u{1e800}'..='\u{1efff}')
}

/// For `mrkdwn` and the fallback text: `&`, `<` and `>` can do nothing any more.
pub fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// At most `max` code points, the last one `…` if anything was cut. For text that is not escaped.
pub fn cut(text: &str, max: usize) -> String {
    if text.chars().count() <= max {
        return text.to_owned();
    }
    let mut out: String = text.chars().take(max.saturating_sub(1)).collect();
    out.truncate(out.trim_end().len());
    out.push(ELLIPSIS);
    out
}

/// Like [`cut`], for escaped text: no entity is cut in two.
pub fn cut_escaped(text: &str, max: usize) -> String {
    if text.chars().count() <= max {
        return text.to_owned();
    }
    let mut out: String = text.chars().take(max.saturating_sub(1)).collect();
    // In escaped text an `&` always begins an entity.
    if let Some(start) = out.rfind('&')
        && !out[start..].contains(';')
    {
        out.truncate(start);
    }
    out.truncate(out.trim_end().len());
    out.push(ELLIPSIS);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_cannot_be_seen_goes() {
        #[rustfmt::skip]
        let rows = [
            ("Dana Ruiz",                    "Dana Ruiz"),
            ("  Dana\r\n\tRuiz\u{2028}x  ",  "Dana Ruiz x"),
            ("Da\u{200b}na\u{202e}ziuR\0",   "DanaziuR"),
            ("\u{feff}\u{2066}\u{e0041}",    ""),
            ("Zoë 東京 🚀",                  "Zoë 東京 🚀"),
        ];
        for (text, expected) in rows {
            assert_eq!(clean(text), expected, "{text:?}");
        }
    }

    #[test]
    fn escaping_is_in_the_order_that_keeps_it_readable() {
        assert_eq!(escape("<!channel> &lt; a&b"), "&lt;!channel&gt; &amp;lt; a&amp;b");
    }

    #[test]
    fn only_what_runs_from_right_to_left_is_isolated() {
        for text in ["Dana Ruiz", "Łódź 東京 😀", "12:30", ""] {
            assert_eq!(isolated(text), text);
        }
        for text in ["דנה", "دانا", "Dana דנה"] {
            assert_eq!(isolated(text), format!("\u{200e}\u{2068}{text}\u{2069}"));
        }
    }

    #[test]
    fn cutting_keeps_entities_whole() {
        #[rustfmt::skip]
        let rows = [
            ("ab&amp;", 7, "ab&amp;"),
            ("ab&amp;", 6, "ab…"),
            ("a&lt;bcd", 7, "a&lt;b…"),
            ("a&lt;bcd", 6, "a&lt;…"),
            ("a&lt;bcd", 5, "a…"),
            ("aäöü",    3, "aä…"),
        ];
        for (text, max, expected) in rows {
            assert_eq!(cut_escaped(text, max), expected, "{text:?} to {max}");
        }
    }

    proptest! {
        #[test]
        fn any_text_ends_within_its_limit_and_a_second_cut_changes_nothing(text in "\\PC{0,60}[&<>\u{202e}\n]{0,9}.{0,40}", max in 1usize..80) {
            let cleaned = clean(&text);
            prop_assert_eq!(&clean(&cleaned), &cleaned);
            prop_assert!(!cleaned.chars().any(|c| c.is_control() || is_invisible(c)));
            let plain = cut(&cleaned, max);
            prop_assert!(plain.chars().count() <= max);
            prop_assert_eq!(&cut(&plain, max), &plain);
            let escaped = cut_escaped(&escape(&cleaned), max);
            prop_assert!(escaped.chars().count() <= max);
            prop_assert_eq!(&cut_escaped(&escaped, max), &escaped);
            prop_assert!(!escaped.contains(['<', '>']));
            let without = escaped.replace("&amp;", "").replace("&lt;", "").replace("&gt;", "");
            prop_assert!(!without.contains('&'), "{} holds half an entity", escaped);
        }
    }
}
