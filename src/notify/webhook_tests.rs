//! Vectors of the signature, and the table of answers.

use super::*;

#[test]
fn signatures_equal_those_of_the_official_libraries() {
    #[rustfmt::skip]
    let vectors = [
        ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330,
         r#"{"test": 2432232314}"#, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="),
        ("whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD", "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk", 1_649_367_553,
         r#"{"email":"test@example.com","username":"test_user"}"#, "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw="),
    ];
    let keys = vectors.map(|v| Key::parse(v.0).expect("a good secret"));
    for (i, (_, id, seconds, body, expected)) in vectors.into_iter().enumerate() {
        assert_eq!(signature(&keys[i..=i], id, seconds, body.as_bytes()), expected);
    }
    let (_, id, seconds, body, first) = vectors[0];
    let both = signature(&keys, id, seconds, body.as_bytes());
    assert_eq!(both.split(' ').count(), 2, "exactly one space: {both}");
    assert!(both.starts_with(first));
}

#[test]
fn secrets_are_read_with_and_without_prefix_and_padding() {
    for good in ["whsec_aGVsbG8=", "aGVsbG8=", "whsec_aGVsbG8", " aGVsbG8 \n"] {
        assert_eq!(Key::parse(good).map(|key| key.0), Ok(b"hello".to_vec()), "{good}");
    }
    for bad in ["", "whsec_", "whsec_%%", "not base64!"] {
        let fault = Key::parse(bad).map(|key| key.0).expect_err(bad);
        assert!(bad.len() < 8 || !fault.contains(bad), "{fault}");
    }
}

#[test]
fn answers_mean_what_the_table_says() {
    use AttemptResult as R;
    let later = || Verdict::Later { retry_after: None, reason: Reason::Exhausted };
    #[rustfmt::skip]
    let rows = [
        (200, Verdict::Delivered,            R::Ok),
        (204, Verdict::Delivered,            R::Ok),
        (299, Verdict::Delivered,            R::Ok),
        (301, later(),                       R::Redirect),
        (308, later(),                       R::Redirect),
        (400, Verdict::Refused { tries: 2 }, R::Message),
        (401, later(),                       R::ClientError),
        (403, later(),                       R::ClientError),
        (404, later(),                       R::ClientError),
        (405, later(),                       R::ClientError),
        (408, later(),                       R::ClientError),
        (410, Verdict::Shut(Shut::Gone),     R::Gone),
        (413, Verdict::Refused { tries: 2 }, R::Message),
        (415, Verdict::Refused { tries: 2 }, R::Message),
        (422, Verdict::Refused { tries: 2 }, R::Message),
        (425, later(),                       R::ClientError),
        (429, later(),                       R::RateLimited),
        (500, later(),                       R::ServerError),
        (502, later(),                       R::ServerError),
        (599, later(),                       R::ServerError),
        (999, later(),                       R::ServerError),
    ];
    for (status, verdict, result) in rows {
        let judged = judge(&Answer { status, ..Answer::default() }, Timestamp::default());
        assert_eq!((judged.verdict, judged.result, judged.freeze), (verdict, result, None), "{status}");
    }
}

#[test]
fn retry_after_is_read_in_all_its_forms() {
    let now = Timestamp::from_millis(1_445_412_480_000); // Wed, 21 Oct 2015 07:28:00 GMT
    #[rustfmt::skip]
    let rows = [
        ("120",                            Some(120_000)),
        ("0",                              Some(0)),
        ("1.2",                            Some(2_000)),
        (" 3 ",                            Some(3_000)),
        ("-1",                             None),
        ("NaN",                            None),
        ("soon",                           None),
        ("1e300",                          Some(86_400_000)),
        ("Wed, 21 Oct 2015 07:28:30 GMT",  Some(30_000)),
        ("Wed, 21 Oct 2015 07:27:00 GMT",  Some(0)),
    ];
    for (text, expected) in rows {
        assert_eq!(retry_after(text, now).map(Span::as_millis), expected, "{text}");
    }
}

#[test]
fn a_429_freezes_the_endpoint_and_a_500_only_delays_its_message() {
    for (status, freeze) in [(429, Some(7)), (503, Some(7)), (500, None)] {
        let answer = Answer { status, retry_after: Some("7".into()), ..Answer::default() };
        let judged = judge(&answer, Timestamp::default());
        assert_eq!(judged.freeze, freeze.map(Span::from_secs), "{status}");
        let retry_after = Some(Span::from_secs(7));
        assert_eq!(judged.verdict, Verdict::Later { retry_after, reason: Reason::Exhausted });
    }
}
