//! Takes every configured secret out of text that is printed or stored, by its value.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};

use crate::config::settings::{Settings, Target};

/// Shorter values would cut words out of any text, and protect nothing.
const SHORTEST: usize = 4;

/// What stands in a secret's place.
const GONE: &str = "[secret]";

/// Knows every configured secret.
#[derive(Clone, Default)]
pub struct Redactor {
    /// The longest first, so that no part of one remains.
    values: Vec<String>,
}

impl Redactor {
    /// Collects the secrets of a whole configuration.
    pub fn new(settings: &Settings) -> Self {
        let mut secrets = Vec::new();
        let kafka = settings.kafka.properties.values();
        secrets.extend(kafka.filter(|v| v.reference().is_some()).map(|v| v.expose().to_owned()));
        for sink in &settings.sinks {
            match &sink.target {
                Target::Slack { webhook_url, .. } => {
                    let whole = webhook_url.expose().trim();
                    // A part of the URL would do: whoever has the path can post.
                    let path = url::Url::parse(whole).map(|url| url.path().to_owned());
                    secrets.extend(path.ok().filter(|path| path.len() > 1));
                    secrets.push(whole.to_owned());
                }
                Target::Webhook { secrets: keys, headers, url, .. } => {
                    for key in keys {
                        let whole = key.expose().trim();
                        secrets.extend(whole.strip_prefix("whsec_").map(str::to_owned));
                        secrets.push(whole.to_owned());
                    }
                    secrets.extend(headers.iter().map(|(_, value)| value.expose().to_owned()));
                    secrets.extend(url.password().map(str::to_owned));
                    secrets.extend(url.query().map(str::to_owned));
                }
            }
        }
        Self::of(secrets)
    }

    fn of(secrets: Vec<String>) -> Self {
        let mut values = Vec::new();
        for secret in secrets.into_iter().filter(|secret| secret.len() >= SHORTEST) {
            values.push(url::form_urlencoded::byte_serialize(secret.as_bytes()).collect());
            for engine in [STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD] {
                values.push(engine.encode(&secret));
            }
            values.push(secret);
        }
        values.sort_by_key(|value: &String| std::cmp::Reverse(value.len()));
        values.dedup();
        Self { values }
    }

    /// The text without any secret: plain, percent-encoded or base64.
    pub fn redact(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for value in &self.values {
            if text.contains(value.as_str()) {
                text = text.replace(value.as_str(), GONE);
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_goes_in_every_spelling() {
        let redactor = Redactor::of(vec!["s3cr/t+x".into(), "abc".into()]);
        #[rustfmt::skip]
        let rows = [
            ("no secret here",            "no secret here"),
            ("got s3cr/t+x twice s3cr/t+x", "got [secret] twice [secret]"),
            ("q=s3cr%2Ft%2Bx",            "q=[secret]"),
            ("Basic czNjci90K3g=",        "Basic [secret]"),
            ("abc is too short",          "abc is too short"),
        ];
        for (text, expected) in rows {
            assert_eq!(redactor.redact(text), expected);
        }
    }
}
