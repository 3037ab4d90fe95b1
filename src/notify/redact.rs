//! Collects every configured secret for the [`Redactor`], also the parts that would do for whoever found them.

use crate::config::settings::{Reach, Secret, Settings, Target};
pub use crate::telemetry::redact::Redactor;

impl Redactor {
    /// Knows the secrets of a whole configuration.
    pub fn new(settings: &Settings) -> Self {
        let kafka = settings.kafka.properties.values();
        let kafka = kafka.filter(|value| value.reference().is_some()).map(|value| value.expose().to_owned());
        Self::of(kafka.chain(settings.sinks.iter().flat_map(|sink| secrets(&sink.target))))
    }
}

/// The secrets of one sink.
pub fn secrets(target: &Target) -> Vec<String> {
    let mut found = Vec::new();
    match target {
        Target::Bot(bot) => {
            found.push(bot.token.expose().trim().to_owned());
            found.extend(of_reach(&bot.reach));
        }
        Target::Slack { webhook_url, reach, .. } => {
            found.extend(of_url(webhook_url));
            found.extend(of_reach(reach));
        }
        Target::Webhook(webhook) => {
            for key in &webhook.secrets {
                let whole = key.expose().trim();
                let bare = ["whsec_", "whsk_"].into_iter().find_map(|prefix| whole.strip_prefix(prefix));
                found.extend(bare.map(str::to_owned));
                found.push(whole.to_owned());
            }
            found.extend(webhook.headers.iter().flat_map(|(_, value)| of_header(value)));
            found.extend(webhook.url.password().map(str::to_owned));
            found.extend(webhook.url.query().map(str::to_owned));
            found.extend(of_reach(&webhook.reach));
        }
    }
    found
}

/// A URL that is a secret, and its path: whoever has that can post.
fn of_url(secret: &Secret) -> Vec<String> {
    let whole = secret.expose().trim();
    let path = url::Url::parse(whole).map(|url| url.path().to_owned());
    path.ok().filter(|path| path.len() > 1).into_iter().chain([whole.to_owned()]).collect()
}

/// A header's value, and what follows a word such as `Bearer` in it.
fn of_header(value: &Secret) -> Vec<String> {
    let whole = value.expose().trim();
    let bare = whole.split_once(' ').map(|(_, bare)| bare.trim().to_owned());
    bare.into_iter().chain([whole.to_owned()]).collect()
}

fn of_reach(reach: &Reach) -> Vec<String> {
    let mut found = Vec::new();
    if let Some(proxy) = reach.proxy.as_ref().filter(|proxy| proxy.reference().is_some()) {
        let password = url::Url::parse(proxy.expose().trim()).ok().and_then(|url| Some(url.password()?.to_owned()));
        found.extend(password);
        found.push(proxy.expose().trim().to_owned());
    }
    if let Some((_, key)) = &reach.client {
        // Line by line: nobody prints it in one.
        found.extend(key.expose().lines().filter(|line| !line.starts_with("-----")).map(str::to_owned));
    }
    found
}
