//! An event's time, from what senders write: RFC 3339, or seconds or milliseconds since 1970.

use crate::core::time::Timestamp;

/// A time in words: RFC 3339, UTC if it names no zone; digits below a millisecond are cut. `None` if it is none.
pub fn from_text(text: &str) -> Option<Timestamp> {
    fixed(text.as_bytes()).or_else(|| general(text.trim()))
}

/// A JSON number: below 1e11 seconds, else milliseconds; digits below a millisecond are cut. `None` if it is negative
/// or far too large.
pub fn from_number(number: &str) -> Option<Timestamp> {
    if number.contains(['e', 'E']) {
        let value: f64 = number.parse().ok()?;
        let ms = if value < 1e11 { value * 1000.0 } else { value };
        let in_range = (0.0..1e15).contains(&ms);
        return in_range.then_some(Timestamp::from_millis(ms as i64));
    }
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let whole: i64 = whole.parse().ok().filter(|whole| *whole >= 0)?;
    if whole >= 100_000_000_000 {
        return Some(Timestamp::from_millis(whole));
    }
    let thousandths = fraction.bytes().chain(*b"000").take(3);
    let ms = thousandths.fold(0, |ms, digit| ms * 10 + i64::from(digit - b'0'));
    Some(Timestamp::from_millis(whole * 1000 + ms))
}

/// What nearly all senders write, `2026-11-22T10:02:14Z` or with up to nine decimals; a tenth of the general parser's
/// cost.
fn fixed(text: &[u8]) -> Option<Timestamp> {
    let date = text.first_chunk::<19>()?;
    let form = (date[4], date[7], date[10], date[13], date[16]);
    if form != (b'-', b'-', b'T', b':', b':') {
        return None;
    }
    let mut wrong = 0;
    let mut pair = |at: usize| {
        let (tens, ones) = (date[at].wrapping_sub(b'0'), date[at + 1].wrapping_sub(b'0'));
        wrong |= u8::from(tens > 9) | u8::from(ones > 9);
        u32::from(tens) * 10 + u32::from(ones)
    };
    let (year, month, day) = (pair(0) * 100 + pair(2), pair(5), pair(8));
    let (hour, minute, second) = (pair(11), pair(14), pair(17));
    let ms = milliseconds(&text[19..])?;
    // A 60th second is for the general parser.
    let fits = wrong == 0
        && (1..=12).contains(&month)
        && (1..=days_of(year, month)).contains(&day)
        && hour < 24
        && minute < 60
        && second < 60;
    let days = days_since_1970(year, month, day);
    let of_day = i64::from((hour * 60 + minute) * 60 + second);
    fits.then_some(Timestamp::from_millis((days * 86_400 + of_day) * 1000 + ms))
}

/// The milliseconds of `Z` or `.123Z`; `None` for another ending.
fn milliseconds(ending: &[u8]) -> Option<i64> {
    match ending {
        b"Z" => Some(0),
        [b'.', decimals @ .., b'Z'] if (1..=9).contains(&decimals.len()) => {
            if !decimals.iter().all(u8::is_ascii_digit) {
                return None;
            }
            let thousandths = decimals.iter().chain(b"000").take(3);
            Some(thousandths.fold(0, |ms, digit| ms * 10 + i64::from(digit - b'0')))
        }
        _ => None,
    }
}

fn days_of(year: u32, month: u32) -> u32 {
    let is_leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    match month {
        2 => 28 + u32::from(is_leap),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1970-01-01 in the Gregorian calendar: years begin in March here, so that a leap day is a year's last.
fn days_since_1970(year: u32, month: u32, day: u32) -> i64 {
    // Four centuries later, where the year before year 0 has a number, and whose days come off again at the end.
    let year = year + 400 - u32::from(month <= 2);
    let month = (month + 9) % 12;
    let before_month = (153 * month + 2) / 5;
    let days = 365 * year + year / 4 - year / 100 + year / 400 + before_month + day;
    i64::from(days) - 146_097 - 719_469
}

fn general(text: &str) -> Option<Timestamp> {
    let zoned = text.parse::<jiff::Timestamp>().ok();
    let time = zoned.or_else(|| {
        let civil: jiff::civil::DateTime = text.parse().ok()?;
        civil.to_zoned(jiff::tz::TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
    })?;
    Some(Timestamp::from_millis(time.as_millisecond()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_senders_write_them() {
        #[rustfmt::skip]
        let rows = [
            ("2026-11-22T10:02:14.120Z",        Some(1_795_341_734_120), "the usual form"),
            ("2026-11-22T10:02:14Z",            Some(1_795_341_734_000), "no decimals"),
            ("2026-11-22T10:02:14.1Z",          Some(1_795_341_734_100), "one decimal"),
            ("2026-11-22T10:02:14.1209999Z",    Some(1_795_341_734_120), "below a millisecond is cut, not rounded"),
            ("2026-11-22T10:02:14.120999999Z",  Some(1_795_341_734_120), "nanoseconds"),
            ("2026-11-22T11:02:14.120+01:00",   Some(1_795_341_734_120), "a zone"),
            ("2026-11-22T11:02:14.120+0100",    Some(1_795_341_734_120), "a zone without its colon"),
            ("2026-11-22T04:32:14.120-05:30",   Some(1_795_341_734_120), "west of Greenwich"),
            ("2026-11-22T10:02:14.120",         Some(1_795_341_734_120), "no zone means UTC"),
            ("2026-11-22 10:02:14.120Z",        Some(1_795_341_734_120), "a space for the T"),
            ("2026-11-22t10:02:14.120z",        Some(1_795_341_734_120), "lower case"),
            (" 2026-11-22T10:02:14.120Z ",      Some(1_795_341_734_120), "spaces around"),
            ("2024-02-29T00:00:00Z",            Some(1_709_164_800_000), "a leap day"),
            ("2016-12-31T23:59:60Z",            Some(1_483_228_799_000), "a leap second is the second before"),
            ("9999-12-31T23:59:59.999Z",        Some(253_402_300_799_999), "the last millisecond"),
            ("2023-02-29T00:00:00Z",            None, "no such day"),
            ("2026-13-01T00:00:00Z",            None, "no such month"),
            ("2026-00-01T00:00:00Z",            None, "no such month"),
            ("2026-11-22T24:00:00Z",            None, "no such hour"),
            ("2026-11-22T10:60:00Z",            None, "no such minute"),
            ("2026-11-22T10:02:14.Z",           None, "a point without decimals"),
            ("2O26-11-22T10:02:14Z",            None, "a letter for a digit"),
            ("10000-01-01T00:00:00Z",           None, "five digits"),
            ("yesterday",                       None, "words"),
            ("1795341734120",                   None, "digits in quotes are no number"),
        ];
        for (text, ms, why) in rows {
            assert_eq!(from_text(text).map(Timestamp::as_millis), ms, "{text}: {why}");
        }
    }

    #[test]
    fn numbers_are_seconds_or_milliseconds_by_their_size() {
        #[rustfmt::skip]
        let rows = [
            ("1795341734",          Some(1_795_341_734_000), "seconds"),
            ("1795341734.1209",     Some(1_795_341_734_120), "a fraction, cut"),
            ("1795341734.1",        Some(1_795_341_734_100), "one decimal"),
            ("1795341734120",       Some(1_795_341_734_120), "milliseconds"),
            ("1795341734120.99",    Some(1_795_341_734_120), "a fraction of one, cut"),
            ("99999999999",         Some(99_999_999_999_000), "the last second"),
            ("99999999999.999",     Some(99_999_999_999_999), "just under the border"),
            ("100000000000",        Some(100_000_000_000), "the first millisecond"),
            ("1.795341734e9",       Some(1_795_341_734_000), "an exponent"),
            ("0",                   Some(0), "1970 is a time, though not an event's"),
            ("-1",                  None, "negative"),
            ("99999999999999999999",None, "far too large"),
            ("1e300",               None, "far too large"),
        ];
        for (number, ms, why) in rows {
            assert_eq!(from_number(number).map(Timestamp::as_millis), ms, "{number}: {why}");
        }
    }

    proptest::proptest! {
        #[test]
        fn the_fixed_form_reads_as_the_general_parser_does(
            year in 0i64..=9999, month in 0i64..=13, day in 0i64..=32,
            hour in 0i64..=24, minute in 0i64..=60, second in 0i64..=59, decimals in "[0-9]{1,9}",
        ) {
            let text = format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{decimals}Z");
            // From 1970 on; before it the cut goes the other way, and no event can lie there.
            if year >= 1970 {
                proptest::prop_assert_eq!(fixed(text.as_bytes()), general(&text), "{}", text);
            }
        }
    }
}
