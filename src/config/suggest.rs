//! "Did you mean …?": the known word that is nearest to a misspelt one.

use crate::core::event::FieldPath;
use crate::core::limits::MAX_NAME;

/// Fields that people misspell as a whole, not only in their first word.
pub(super) const COMMON_FIELDS: [&str; 4] = ["page.path", "page.url", "page.title", "page.referrer"];

/// The candidate nearest to a word, if one is near: about one wrong letter in three, or a beginning of it.
pub(super) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // Longer words are no typing mistakes, and the comparison is quadratic.
    if word.is_empty() || word.len() > 2 * MAX_NAME {
        return None;
    }
    let plain = |text: &str| text.to_lowercase().replace('-', "_");
    let wanted = plain(word);
    let distance = |candidate: &str| {
        let candidate = plain(candidate);
        let apart = strsim::damerau_levenshtein(&wanted, &candidate);
        let beginning = wanted.len() >= 4 && candidate.starts_with(&wanted);
        let allowed = (wanted.chars().count().max(candidate.chars().count()) / 3).max(1);
        if beginning && apart > allowed {
            return Some(1);
        }
        (apart <= allowed).then_some(apart)
    };
    known
        .into_iter()
        .filter_map(|candidate| Some((distance(candidate)?, candidate)))
        .min_by_key(|(apart, _)| *apart)
        .map(|(_, candidate)| candidate)
}

/// `; did you mean "…"?`, or nothing.
pub(crate) fn did_you_mean<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    match nearest(word, known) {
        Some(candidate) => format!("; did you mean {candidate:?}?"),
        None => String::new(),
    }
}

/// The field that was probably meant: a whole one, or the same path below another first word.
pub(super) fn nearest_field(text: &str) -> Option<String> {
    let whole = FieldPath::NAMES.into_iter().filter(|name| !name.ends_with('.'));
    let whole = || whole.clone().chain(COMMON_FIELDS);
    let Some((first, rest)) = text.split_once('.') else {
        return nearest(text, whole()).map(str::to_owned);
    };
    let firsts = FieldPath::NAMES.into_iter().filter_map(|name| name.strip_suffix('.'));
    match nearest(first, firsts) {
        Some(first) if !rest.is_empty() => {
            let candidate = format!("{first}.{rest}");
            (text.len() <= 4 * MAX_NAME && FieldPath::parse(&candidate).is_some()).then_some(candidate)
        }
        _ => nearest(text, whole()).map(str::to_owned),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_words_are_suggested_and_far_ones_are_not() {
        let known = ["cooldown", "when", "rearm_below", "pricing_view"];
        #[rustfmt::skip]
        let rows = [
            ("cooldwon", Some("cooldown")), ("Cooldown", Some("cooldown")), ("cool_down", Some("cooldown")),
            ("whn", Some("when")), ("rearm", Some("rearm_below")), ("pricing-view", Some("pricing_view")),
            ("pricing_views", Some("pricing_view")), ("id", None), ("", None), ("something_else", None),
        ];
        for (word, want) in rows {
            assert_eq!(nearest(word, known), want, "{word:?}");
        }
        assert_eq!(nearest(&"w".repeat(1_000_000), known), None);
    }

    #[test]
    fn misspelt_fields_find_their_neighbours() {
        #[rustfmt::skip]
        let rows = [
            ("page_path", Some("page.path")), ("properites.seats", Some("properties.seats")), ("emial", Some("email")),
            ("email.domain", Some("email_domain")), ("useragent", Some("user_agent")), ("nothing_like_it", None),
            ("page", Some("page.path")), ("page.", Some("page.path")),
        ];
        for (text, want) in rows {
            assert_eq!(nearest_field(text).as_deref(), want, "{text}");
        }
    }
}
