//! What each error of Slack's Web API is about, and so what follows: the table of error strings.

use super::api::Method;

/// What an error is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// A bad moment: the same again later.
    Transient,
    /// It may have been done all the same: nobody knows.
    Uncertain,
    /// The token: the sink is shut until there is another.
    Credential,
    /// The channel refuses: held until the alert is too old, then given up as such.
    Channel,
    /// The card's message: a new one takes its place.
    Parent,
    /// What was sent: once more with as little as possible, then it is given up.
    Message,
    /// Never seen: of the message after three tries.
    Unknown,
}

const TRANSIENT: &[&str] = &[
    "ratelimited",
    "rate_limited",
    "service_unavailable",
    "internal_error",
    "request_timeout",
    "update_failed",
    "team_added_to_org",
    "org_login_required",
    "external_channel_migrating",
    "streaming_state_conflict",
];

const CREDENTIAL: &[&str] = &[
    "invalid_auth",
    "not_authed",
    "account_inactive",
    "missing_scope",
    "not_allowed_token_type",
    "access_denied",
    "accesslimited",
    "team_access_not_granted",
    "ekm_access_denied",
    "enterprise_is_restricted",
    "two_factor_setup_required",
    "message_limit_exceeded",
];

const CHANNEL: &[&str] =
    &["channel_not_found", "not_in_channel", "is_archived", "no_permission", "team_not_found", "messages_tab_disabled"];

const PARENT: &[&str] = &[
    "message_not_found",
    "cant_update_message",
    "edit_window_closed",
    "is_inactive",
    "cannot_reply_to_message",
    "thread_not_found",
    "restricted_action_thread_locked",
    "block_mismatch",
];

const MESSAGE: &[&str] = &[
    "invalid_blocks",
    "invalid_blocks_format",
    "msg_blocks_too_long",
    "msg_too_long",
    "no_text",
    "too_many_attachments",
    "attachment_payload_limit_exceeded",
    "metadata_too_large",
    "invalid_arguments",
    "markdown_text_conflict",
];

/// What an error string of a method is about.
pub fn scope(method: Method, error: &str) -> Scope {
    let is = |list: &[&str]| list.contains(&error);
    // A message of its own has no parent that could be mended by another.
    let has_parent = matches!(method, Method::Reply | Method::Update);
    match error {
        // It may have partly succeeded; an edit is as good twice.
        "fatal_error" if method.is_post() => Scope::Uncertain,
        "fatal_error" => Scope::Transient,
        _ if is(TRANSIENT) => Scope::Transient,
        _ if is(CREDENTIAL) || error.starts_with("token_") => Scope::Credential,
        _ if is(PARENT) && has_parent => Scope::Parent,
        _ if is(CHANNEL) || error.starts_with("restricted_action") => Scope::Channel,
        _ if is(MESSAGE) || error.starts_with("invalid_metadata_") => Scope::Message,
        _ => Scope::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_string_of_the_table_has_its_scope() {
        use Method::{Post, Reply, Update};
        use Scope::*;
        #[rustfmt::skip]
        let rows: &[(&str, Scope, Scope, Scope)] = &[
            // error                                 post        reply       update
            ("ratelimited",                          Transient,  Transient,  Transient),
            ("rate_limited",                         Transient,  Transient,  Transient),
            ("service_unavailable",                  Transient,  Transient,  Transient),
            ("internal_error",                       Transient,  Transient,  Transient),
            ("fatal_error",                          Uncertain,  Uncertain,  Transient),
            ("request_timeout",                      Transient,  Transient,  Transient),
            ("update_failed",                        Transient,  Transient,  Transient),
            ("team_added_to_org",                    Transient,  Transient,  Transient),
            ("org_login_required",                   Transient,  Transient,  Transient),
            ("external_channel_migrating",           Transient,  Transient,  Transient),
            ("streaming_state_conflict",             Transient,  Transient,  Transient),
            ("invalid_auth",                         Credential, Credential, Credential),
            ("not_authed",                           Credential, Credential, Credential),
            ("token_revoked",                        Credential, Credential, Credential),
            ("token_expired",                        Credential, Credential, Credential),
            ("account_inactive",                     Credential, Credential, Credential),
            ("missing_scope",                        Credential, Credential, Credential),
            ("not_allowed_token_type",               Credential, Credential, Credential),
            ("access_denied",                        Credential, Credential, Credential),
            ("accesslimited",                        Credential, Credential, Credential),
            ("team_access_not_granted",              Credential, Credential, Credential),
            ("ekm_access_denied",                    Credential, Credential, Credential),
            ("enterprise_is_restricted",             Credential, Credential, Credential),
            ("two_factor_setup_required",            Credential, Credential, Credential),
            ("message_limit_exceeded",               Credential, Credential, Credential),
            ("no_permission",                        Channel,    Channel,    Channel),
            ("channel_not_found",                    Channel,    Channel,    Channel),
            ("not_in_channel",                       Channel,    Channel,    Channel),
            ("is_archived",                          Channel,    Channel,    Channel),
            ("restricted_action",                    Channel,    Channel,    Channel),
            ("restricted_action_read_only_channel",  Channel,    Channel,    Channel),
            ("restricted_action_thread_only_channel", Channel,   Channel,    Channel),
            ("restricted_action_non_threadable_channel", Channel, Channel,   Channel),
            ("team_not_found",                       Channel,    Channel,    Channel),
            ("messages_tab_disabled",                Channel,    Channel,    Channel),
            ("message_not_found",                    Unknown,    Parent,     Parent),
            ("cant_update_message",                  Unknown,    Parent,     Parent),
            ("edit_window_closed",                   Unknown,    Parent,     Parent),
            ("is_inactive",                          Unknown,    Parent,     Parent),
            ("cannot_reply_to_message",              Unknown,    Parent,     Parent),
            ("restricted_action_thread_locked",      Channel,    Parent,     Parent),
            ("block_mismatch",                       Unknown,    Parent,     Parent),
            ("invalid_blocks",                       Message,    Message,    Message),
            ("invalid_blocks_format",                Message,    Message,    Message),
            ("msg_blocks_too_long",                  Message,    Message,    Message),
            ("msg_too_long",                         Message,    Message,    Message),
            ("no_text",                              Message,    Message,    Message),
            ("too_many_attachments",                 Message,    Message,    Message),
            ("attachment_payload_limit_exceeded",    Message,    Message,    Message),
            ("metadata_too_large",                   Message,    Message,    Message),
            ("invalid_metadata_format",              Message,    Message,    Message),
            ("invalid_metadata_schema",              Message,    Message,    Message),
            ("invalid_arguments",                    Message,    Message,    Message),
            ("markdown_text_conflict",               Message,    Message,    Message),
            ("a_new_error",                          Unknown,    Unknown,    Unknown),
            ("",                                     Unknown,    Unknown,    Unknown),
        ];
        for (error, post, reply, update) in rows {
            assert_eq!([Post, Reply, Update].map(|method| scope(method, error)), [*post, *reply, *update], "{error}");
        }
        let listed = [TRANSIENT, CREDENTIAL, CHANNEL, PARENT, MESSAGE].concat();
        let tested = |error: &&str| rows.iter().any(|row| row.0 == *error);
        assert_eq!(listed.into_iter().filter(|error| !tested(error)).collect::<Vec<_>>(), ["thread_not_found"]);
    }
}
