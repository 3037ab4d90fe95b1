//! Outputs to records.

use std::borrow::Cow;

use crate::codec::ledger::{self, Entry, Erasure};
use crate::codec::ops::Notice;
use crate::codec::{self, DeadLetter};
use crate::core::alert::Alert;
use crate::sink::{Outgoing, Target};
use crate::source::Message;

/// An alert as a CloudEvent in binary mode.
pub(super) fn alert(alert: &Alert, group: &str) -> Outgoing {
    let record = codec::alert::record(alert, group);
    let header = |(name, value): (&'static str, Cow<'static, str>)| (name.into(), Some(bytes(value)));
    Outgoing {
        target: Target::Alerts,
        key: Some(record.key.into_bytes()),
        value: Some(record.value),
        headers: record.headers.map(header).into(),
    }
}

fn bytes(text: Cow<'static, str>) -> Cow<'static, [u8]> {
    match text {
        Cow::Borrowed(text) => text.as_bytes().into(),
        Cow::Owned(text) => text.into_bytes().into(),
    }
}

/// What operators have to know.
pub(super) fn notice(notice: &Notice, group: &str) -> Outgoing {
    let (key, value) = notice.record(group);
    Outgoing { target: Target::Ops, key: Some(key), value: Some(value), headers: Vec::new() }
}

/// What every sink has to know of an erased lead.
pub(super) fn erasure(erasure: &Erasure) -> Outgoing {
    let value = ledger::write(&Entry::Erase(erasure.clone()));
    Outgoing { target: Target::Ledgers, key: Some(erasure.key()), value: Some(value), headers: Vec::new() }
}

/// A record that could not be read: as it came, with the reason. A value larger than `max_value` bytes is left out.
pub(super) fn dead_letter(message: Message<'_>, letter: &DeadLetter, source: &str, max_value: usize) -> Outgoing {
    let mut headers = Vec::new();
    message.each_header(|name, value| {
        let name = String::from_utf8_lossy(name).into_owned();
        headers.push((name.into(), value.map(|value| value.to_vec().into())));
    });
    let value = message.value();
    let fits = value.is_none_or(|value| value.len() <= max_value);
    let reasons = codec::dead_letter::headers(letter, source, message.time());
    headers.extend(reasons.into_iter().map(|(name, mut value)| {
        if name == "hotlead_detail" && !fits {
            let bytes = message.value().map_or(0, <[u8]>::len);
            value += &format!("; the value of {bytes} bytes {}", codec::dead_letter::CUT);
        }
        (name.into(), Some(value.into_bytes().into()))
    }));
    Outgoing {
        target: Target::DeadLetters,
        key: message.key().map(<[u8]>::to_vec),
        value: value.filter(|_| fits).map(<[u8]>::to_vec),
        headers,
    }
}
