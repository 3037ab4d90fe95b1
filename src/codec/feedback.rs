//! What operators and reps say about a lead, and what operators did, as the feedback topic carries it.

use serde::Deserialize;

/// An action on a lead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Feedback {
    /// Forget it altogether.
    Erase {
        /// Its key.
        lead: String,
    },
    /// A note for the next redrive: this dead letter is on the events topic again. Nobody has to do anything.
    Redriven {
        /// Its place on the dead-letter topic.
        letter: String,
    },
}

#[derive(Deserialize)]
struct Wire {
    version: u32,
    kind: String,
    lead: Option<String>,
    letter: Option<String>,
}

/// The value of a note that this dead letter was redriven.
pub fn redriven(letter: &str) -> Vec<u8> {
    serde_json::json!({ "version": 1, "kind": "redriven", "letter": letter }).to_string().into_bytes()
}

/// Reads a record's value.
///
/// # Errors
/// What is wrong with it, for people; quotes nothing of the lead.
pub fn read(value: Option<&[u8]>) -> Result<Feedback, String> {
    let value = value.ok_or("the record has no value")?;
    let Wire { version, kind, lead, letter } =
        serde_json::from_slice(value).map_err(|error| format!("not readable: {error}"))?;
    match (version, kind.as_str()) {
        (1, "erase") => Ok(Feedback::Erase { lead: lead.ok_or("not readable: missing field `lead`")? }),
        (1, "redriven") => Ok(Feedback::Redriven { letter: letter.ok_or("not readable: missing field `letter`")? }),
        (1, _) => Err(format!("kind {kind:?} is not known to this version")),
        _ => Err(format!("version {version} is newer than this hotlead")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_known_is_done() {
        let erase = Ok(Feedback::Erase { lead: "u1".to_owned() });
        assert_eq!(read(Some(br#"{"version":1,"kind":"erase","lead":"u1","by":"ops"}"#)), erase);
        let note = Feedback::Redriven { letter: "hotlead.dead-letter/0@7".to_owned() };
        assert_eq!(read(Some(&redriven("hotlead.dead-letter/0@7"))), Ok(note));
        let faults = [
            (&br#"{"version":1,"kind":"claim","lead":"u1"}"#[..], "kind \"claim\" is not known to this version"),
            (br#"{"version":2,"kind":"erase","lead":"u1"}"#, "version 2 is newer than this hotlead"),
            (br#"{"version":1,"kind":"erase"}"#, "not readable: missing field `lead`"),
            (br#"{"version":1,"kind":"redriven"}"#, "not readable: missing field `letter`"),
            (br#"{"kind":"erase"}"#, "not readable: missing field `version`"),
        ];
        for (value, expected) in faults {
            let fault = read(Some(value)).expect_err(expected);
            assert!(fault.starts_with(expected), "{fault}");
        }
        assert!(read(None).is_err(), "a tombstone says nothing");
    }
}
