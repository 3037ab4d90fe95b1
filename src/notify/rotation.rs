//! Secrets that stand in files are looked at every second, and at once on SIGHUP; what changed is used from the next
//! attempt on.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::MissedTickBehavior;

use super::destination::Destination;
use super::redact::Redactor;

/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Looks until it is dropped. What is learnt of new secrets goes to `redactor`.
pub async fn watch(sinks: Vec<(String, Arc<Destination>)>, redactor: Arc<Redactor>) {
    watch_every(LOOK_EVERY, sinks, redactor).await;
}

async fn watch_every(pause: Duration, sinks: Vec<(String, Arc<Destination>)>, redactor: Arc<Redactor>) {
    let mut looks = tokio::time::interval(pause);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut hangups = signal(SignalKind::hangup()).ok();
    let mut troubles = HashMap::new();
    loop {
        let is_asked = tokio::select! {
            _ = looks.tick() => false,
            () = hangup(&mut hangups) => true,
        };
        if is_asked {
            tracing::info!("SIGHUP: looking at the secrets in files");
        }
        for (sink, destination) in &sinks {
            look(sink, destination.clone(), &redactor, &mut troubles).await;
        }
    }
}

/// Never, on a system without that signal.
async fn hangup(hangups: &mut Option<Signal>) {
    if let Some(hangups) = hangups
        && hangups.recv().await.is_some()
    {
        return;
    }
    std::future::pending().await
}

async fn look(sink: &str, destination: Arc<Destination>, redactor: &Redactor, troubles: &mut HashMap<String, String>) {
    let here = destination.clone();
    // Files may lie on a network.
    let Ok(looked) = tokio::task::spawn_blocking(move || here.reread()).await else {
        tracing::error!(sink, "looking at its secrets broke down");
        return;
    };
    match looked {
        Ok(changed) => {
            if changed {
                redactor.learn(destination.secrets());
                tracing::info!(sink, "a secret was exchanged");
            }
            if troubles.remove(sink).is_some() && !changed {
                tracing::info!(sink, "its secret can be read again and is the same");
            }
        }
        Err(fault) => {
            let fault = redactor.redact(&fault);
            // Once, not every second.
            if troubles.get(sink) != Some(&fault) {
                tracing::warn!(sink, fault, "a secret cannot be used, the old one stays in use");
                troubles.insert(sink.to_owned(), fault);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::Instant;

    use super::*;
    use crate::config::settings::{Secret, Target};
    use crate::notify::receiver::{Receiver, Reply, sink};

    const KEYS: [&str; 2] = ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"];

    fn destination(file: &Path) -> Arc<Destination> {
        let receiver = Receiver::start(|_, _| Reply::Answer(200, "", ""));
        let Target::Webhook(mut webhook) = receiver.webhook(2_000) else { unreachable!() };
        webhook.secrets = vec![Secret::resolved(KEYS[0], "file:secret").in_file(file.to_owned())];
        Arc::new(Destination::of(&sink(Target::Webhook(webhook)), "hotlead").expect("a destination"))
    }

    /// Goal: nothing has to be told for a new secret to be used, and neither the new nor the old one is printed after.
    #[tokio::test(flavor = "multi_thread")]
    async fn a_changed_file_is_seen_and_its_secret_never_shown() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("secret");
        std::fs::write(&file, KEYS[0]).expect("a writable folder");
        let destination = destination(&file);
        let redactor = Arc::new(Redactor::of(destination.secrets()));
        let mut renewals = destination.renewals();
        let mut tasks = tokio::task::JoinSet::new();
        tasks.spawn(watch(vec![("crm".into(), destination.clone())], redactor.clone()));
        std::fs::write(&file, KEYS[1]).expect("a writable file");
        let seen = tokio::time::timeout(Duration::from_secs(20), renewals.changed()).await;
        seen.expect("it is seen in time").expect("it lives");
        let deadline = Instant::now() + Duration::from_secs(20);
        while redactor.redact(KEYS[1]) != "[secret]" {
            assert!(Instant::now() < deadline, "the new one is not learnt");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert_eq!(redactor.redact(KEYS[0]), "[secret]");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn sighup_looks_at_once() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("secret");
        std::fs::write(&file, KEYS[1]).expect("a writable folder");
        let destination = destination(&file);
        let mut renewals = destination.renewals();
        let sinks = vec![("crm".into(), destination.clone())];
        let mut tasks = tokio::task::JoinSet::new();
        tasks.spawn(watch_every(Duration::from_secs(3_600), sinks, Arc::default()));
        let mut seen = async || {
            let seen = tokio::time::timeout(Duration::from_secs(20), renewals.changed()).await;
            seen.expect("it is seen in time").expect("it lives");
        };
        seen().await; // the first look, after which nobody looks for an hour
        std::fs::write(&file, KEYS[0]).expect("a writable file");
        let us = std::process::id().to_string();
        let sent = std::process::Command::new("kill").args(["-HUP", &us]).status().expect("kill runs");
        assert!(sent.success());
        seen().await;
    }
}
