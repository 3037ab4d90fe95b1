//! How fast Slack may be asked with one token: posts per channel, edits and lookups per minute, a freeze for each method,
//! and the breaker. The clock is an argument.
//!
//! Processes that share a token do not see each other. Each takes of what Slack allows the share that it has of the alert
//! topic's partitions, so that all together stay within it.

use std::collections::{BTreeMap, VecDeque};

use super::api::{Method, Rate};
use crate::core::time::{Span, Timestamp};
use crate::notify::breaker::{Breaker, Standing};

/// Between two posts to one channel in the long run: Slack allows one a second, and a little more keeps the promise where
/// posts arrive closer together than they were sent.
pub const POST_PACE: Span = Span::from_millis(1_050);

/// Posts to one channel that may go at once: one fewer than is promised, as the first one has a connection to make and
/// those behind it find it made. Of a process that shares the channel with others it is one.
const BURST: i64 = 2;

/// Posts to all channels in a minute: Slack allows "several hundred".
const POSTS_A_MINUTE: usize = 200;

/// Edits, and lookups, in a minute: Slack allows fifty and more.
const OTHERS_A_MINUTE: usize = 45;

/// A minute, and what requests may come closer together than they were sent.
const MINUTE: Span = Span::from_millis(61_000);

/// While a message is under way that decides whether the breaker closes, this long passes until it is asked again.
const LOOK_AGAIN: Span = Span::from_millis(200);

/// The pace of one token; all sinks with it share it.
#[derive(Clone, Debug, Default)]
pub struct Pace {
    /// By channel: when the last of its posts so far is paid for.
    paid_until: BTreeMap<String, Timestamp>,
    /// When the requests of the last minute went.
    minutes: BTreeMap<Rate, VecDeque<Timestamp>>,
    frozen_until: BTreeMap<Rate, Timestamp>,
    breaker: Breaker,
    shares: Vec<Share>,
}

/// A sink of the token, and how many of the alert topic's partitions it owns in this process.
#[derive(Clone, Debug)]
struct Share {
    sink: String,
    channel: String,
    owned: usize,
    of: usize,
}

/// The right to one request now, to be handed back to [`Pace::ended`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pass {
    method: Method,
    /// The breaker was open: this request decides.
    is_probe: bool,
}

impl Pace {
    /// A sink of the token posts to this channel: it has a share from now on, nothing at first.
    pub fn shared_by(&mut self, sink: &str, channel: &str) {
        self.shares.push(Share { sink: sink.to_owned(), channel: channel.to_owned(), owned: 0, of: 1 });
    }

    /// The sink owns so many of so many partitions now. Who had none has saved nothing up: others may just have posted.
    pub fn owns(&mut self, now: Timestamp, sink: &str, owned: usize, of: usize) {
        let Some(at) = self.shares.iter().position(|share| share.sink == sink) else {
            return;
        };
        let channel = self.shares[at].channel.clone();
        let had_none = self.share(Some(&channel)) == 0.0;
        (self.shares[at].owned, self.shares[at].of) = (owned, of.max(owned).max(1));
        let share = self.share(Some(&channel));
        if had_none && share > 0.0 {
            let paid = self.paid_until.entry(channel).or_insert(now);
            *paid = (*paid).max(now + cost(share));
        }
    }

    /// Of what Slack allows for a channel, or for the token. All of it where nobody shares.
    fn share(&self, channel: Option<&str>) -> f64 {
        let concerned = || self.shares.iter().filter(|share| channel.is_none_or(|channel| share.channel == channel));
        match concerned().count() {
            0 => 1.0,
            sinks => concerned().map(|share| share.owned as f64 / share.of as f64).sum::<f64>() / sinks as f64,
        }
    }

    /// When a request may go: now, or not before the time given.
    pub fn opens(&self, now: Timestamp, method: Method, channel: &str) -> Result<(), Timestamp> {
        self.breaker.may_pass(now).map_err(|until| until.unwrap_or(now + LOOK_AGAIN))?;
        let rate = method.rate();
        let mut earliest = self.frozen_until.get(&rate).copied().unwrap_or(now);
        let most = ((a_minute(rate) as f64 * self.share(None)) as usize).max(1);
        if let Some(oldest) = self.minutes.get(&rate).filter(|times| times.len() >= most) {
            let first = oldest.get(oldest.len() - most).copied().unwrap_or(now);
            earliest = earliest.max(first + MINUTE);
        }
        if method.is_post()
            && let Some(paid) = self.paid_until.get(channel)
        {
            let at_once = if self.share(Some(channel)) < 1.0 { 1 } else { BURST };
            earliest = earliest.max(*paid - Span::from_millis(POST_PACE.as_millis() * (at_once - 1)));
        }
        if now < earliest { Err(earliest) } else { Ok(()) }
    }

    /// Takes the right to one request now.
    ///
    /// # Errors
    /// When to ask again, if it is not free now; nothing is taken then.
    pub fn pass(&mut self, now: Timestamp, method: Method, channel: &str) -> Result<Pass, Timestamp> {
        self.opens(now, method, channel)?;
        if method.is_post() {
            let cost = cost(self.share(Some(channel)));
            let paid = self.paid_until.entry(channel.to_owned()).or_insert(now);
            *paid = (*paid).max(now) + cost;
        }
        let times = self.minutes.entry(method.rate()).or_default();
        while times.front().is_some_and(|at| now - *at >= MINUTE) {
            times.pop_front();
        }
        times.push_back(now);
        let is_probe = self.breaker.standing() != Standing::Closed;
        self.breaker.passed();
        Ok(Pass { method, is_probe })
    }

    /// A request ended; `failed` if Slack itself is in trouble, `freeze` if it wants no such requests for a while.
    pub fn ended(&mut self, now: Timestamp, pass: Pass, failed: bool, freeze: Option<Span>) {
        self.breaker.ended(now, failed, pass.is_probe);
        if let Some(length) = freeze {
            let until = self.frozen_until.entry(pass.method.rate()).or_insert(now);
            *until = (*until).max(now + length);
        }
    }

    /// Where its breaker stands.
    pub fn breaker(&self) -> Standing {
        self.breaker.standing()
    }
}

/// How long a post is paid for by a process with this share.
fn cost(share: f64) -> Span {
    let longest = MINUTE.as_millis() as f64;
    Span::from_millis((POST_PACE.as_millis() as f64 / share).ceil().min(longest) as i64)
}

fn a_minute(rate: Rate) -> usize {
    if rate == Rate::Post { POSTS_A_MINUTE } else { OTHERS_A_MINUTE }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millis(1_795_341_734_000 + ms)
    }

    #[test]
    fn replies_share_their_channels_pace_and_other_channels_and_methods_have_their_own() {
        let mut pace = Pace::default();
        #[rustfmt::skip]
        let rows = [
            (    0, Method::Post,    "C1", Ok(())),
            (    0, Method::Reply,   "C1", Ok(())),
            (    0, Method::Reply,   "C1", Err(1_050)),
            (    0, Method::Post,    "C2", Ok(())),
            (    0, Method::Update,  "C1", Ok(())),
            (1_049, Method::Post,    "C1", Err(1_050)),
            (1_050, Method::Post,    "C1", Ok(())),
            (1_050, Method::Post,    "C1", Err(2_100)),
        ];
        for (now, method, channel, expected) in rows {
            let passed = pace.pass(at(now), method, channel).map(|_| ());
            assert_eq!(passed, expected.map_err(at), "at {now} {method:?} {channel}");
        }
    }

    #[test]
    fn a_freeze_holds_its_method_only_and_to_its_end() {
        let mut pace = Pace::default();
        let pass = pace.pass(at(0), Method::Post, "C1").expect("free");
        pace.ended(at(0), pass, false, Some(Span::from_secs(120)));
        for (method, opens) in [(Method::Reply, Err(at(120_000))), (Method::Update, Ok(())), (Method::History, Ok(()))]
        {
            assert_eq!(pace.opens(at(119_999), method, "C2"), opens, "{method:?}");
        }
        assert_eq!(pace.opens(at(120_000), Method::Post, "C1"), Ok(()));
    }

    #[test]
    fn no_more_than_45_edits_in_any_minute() {
        let mut pace = Pace::default();
        let sent = (0..400).filter(|n| pace.pass(at(n * 500), Method::Update, "C1").is_ok()).map(|n| n * 500);
        let sent: Vec<i64> = sent.collect();
        for (i, first) in sent.iter().enumerate() {
            let within = sent[i..].iter().filter(|at| **at - first < 60_000).count();
            assert!(within <= 45, "{within} from {first} on");
        }
        assert!(sent.len() > 130, "{}", sent.len());
    }

    #[test]
    fn ten_failures_open_the_breaker_for_every_method() {
        let mut pace = Pace::default();
        for n in 0..10 {
            let pass = pace.pass(at(n * 2_000), Method::Post, "C1").expect("closed");
            pace.ended(at(n * 2_000), pass, true, None);
        }
        assert_eq!(pace.opens(at(18_001), Method::Update, "C1"), Err(at(48_000)));
        let probe = pace.pass(at(48_000), Method::Update, "C1").expect("the probe");
        assert_eq!(pace.opens(at(48_000), Method::Post, "C1"), Err(at(48_200)));
        pace.ended(at(48_100), probe, false, None);
        assert_eq!((pace.breaker(), pace.opens(at(48_100), Method::Post, "C1")), (Standing::Closed, Ok(())));
    }

    proptest! {
        /// Whatever comes when, and however many channels there are: one fewer than the t + 3 that Slack's side may count.
        #[test]
        fn never_more_than_t_plus_2_posts_in_t_seconds(
            steps in prop::collection::vec((0i64..900, 0usize..2, any::<bool>(), 0u8..20), 1..300),
        ) {
            let mut pace = Pace::default();
            let (mut now, mut posts) = (0, [vec![], vec![]]);
            for (step, channel, is_reply, answer) in steps {
                now += step;
                let method = if is_reply { Method::Reply } else { Method::Post };
                if let Ok(pass) = pace.pass(at(now), method, ["C1", "C2"][channel]) {
                    pace.ended(at(now), pass, false, (answer == 0).then(|| Span::from_secs(2)));
                    posts[channel].push(now);
                }
            }
            for posts in posts {
                for (i, first) in posts.iter().enumerate() {
                    for (n, last) in posts[i..].iter().enumerate() {
                        prop_assert!((n as i64 + 1) * 1_000 <= (last - first) + 2_000, "{:?}", posts);
                    }
                }
            }
        }
    }

    #[test]
    fn a_share_slows_posts_and_edits_and_who_joins_has_saved_nothing_up() {
        let mut pace = Pace::default();
        pace.shared_by("sdr", "C1");
        pace.owns(at(0), "sdr", 2, 4);
        #[rustfmt::skip]
        let rows = [
            (    0, Err(2_100), "nothing saved up"),
            (2_100, Ok(()),     "half of the pace"),
            (2_100, Err(4_200), "one at once"),
        ];
        for (now, expected, why) in rows {
            assert_eq!(pace.pass(at(now), Method::Post, "C1").map(|_| ()), expected.map_err(at), "{why}");
        }
        let edits = (0..61).filter(|n| pace.pass(at(n * 1_000), Method::Update, "C1").is_ok()).count();
        assert_eq!(edits, 22, "half of them");
        pace.owns(at(4_000), "sdr", 4, 4);
        pace.pass(at(4_200), Method::Post, "C1").expect("the others are gone");
        pace.pass(at(4_200), Method::Post, "C1").expect("two at once again");
    }

    #[test]
    fn who_takes_all_over_does_not_post_two_at_once_behind_the_former_owner() {
        let mut paces = [0; 2].map(|_| {
            let mut pace = Pace::default();
            pace.shared_by("sdr", "C1");
            pace
        });
        let mut posts = Vec::new();
        for (process, taken) in [(0, 0), (1, 500), (0, 6_000)] {
            for (other, pace) in paces.iter_mut().enumerate() {
                pace.owns(at(taken), "sdr", usize::from(other == process), 1);
            }
            let passes = (taken..taken + 5_000).filter(|now| paces[process].pass(at(*now), Method::Post, "C1").is_ok());
            posts.extend(passes.take_while(|now| *now < taken + 500));
        }
        assert_eq!(posts, [0, 500, 6_000], "the first at once, the next at its time");
    }

    #[test]
    fn sinks_of_one_channel_share_by_all_their_partitions() {
        let mut pace = Pace::default();
        for (sink, channel, owned) in [("a", "C1", 4), ("b", "C1", 0), ("c", "C2", 4)] {
            pace.shared_by(sink, channel);
            pace.owns(at(0), sink, owned, 4);
        }
        let shares = [Some("C1"), Some("C2"), None].map(|channel| pace.share(channel));
        assert_eq!(shares, [0.5, 1.0, 2.0 / 3.0]);
    }

    proptest! {
        /// Three processes with two sinks of one channel, whoever owns what when: together no more than Slack may count.
        #[test]
        fn processes_that_share_a_channel_stay_within_its_pace_together(
            steps in prop::collection::vec((0i64..700, 0usize..3, 0usize..12, 0usize..3), 1..400),
        ) {
            const PARTITIONS: usize = 6;
            // By sink and partition, the process that owns it; all are the first one's.
            let mut owners = [[0; PARTITIONS]; 2];
            let mut paces = [0; 3].map(|_| {
                let mut pace = Pace::default();
                ["a", "b"].iter().for_each(|sink| pace.shared_by(sink, "C1"));
                pace
            });
            let (mut now, mut posts) = (0, Vec::new());
            for (step, (pause, process, partition, owner)) in steps.into_iter().enumerate() {
                now += pause;
                if step % 8 == 0 {
                    owners[partition % 2][partition / 2] = owner;
                    for (process, pace) in paces.iter_mut().enumerate() {
                        for (sink, owners) in ["a", "b"].iter().zip(&owners) {
                            let owned = owners.iter().filter(|owner| **owner == process).count();
                            pace.owns(at(now), sink, owned, PARTITIONS);
                        }
                    }
                }
                let owns_any = owners.iter().flatten().any(|owner| *owner == process);
                if owns_any && paces[process].pass(at(now), Method::Post, "C1").is_ok() {
                    posts.push(now);
                }
            }
            for (i, first) in posts.iter().enumerate() {
                for (n, last) in posts[i..].iter().enumerate() {
                    prop_assert!((n as i64 + 1) * 1_000 <= (last - first) + 3_000, "{:?}", posts);
                }
            }
        }
    }
}
