//! Puts a stand-in in the place of a bot's own token in what goes back to its caller, and the other way round in the path
//! of a file. A local Bot API server names files by paths that hold the token (with `~` where folders cannot hold colons),
//! and the address of a webhook often holds it.

use crate::settings::Live;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use secrecy::{ExposeSecret, SecretString};

/// What may stand in the place of a token's colon: itself, percent-encoded once or twice, escaped in JSON, or what folders
/// have instead.
const COLONS: [&str; 8] = [":", "%3A", "%3a", "%253A", "%253a", "\\u003A", "\\u003a", "~"];

/// The forms of one token, each with that of the other which takes its place.
pub struct TokenMask {
    forms: Vec<(Vec<u8>, Vec<u8>)>,
    /// How many bytes the longest form has.
    longest: usize,
}

impl TokenMask {
    /// Puts `to` in the place of `from`.
    pub fn new(from: &str, to: &str) -> Self {
        let parts = |token: &str| {
            let (id, secret) = token.split_once(':').unwrap_or(("", token));
            (id.to_owned(), [secret.to_owned(), utf8_percent_encode(secret, NON_ALPHANUMERIC).to_string()])
        };
        let ((id, secrets), (other_id, other_secrets)) = (parts(from), parts(to));
        let mut forms = Vec::new();
        for (secret, other) in secrets.iter().zip(&other_secrets) {
            let whole =
                COLONS.iter().map(|colon| (format!("{id}{colon}{secret}"), format!("{other_id}{colon}{other}")));
            // The secret alone, too, is what nobody shall learn.
            forms.extend(whole.chain([(secret.clone(), other.clone())]));
        }
        let forms: Vec<_> = forms.into_iter().map(|(from, to)| (from.into_bytes(), to.into_bytes())).collect();
        let longest = forms.iter().map(|(from, _)| from.len()).max().unwrap_or(1);
        Self { forms, longest }
    }

    /// Hides the token of a bot behind one that stands for it.
    pub fn hiding(own: &Live<SecretString>, stand_in: &SecretString) -> Self {
        Self::new(own.get().expose_secret(), stand_in.expose_secret())
    }

    /// Finds the stand-in in what a caller sends, and puts the bot's token there.
    pub fn revealing(own: &Live<SecretString>, stand_in: &SecretString) -> Self {
        Self::new(stand_in.expose_secret(), own.get().expose_secret())
    }

    /// A whole text with all forms replaced.
    pub fn replace(&self, text: &[u8]) -> Vec<u8> {
        self.replace_up_to(&mut text.to_vec(), 0)
    }

    /// The next piece of a stream with all forms replaced, but for the last bytes: a form may begin there, so they are held
    /// for the next piece; what is held at the end is a text of its own for [`TokenMask::replace`].
    pub fn replace_piece(&self, held: &mut Vec<u8>, piece: &[u8]) -> Vec<u8> {
        held.extend_from_slice(piece);
        self.replace_up_to(held, self.longest - 1)
    }

    /// Takes all but the last `kept` bytes, unless a form reaches into them.
    fn replace_up_to(&self, held: &mut Vec<u8>, kept: usize) -> Vec<u8> {
        let (mut replaced, mut at) = (Vec::with_capacity(held.len()), 0);
        while at < held.len().saturating_sub(kept) {
            let rest = &held[at..];
            match self.forms.iter().find(|(from, _)| rest.first() == from.first() && rest.starts_with(from)) {
                Some((from, to)) => {
                    replaced.extend_from_slice(to);
                    at += from.len();
                }
                None => {
                    replaced.push(rest[0]);
                    at += 1;
                }
            }
        }
        held.drain(..at);
        replaced
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: &str = "123456:ABC-DEF1234ghIkl-zyx57W2v1u123ew11";
    const OURS: &str = "77:ours-ours_ours-ours-ours-ours";

    #[test]
    fn every_form_of_a_token_is_replaced_by_the_same_form_of_the_other() {
        let mask = TokenMask::new(OWN, OURS);
        for colon in COLONS {
            let text = format!("{{\"file_path\":\"/var/{}/photos/1.jpg\"}}", OWN.replace(':', colon));
            let masked = String::from_utf8(mask.replace(text.as_bytes())).unwrap();
            assert_eq!(masked, format!("{{\"file_path\":\"/var/{}/photos/1.jpg\"}}", OURS.replace(':', colon)));
            assert_eq!(TokenMask::new(OURS, OWN).replace(masked.as_bytes()), text.as_bytes());
        }
        let encoded = |token: &str| utf8_percent_encode(token, NON_ALPHANUMERIC).to_string();
        assert_eq!(mask.replace(encoded(OWN).as_bytes()), encoded(OURS).as_bytes());
        assert_eq!(mask.replace(&OWN.as_bytes()[7..]), &OURS.as_bytes()[3..], "the secret alone");
        assert_eq!(mask.replace(b"123456:ABC-DEF and 123456"), b"123456:ABC-DEF and 123456");
    }

    #[test]
    fn a_token_is_found_wherever_the_stream_is_cut() {
        let mask = TokenMask::new(OWN, OURS);
        let text = format!("{OWN}/a/{OWN}{OWN}%3A {} end", OWN.replace(':', "%3A"));
        let expected = mask.replace(text.as_bytes());
        assert!(!String::from_utf8_lossy(&expected).contains("ABC-DEF"));
        for size in 1..text.len() {
            let (mut held, mut streamed) = (Vec::new(), Vec::new());
            for piece in text.as_bytes().chunks(size) {
                streamed.extend(mask.replace_piece(&mut held, piece));
            }
            streamed.extend(mask.replace(&held));
            assert_eq!(streamed, expected, "pieces of {size}");
        }
    }
}
