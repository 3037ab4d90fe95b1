//! `hotlead capture`: the events topic to NDJSON that `backtest` reads with its coordinates.

use std::borrow::Cow;
use std::path::Path;

use rdkafka::Message;
use rdkafka::message::{BorrowedMessage, Headers};

use super::tail::follow;
use super::{Stretch, files};
use crate::codec::line::{Coordinates, Line};
use crate::core::ids::{Offset, Partition};
use crate::core::time::Timestamp;

/// Prints records and answers with the exit code.
pub fn run(config: &Path, stretch: &Stretch) -> u8 {
    let settings = match files::settings_for_reading(config) {
        Ok(settings) => settings,
        Err(code) => return code,
    };
    let group = format!("{}.capture", settings.group);
    let mut bytes = Vec::new();
    follow(&settings, &group, &settings.topics.events, stretch, |message, out| {
        bytes.clear();
        line(message).write(&mut bytes);
        out.write_all(&bytes)
    })
}

/// One record as one line.
fn line<'a>(message: &'a BorrowedMessage<'_>) -> Line<'a> {
    let headers = message.headers().map(|headers| {
        let header =
            |header: rdkafka::message::Header<'_, &[u8]>| (header.key.to_owned(), header.value.map(<[u8]>::to_vec));
        headers.iter().map(header).collect()
    });
    Line {
        coordinates: Some(Coordinates {
            topic: message.topic().to_owned(),
            partition: Partition(message.partition()),
            offset: Offset(message.offset()),
        }),
        time: message.timestamp().to_millis().filter(|ms| *ms >= 0).map(Timestamp::from_millis),
        key: message.key().map(Cow::Borrowed),
        headers: headers.unwrap_or_default(),
        value: message.payload().map(Cow::Borrowed),
    }
}
