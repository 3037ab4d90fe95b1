//! Takes every secret that it knows out of text that is printed or stored, by its value.

use std::sync::{PoisonError, RwLock};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

/// Shorter values would cut words out of any text, and protect nothing.
const SHORTEST: usize = 4;

/// Shorter pieces of base64 stand in any text by chance.
const SHORTEST_PIECE: usize = 8;

/// What stands in a secret's place.
const GONE: &str = "[secret]";

/// Knows secrets, and learns more while the program runs: an old one is still one after it was exchanged.
#[derive(Debug, Default)]
pub struct Redactor {
    /// In every spelling; the longest first, so that no part of one remains.
    spellings: RwLock<Vec<Spelling>>,
}

struct Spelling {
    text: String,
    /// Percent-encoding has two: `%2f` is `%2F`.
    any_case: bool,
}

impl std::fmt::Debug for Spelling {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(GONE)
    }
}

impl Redactor {
    /// Knows these.
    pub fn of(secrets: impl IntoIterator<Item = String>) -> Self {
        let redactor = Self::default();
        redactor.learn(secrets);
        redactor
    }

    /// Knows these too from now on.
    pub fn learn(&self, secrets: impl IntoIterator<Item = String>) {
        let mut known = self.spellings.write().unwrap_or_else(PoisonError::into_inner);
        for secret in secrets.into_iter().filter(|secret| secret.len() >= SHORTEST) {
            known.extend(spellings(&secret));
        }
        known.sort_by(|a, b| b.text.len().cmp(&a.text.len()).then_with(|| a.text.cmp(&b.text)));
        known.dedup_by(|a, b| a.text == b.text);
    }

    /// The text without any secret: plain, percent-encoded, base64, or as a JSON text.
    pub fn redact(&self, text: &str) -> String {
        let known = self.spellings.read().unwrap_or_else(PoisonError::into_inner);
        let mut clean = String::with_capacity(text.len());
        let mut rest = text;
        // One pass, so that what stands in a secret's place is not looked at again.
        while let Some(first) = rest.chars().next() {
            match known.iter().find(|spelling| spelling.begins(rest)) {
                Some(spelling) => {
                    clean.push_str(GONE);
                    rest = &rest[spelling.text.len()..];
                }
                None => {
                    clean.push(first);
                    rest = &rest[first.len_utf8()..];
                }
            }
        }
        clean
    }
}

impl Spelling {
    fn begins(&self, text: &str) -> bool {
        match text.get(..self.text.len()) {
            Some(head) if self.any_case => head.eq_ignore_ascii_case(&self.text),
            Some(head) => head == self.text,
            None => false,
        }
    }
}

fn spellings(secret: &str) -> Vec<Spelling> {
    let exact = |text: String| Spelling { text, any_case: false };
    let any_case = |text: String| Spelling { text, any_case: true };
    let form: String = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect();
    let mut all = vec![exact(secret.to_owned())];
    if form != secret {
        all.extend([any_case(form.replace('+', "%20")), any_case(form)]);
    }
    let every: String = secret.bytes().map(|byte| format!("%{byte:02X}")).collect();
    all.push(any_case(every));
    if let Ok(json) = serde_json::to_string(secret) {
        all.push(exact(json[1..json.len() - 1].to_owned()));
    }
    for engine in [STANDARD_NO_PAD, URL_SAFE_NO_PAD] {
        // Inside a longer text (`user:secret`) it can begin at each of three places within a group; characters that
        // share bits with what stands around it are left out.
        for before in 0..3usize {
            let mut padded = vec![0; before];
            padded.extend_from_slice(secret.as_bytes());
            let encoded = engine.encode(&padded);
            let piece = &encoded[(before * 8).div_ceil(6)..padded.len() * 8 / 6];
            if piece.len() >= SHORTEST_PIECE {
                all.push(exact(piece.to_owned()));
            }
        }
        let whole = engine.encode(secret);
        all.push(exact(format!("{whole}{}", "=".repeat((4 - whole.len() % 4) % 4))));
        all.push(exact(whole));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_goes_in_every_spelling() {
        let redactor = Redactor::of(["s3cr/t+x\"é".into(), "abc".into(), "secret".into()]);
        #[rustfmt::skip]
        let rows = [
            ("nothing to see here",              "nothing to see here"),
            ("got s3cr/t+x\"é, s3cr/t+x\"é",    "got [secret], [secret]"),
            ("q=s3cr%2Ft%2Bx%22%C3%A9",         "q=[secret]"),
            ("q=s3cr%2ft%2bx%22%c3%a9",         "q=[secret]"),
            (r#"{"detail":"s3cr/t+x\"é"}"#,     r#"{"detail":"[secret]"}"#),
            ("a czNjci90K3giw6k= b",            "a [secret] b"),
            ("a czNjci90K3giw6k b",             "a [secret] b"),
            ("a czNjci90K3giw6k9 b",            "a [secret]9 b"),
            ("abc is too short",                "abc is too short"),
            ("its name is secret",              "its name is [secret]"),
        ];
        for (text, expected) in rows {
            assert_eq!(redactor.redact(text), expected, "{text}");
        }
    }

    #[test]
    fn base64_of_a_longer_text_hides_the_secret_in_it_wherever_it_begins() {
        let redactor = Redactor::of(["longer-secret".into()]);
        for user in ["", "a:", "ab:", "abc:"] {
            for after in ["", "!", "!?"] {
                let encoded = STANDARD_NO_PAD.encode(format!("{user}longer-secret{after}"));
                let shown = redactor.redact(&encoded);
                assert!(shown.contains(GONE) && shown.len() < GONE.len() + 12, "{user} {after}: {shown}");
            }
        }
    }

    #[test]
    fn what_is_learnt_later_goes_too_and_the_old_one_still_does() {
        let redactor = Redactor::of(["old-secret".into()]);
        redactor.learn(["new-secret".into()]);
        assert_eq!(redactor.redact("old-secret new-secret"), "[secret] [secret]");
        assert!(!format!("{redactor:?}").contains("old-secret"));
    }
}
