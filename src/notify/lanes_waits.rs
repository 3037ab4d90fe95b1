//! How long alerts wait, on a virtual clock: what the other side asks for, and how old they may become.

use super::super::stage::{HOUR, SECOND, Stage, judged};
use super::*;
use crate::notify::verdict::Reason;

/// Goal: an alert is given up when it is a day old, not because the other side wants a long pause.
#[test]
fn a_long_retry_after_gives_nothing_up_before_its_time() {
    for seconds in [3_600, 86_399, 86_400, 90_000] {
        let mut stage = Stage::default();
        let offset = stage.publish(0, "ada");
        let mut owner = stage.takes_over();
        let wait = Some(Span::from_secs(seconds));
        let later = || judged(Verdict::Later { retry_after: wait, reason: Reason::Exhausted });
        owner.works_until(&mut stage, 24 * HOUR - 1, &mut |_, _| (10, later()));
        assert_eq!(stage.dead, [0; 0], "{seconds}");
        owner.works_until(&mut stage, 24 * HOUR + SECOND, &mut |_, _| (10, later()));
        assert_eq!((&stage.dead[..], owner.counts().parked), (&[offset][..], 0), "{seconds}");
    }
}
