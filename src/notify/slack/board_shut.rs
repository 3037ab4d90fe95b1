//! A Slack bot whose sink is shut, on a virtual clock.

use super::super::world::{Fault, World, at, terms, well};
use super::*;
use crate::core::alert::AlertKind::Opened;
use crate::notify::stage::{MINUTE, SECOND};

/// Goal: a refusal that `auth.test` does not see keeps the sink shut: Slack is asked once a minute, the fallback stands in, and
/// it ends by itself when the scope is granted to the same token, and at once with another token or an operator's word.
#[test]
fn a_refusal_that_auth_test_does_not_see_keeps_the_sink_shut() {
    for error in ["missing_scope", "message_limit_exceeded", "access_denied", "not_allowed_token_type"] {
        for mended_by in ["the scope", "another token", "an operator"] {
            let mut world = World::default();
            world.has_fallback = true;
            world.publish(0, "ada", "a", Opened);
            world.publish(0, "bo", "a", Opened);
            let mut owner = world.takes_over(terms());
            let mut refuses = |_, method: Method| if method.is_post() { Fault::Error(error) } else { Fault::None };
            owner.works_until(&mut world, 2 * SECOND, &mut refuses);
            let asked = world.asked.len();
            for second in 3..=20 * 60 {
                owner.works_until(&mut world, second * SECOND, &mut refuses);
                assert!(owner.lanes.is_shut(), "{error}: open at {second} s");
                let since = world.now - MINUTE;
                let calls = world.asked[asked..].iter().filter(|(at, _)| *at > since).count();
                assert!(calls <= 1, "{error}: {calls} in a minute before {second} s");
            }
            assert_eq!((world.lent.as_slice(), world.parents().len()), (&[0, 1][..], 0), "{error}");
            match mended_by {
                "another token" => {
                    owner.board.renewed();
                    owner.lanes.renewed(at(world.now));
                }
                "an operator" => assert!(owner.lanes.unblock(at(world.now))),
                _ => {}
            }
            let wait = if mended_by == "the scope" { 65 } else { 5 };
            let until = world.now + wait * SECOND;
            owner.works_until(&mut world, until, &mut well);
            assert!(!owner.lanes.is_shut(), "{error}, {mended_by}");
            assert_eq!(world.outcomes(), [Some("delivered"); 2], "{error}, {mended_by}");
        }
    }
}
