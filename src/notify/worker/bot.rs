//! What a sink's worker does for a Slack bot: sends what its board wants sent, and tells it how that ended.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::{Done, Task, Worker, lead_tag};
use crate::notify::breaker::Standing;
use crate::notify::destination::wall_clock;
use crate::notify::http::Failure;
use crate::notify::job::{Ending, Finished};
use crate::notify::observer::Tried;
use crate::notify::slack::api::{Became, Method, judge};
use crate::notify::slack::board::{Outcome, Trial};
use crate::notify::slack::{Board, Pace};
use crate::notify::verdict::AttemptResult;

/// A bot's board, and the pace that it shares with every sink of the same token.
pub struct Bot {
    /// What it does next.
    pub board: Board,
    /// How fast.
    pub pace: Arc<Mutex<Pace>>,
}

/// How a request ended whose task broke down: it may have been sent.
pub(super) fn broken(method: Method) -> Outcome {
    let failure = Failure::Transport("the attempt broke down".to_owned());
    let ended = judge(method, &Err(failure), wall_clock());
    match method {
        Method::History | Method::Replies => Outcome::Looked(Err(ended)),
        _ => Outcome::Sent(ended),
    }
}

impl Worker {
    pub(super) fn start_orders(&mut self) {
        let Some(bot) = &mut self.bot else {
            return;
        };
        loop {
            let order = {
                let mut pace = bot.pace.lock().unwrap_or_else(PoisonError::into_inner);
                bot.board.next(self.clock.now(), &mut self.lanes, &mut pace)
            };
            let Some(order) = order else {
                return;
            };
            let (id, method, around) = (order.id, order.method, self.around.clone());
            let task = self.tasks.spawn(async move {
                let outcome = around.destination.order(order.method, &order.request).await;
                Done::Order(outcome)
            });
            self.running.insert(task.id(), Task::Order(id, method));
        }
    }

    pub(super) fn order_ended(&mut self, id: u64, method: Method, outcome: &Outcome) {
        let Some(bot) = &mut self.bot else {
            return;
        };
        let sink = &self.around.sink;
        let (finished, before, after) = {
            let mut pace = bot.pace.lock().unwrap_or_else(PoisonError::into_inner);
            let before = pace.breaker();
            let now = self.clock.now();
            let finished = bot.board.end(now, &mut self.lanes, &mut pace, id, outcome, fastrand::f64());
            (finished, before, pace.breaker())
        };
        match (before, after) {
            (Standing::Closed, Standing::Open(_)) => {
                tracing::error!(sink, "Slack fails too often: nothing is sent, one message asks again in 30 s");
            }
            (Standing::Probing, Standing::Closed) => tracing::info!(sink, "Slack takes messages again"),
            _ => {}
        }
        self.tell_breaker(after != Standing::Closed);
        let Some(bot) = &mut self.bot else {
            return;
        };
        let (sink, observer) = (&self.around.sink, &self.around.observer);
        for alert in bot.board.take_told() {
            let (rule, lead) = (&alert.rule, lead_tag(&alert.lead.key));
            tracing::info!(sink, alert = %alert.id, rule, lead, "delivered");
            let after_ms = (wall_clock() - alert.trigger.time).as_millis();
            observer.accepted(sink, Duration::from_millis(after_ms.try_into().unwrap_or(0)));
        }
        let ended = outcome.ended();
        // A look at the token or at what is there delivers nothing.
        if method.is_post() || method == Method::Update {
            observer.attempted(sink, ended.map_or(AttemptResult::Ok, |ended| ended.judged.result));
        }
        let failed = ended.filter(|ended| !matches!(ended.became, Became::Done { .. }));
        let status = ended.and_then(|ended| ended.judged.status);
        let detail = failed.map(|ended| self.around.redactor.redact(&ended.judged.detail)).unwrap_or_default();
        for Trial { place, alert, since, rule, lead, number, then } in &bot.board.take_trials() {
            let (place, since, number, then) = (*place, *since, *number, *then);
            observer.tried(sink, &Tried { place, alert, since, rule, lead, number, status, detail: &detail, then });
        }
        if let Some(ended) = failed {
            let result = ended.judged.result.name();
            tracing::warn!(sink, status, result, detail, "attempt failed");
        }
        match finished {
            Some(Finished::Ended(Ending::GivenUp(reason))) => {
                let reason = reason.name();
                tracing::error!(sink, reason, "delivery given up, the alert goes to the dead-letter topic");
            }
            Some(Finished::Shut(true)) => {
                tracing::error!(sink, detail, "the sink is shut, its backlog stays in Kafka");
            }
            _ => {}
        }
    }
}
