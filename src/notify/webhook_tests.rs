//! Vectors of the signature, and the table of answers.

use super::*;

#[test]
fn a_message_is_signed_with_each_key_and_signatures_stand_one_space_apart() {
    let keys = ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbc="];
    let keys = keys.map(|key| SigningKey::parse(key).expect("a good key"));
    let both = signature(&keys, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, br#"{"test": 2432232314}"#);
    let shared = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
    let private = "v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+m7TBAg==";
    assert_eq!(both, format!("{shared} {private}"));
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
        ("1e300",                          None),
        ("1e3",                            None),
        ("inf",                            None),
        ("infinity",                       None),
        ("90000",                          Some(86_400_000)),
        ("99999999999999999999",           Some(86_400_000)),
        ("Fri, 31 Dec 9999 23:59:59 GMT",  Some(86_400_000)),
        ("Wed, 21 Oct 2015 07:28:30 GMT",  Some(30_000)),
        ("Wed, 21 Oct 2015 07:27:00 GMT",  Some(0)),
    ];
    for (text, expected) in rows {
        assert_eq!(retry_after(text, now).map(Span::as_millis), expected, "{text}");
    }
}

#[test]
fn what_freezes_the_endpoint_and_what_only_delays_its_message() {
    #[rustfmt::skip]
    let rows = [
        // status, asked for, frozen
        (429,      7, Some(    7)),
        (503,      7, Some(    7)),
        (500,      7, None),
        (500,  3_600, None),
        (500,  3_601, Some(3_601)),
        (404,  7_200, Some(7_200)),
    ];
    for (status, asked, freeze) in rows {
        let answer = Answer { status, retry_after: Some(asked.to_string()), ..Answer::default() };
        let judged = judge(&answer, Timestamp::default());
        assert_eq!(judged.freeze, freeze.map(Span::from_secs), "{status}");
        let retry_after = Some(Span::from_secs(asked));
        assert_eq!(judged.verdict, Verdict::Later { retry_after, reason: Reason::Exhausted });
    }
}
