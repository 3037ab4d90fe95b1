//! Slack channels: by a bot with a token, or by an incoming webhook.

use std::time::Duration;

use url::Url;

use super::keys::{ON_UNCERTAIN, SLACK};
use super::link::LinkTemplate;
use super::read::Reader;
use super::secrets::StandIn;
use super::sinks::Read;
use super::{Reach, Secret, Target};
use crate::config::map::Map;
use crate::config::view::{View, optional};

const DEFAULT_API: &str = "https://slack.com/api/";
const DEFAULT_EPISODE_GAP: Duration = Duration::from_secs(4 * 3_600);
const MAX_CHANNEL: usize = 64;

/// Keys that say something of a bot only.
const OF_BOTS: [&str; 4] = ["channel", "api_url", "episode_gap", "on_uncertain"];

/// A Slack bot that posts cards to one channel.
#[derive(Clone, Debug)]
pub struct Bot {
    /// `xoxb-…`
    pub token: Secret,
    /// The channel's id.
    pub channel: String,
    /// Where the Web API is; ends with a slash.
    pub api_url: Url,
    /// The card's link to the CRM.
    pub crm_url: Option<LinkTemplate>,
    /// A card whose newest alert is this old in event time is over.
    pub episode_gap: Duration,
    /// What to do where nobody knows whether Slack took a message.
    pub on_uncertain: OnUncertain,
    /// How to reach it.
    pub reach: Reach,
}

/// What to do where nobody knows whether Slack took a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnUncertain {
    /// Look for it in the channel; send it again only if it is not there.
    #[default]
    Reconcile,
    /// Send it again, once.
    Resend,
    /// Give it up: it goes to the dead-letter topic.
    Hold,
}

impl Reader<'_> {
    /// `masked` are the fields that the sink must not learn.
    pub(super) fn slack(&mut self, view: &View<'_>, masked: &[&str]) -> Read<Target> {
        let map = view.map(self.faults, &SLACK).ok_or(())?;
        let reach = self.reach(&map);
        let crm_url = map.get("crm_url").map(|view| self.link(&view, masked));
        if let Some(view) = map.get("token") {
            return self.bot(&map, &view, reach, crm_url);
        }
        for name in OF_BOTS {
            if let Some(view) = map.get(name) {
                view.fault(self.faults, "is of a bot: it needs token in place of webhook_url");
            }
        }
        let Some(view) = map.get("webhook_url") else {
            return Err(());
        };
        let secret = self.secret(&view, StandIn::Url);
        let crm_url = optional(crm_url).ok_or(())?;
        let (Some(webhook_url), Some(reach)) = (secret?, reach?) else {
            return Ok(None);
        };
        self.url(&view, webhook_url.expose(), &reach, true).ok_or(())?;
        Ok(Some(Target::Slack { webhook_url, crm_url, reach: Box::new(reach) }))
    }

    fn bot(
        &mut self,
        map: &Map<'_>,
        token: &View<'_>,
        reach: Read<Reach>,
        crm_url: Option<Option<LinkTemplate>>,
    ) -> Read<Target> {
        let token = self.token(token);
        let channel = match map.get("channel") {
            Some(view) => self.channel(&view),
            None => {
                map.fault(self.faults, "token needs channel beside it: the id of the channel to post to");
                None
            }
        };
        let api_url = map.get("api_url").map(|view| {
            let text = view.text(self.faults)?;
            let Ok(Some(reach)) = &reach else { return Url::parse(text).ok() };
            self.url(&view, text, reach, false)
        });
        let episode_gap = map.get("episode_gap").map(|view| self.span(&view, 1_000, 30 * 86_400_000));
        let on_uncertain = map.get("on_uncertain").map(|view| {
            let all = [OnUncertain::Reconcile, OnUncertain::Resend, OnUncertain::Hold];
            self.word(&view, ON_UNCERTAIN).map(|index| all[index])
        });
        let (channel, crm_url) = (channel.ok_or(())?, optional(crm_url).ok_or(())?);
        let api_url = optional(api_url).ok_or(())?.or_else(|| Url::parse(DEFAULT_API).ok()).ok_or(())?;
        let episode_gap = optional(episode_gap).ok_or(())?.unwrap_or(DEFAULT_EPISODE_GAP);
        let on_uncertain = optional(on_uncertain).ok_or(())?.unwrap_or_default();
        let (Some(token), Some(reach)) = (token?, reach?) else {
            return Ok(None);
        };
        let api_url = with_slash(api_url);
        let bot = Bot { token, channel, api_url, crm_url, episode_gap, on_uncertain, reach };
        Ok(Some(Target::Bot(Box::new(bot))))
    }

    fn token(&mut self, view: &View<'_>) -> Read<Secret> {
        let secret = self.secret(view, StandIn::Text)?;
        let fits = |secret: &Secret| secret.expose().trim().bytes().all(|b| b.is_ascii_graphic());
        if secret.as_ref().is_some_and(|secret| !fits(secret)) {
            view.fault(self.faults, "must lead to a token such as xoxb-…: printable ASCII (its value is not shown)");
            return Err(());
        }
        Ok(secret)
    }

    fn channel(&mut self, view: &View<'_>) -> Option<String> {
        let id = view.as_text().unwrap_or_default();
        let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
        // Looking for a message takes the id: Slack finds no history by a channel's name.
        if !id.starts_with(['C', 'D', 'G']) || !(2..=MAX_CHANNEL).contains(&id.len()) || !id.bytes().all(fits) {
            view.must_be(self.faults, "a channel's id such as C0123456789 (at the end of its details in Slack)");
            return None;
        }
        Some(id.to_owned())
    }
}

/// Methods are joined to it as to a folder.
fn with_slash(mut url: Url) -> Url {
    if !url.path().ends_with('/') {
        url.set_path(&format!("{}/", url.path()));
    }
    url
}
