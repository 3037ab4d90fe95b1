//! What can go wrong with deliveries, row by row, and the tests that show what happens then.

use std::fs;
use std::path::Path;

#[rustfmt::skip]
const ROWS: [(&str, &[&str]); 22] = [
    ("Slack is down for hours", &[
        "six_hours_of_outage", "an_outage_of_slack_loses_nothing",
        "an_outage_lends_each_alert_once_and_slack_gets_them_all_the_same",
    ]),
    ("a sink cannot be reached for five minutes", &[
        "it_stands_in_after_five_minutes_without_a_success_whatever_the_trouble",
        "a_fallback_gets_each_alert_once_while_its_sink_is_disabled_and_the_sink_gets_them_all_when_it_opens",
    ]),
    ("a webhook answers 500", &[
        "a_poison_lead_is_parked_with_all_that_follows_it",
        "a_failed_attempt_is_repeated_with_the_same_id_and_committed_after_its_outcome",
    ]),
    ("a webhook answers 410", &["a_disabled_endpoint_keeps_its_queue_until_an_operator_opens_it"]),
    ("a webhook hangs, or drips", &[
        "every_kind_of_receiver_is_judged_in_time", "a_hanging_lead_does_not_hold_up_others_and_a_slow_sink_not_a_fast_one",
        "one_endpoint_that_hangs_leaves_the_others_as_quick_as_they_were",
    ]),
    ("an answer is huge, endless or packed", &["bodies_that_never_end_or_are_packed_cost_little_memory_and_are_delivered"]),
    ("a redirect", &["a_redirect_is_a_failure_and_not_followed"]),
    ("a name leads to an inner address, or to another one later", &[
        "addresses_inside_are_refused_in_every_spelling_and_by_name", "one_forbidden_answer_refuses_all",
        "a_name_that_leads_elsewhere_later_is_judged_anew_at_each_connection",
    ]),
    ("429 with Retry-After", &[
        "after_429_nothing_is_sent_before_retry_after_is_over", "in_a_storm_of_429_nothing_goes_before_its_time",
        "a_429_freezes_its_method_and_edits_go_on",
    ]),
    ("429 although Slack took it", &["an_uncertain_post_is_looked_for_sent_again_or_given_up_as_the_config_says"]),
    ("killed at any point", &[
        "killed_before_the_post_it_sends_later_what_it_had_not_sent",
        "killed_after_the_post_it_repeats_the_id_and_finds_the_message",
        "killed_before_the_ledger_acknowledged_it_repeats_the_id_and_finds_the_message",
        "killed_before_the_offset_is_stored_it_repeats_the_id_or_knows_that_it_is_done",
        "killed_during_the_drain_it_repeats_the_id_and_finds_the_message",
    ]),
    ("killed or paused during a rebalance", &[
        "killed_during_a_rebalance_the_other_instance_goes_on_with_everything", "a_paused_instances_late_record_never_wins",
        "a_member_of_an_older_generation_writes_nothing",
    ]),
    ("10,000 alerts in a minute", &[
        "ten_thousand_alerts_in_a_minute", "a_storm_is_bounded_in_memory_and_in_posts_and_all_of_it_ends",
        "ten_thousand_alerts_before_a_dead_webhook_cost_little_memory",
        "ten_thousand_alerts_before_a_slack_that_answers_429_or_is_down_cost_little_memory",
    ]),
    ("one lead flaps", &["a_flapping_lead_has_one_card_that_is_edited_every_three_seconds_at_most"]),
    ("over-long or hostile texts", &[
        "any_text_of_a_lead_gives_a_card_that_slack_takes", "hostile_texts_control_nothing_in_cards_replies_and_digests",
        "a_message_that_slack_refuses_is_tried_as_one_line_and_then_given_up",
    ]),
    ("the token is revoked", &["a_revoked_token_waits_for_the_new_one_in_its_file"]),
    ("the channel is archived", &[
        "an_archived_channel_is_tried_until_the_alert_is_too_old_and_given_up_as_such",
        "it_stands_in_after_five_minutes_without_a_success_whatever_the_trouble",
    ]),
    ("the card was deleted", &["a_deleted_card_has_a_new_one_in_its_place_unless_it_is_over"]),
    ("the ledger is away", &[
        "while_the_ledger_is_away_little_is_sent_and_nothing_lost", "while_the_ledger_is_away_nothing_is_posted",
    ]),
    ("clocks are apart", &["a_receiver_whose_clock_is_more_than_a_minute_off_is_told_once_and_measured"]),
    ("retention is shorter than an outage", &[
        "retention_shorter_than_max_age_is_told_at_the_start_and_what_expired_is_counted",
    ]),
    ("a redrive after a fix", &[
        "a_given_up_delivery_goes_back_to_its_sink_once_and_to_no_other",
        "a_redrive_survives_the_death_of_whoever_asked_and_of_whoever_was_asked",
    ]),
];

fn gather(folder: &Path, text: &mut String) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            gather(&path, text);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            text.push_str(&fs::read_to_string(&path).expect("a source file"));
        }
    }
}

#[test]
fn every_row_has_its_tests() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut sources = String::new();
    ["src/notify", "tests/notify"].iter().for_each(|folder| gather(&root.join(folder), &mut sources));
    for (row, tests) in ROWS {
        let missing = tests.iter().find(|test| !sources.contains(&format!("fn {test}(")));
        assert!(missing.is_none() && !tests.is_empty(), "{row}: no test {missing:?}");
    }
}
