//! Keys that sign webhooks per Standard Webhooks 1.0: `whsec_` for HMAC-SHA256, `whsk_` for ed25519.

use std::fmt;
use std::ops::RangeInclusive;
use std::sync::Arc;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine as _;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// Bytes that the specification wants of a shared secret.
const RECOMMENDED: RangeInclusive<usize> = 24..=64;

/// Of an ed25519 key: its private half.
const SEED: usize = 32;

/// Accepts a secret with and without padding: both are in use. What we write is padded.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// One signing key. Never printed.
#[derive(Clone)]
pub enum SigningKey {
    /// HMAC-SHA256, with a secret that both sides know.
    Shared(Vec<u8>),
    /// Ed25519: the other side knows the public half only.
    Private(Arc<Ed25519KeyPair>),
}

impl SigningKey {
    /// Reads a key; without a prefix it is a shared secret.
    ///
    /// # Errors
    /// What is wrong with it, without any of it; reads on from "the key …".
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let text = text.trim();
        if text.starts_with("whpk_") {
            return Err("is a public one (whpk_), but signing takes the private one (whsk_)");
        }
        if let Some(private) = text.strip_prefix("whsk_") {
            let bytes = BASE64.decode(private).map_err(|_| "is not `whsk_` followed by base64")?;
            let pair = match bytes.split_at_checked(SEED) {
                Some((seed, [])) => Ed25519KeyPair::from_seed_unchecked(seed),
                Some((seed, public)) if public.len() == SEED => Ed25519KeyPair::from_seed_and_public_key(seed, public),
                _ => return Err("has to have 32 bytes, or 64 with its public half"),
            };
            return pair
                .map(|pair| Self::Private(Arc::new(pair)))
                .map_err(|_| "has halves that do not belong together");
        }
        match BASE64.decode(text.strip_prefix("whsec_").unwrap_or(text)) {
            Ok(bytes) if !bytes.is_empty() => Ok(Self::Shared(bytes)),
            Ok(_) => Err("is empty"),
            Err(_) => Err("is not `whsec_` followed by base64"),
        }
    }

    /// How many bytes a shared secret has, if the specification wants another length.
    pub fn odd_length(&self) -> Option<usize> {
        match self {
            Self::Shared(bytes) => Some(bytes.len()).filter(|length| !RECOMMENDED.contains(length)),
            Self::Private(_) => None,
        }
    }

    /// The signature as it stands in `webhook-signature`: a version, a comma, padded base64.
    pub fn sign(&self, message: &[u8]) -> String {
        match self {
            Self::Shared(secret) => {
                let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("HMAC takes a key of any length");
                mac.update(message);
                format!("v1,{}", BASE64.encode(mac.finalize().into_bytes()))
            }
            Self::Private(pair) => format!("v1a,{}", BASE64.encode(pair.sign(message))),
        }
    }

    /// What the other side needs to check an ed25519 signature; a shared secret has nothing to show.
    pub fn public(&self) -> Option<String> {
        match self {
            Self::Shared(_) => None,
            Self::Private(pair) => Some(format!("whpk_{}", BASE64.encode(pair.public_key()))),
        }
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The key and the signature of Svix's own test.
    const PRIVATE: &str =
        "whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvg==";
    const SEED_ONLY: &str = "whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbc=";

    #[test]
    fn signatures_equal_those_of_the_official_libraries() {
        let (first, second) = ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD");
        let message = r#"msg_p5jXN8AQM9LWM0D4loKWxJek.1614265330.{"test": 2432232314}"#;
        let other = r#"msg_27UH4WbU6Z5A5EzD8u03UvzRbpk.1649367553.{"email":"test@example.com","username":"test_user"}"#;
        let ed = "v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+m7TBAg==";
        #[rustfmt::skip]
        let vectors = [
            (first,     message, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="),
            (second,    other,   "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw="),
            (PRIVATE,   message, ed),
            (SEED_ONLY, message, ed),
        ];
        for (key, message, expected) in vectors {
            assert_eq!(SigningKey::parse(key).expect("a good key").sign(message.as_bytes()), expected);
        }
        let public = SigningKey::parse(SEED_ONLY).expect("a good key").public();
        assert_eq!(public.as_deref(), Some("whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4="));
    }

    #[test]
    fn keys_are_read_with_and_without_prefix_and_padding() {
        for good in ["whsec_aGVsbG8=", "aGVsbG8=", "whsec_aGVsbG8", " aGVsbG8 \n"] {
            let key = SigningKey::parse(good).expect(good);
            assert!(matches!(&key, SigningKey::Shared(bytes) if bytes == b"hello"), "{good}");
            assert_eq!((key.odd_length(), key.public()), (Some(5), None));
        }
        SigningKey::parse(PRIVATE.trim_end_matches('=')).expect("without padding");
    }

    #[test]
    fn a_key_that_cannot_be_used_is_named_without_any_of_it() {
        let swapped = PRIVATE.replacen("6Xb", "6Xc", 1);
        #[rustfmt::skip]
        let rows = [
            ("",                 "is empty"),
            ("whsec_",           "is empty"),
            ("whsec_%%",         "is not `whsec_` followed by base64"),
            ("not base64!",      "is not `whsec_` followed by base64"),
            ("whsk_not base64!", "is not `whsk_` followed by base64"),
            ("whsk_aGVsbG8=",    "has to have 32 bytes, or 64 with its public half"),
            (&swapped,           "has halves that do not belong together"),
            ("whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4=",
                                 "is a public one (whpk_), but signing takes the private one (whsk_)"),
        ];
        for (text, expected) in rows {
            assert_eq!(SigningKey::parse(text).expect_err(text), expected);
        }
    }
}
