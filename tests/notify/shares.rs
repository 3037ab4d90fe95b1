//! Instances that share a token: each posts at its share of Slack's pace.

use super::kills::{Crm, Deployment};
use crate::kafka::broker;

/// Goal: two instances with work for the same channel stay within what Slack allows for it, as the strict Slack counts.
#[tokio::test(flavor = "multi_thread")]
async fn two_instances_with_one_token_keep_the_pace_of_its_channel_together() {
    const ALERTS: u128 = 14;
    let crm = Crm::holding(0).await;
    tokio::task::block_in_place(|| {
        let deployment = Deployment::new(broker(), "shares", 2, &crm);
        let first = deployment.start("a");
        let second = deployment.start("b");
        deployment.publish(ALERTS, |number| (number % 2) as i32);
        deployment.all_is_well(&second, ALERTS);
        let told = |log: String| log.matches("delivered sink=\"sdr\"").count();
        assert_eq!((told(first.log()), told(second.log())), (7, 7), "each its half");
    });
}
