//! What a callback is signed with.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret, SecretSlice};

/// A secret of Standard Webhooks: `whsec_` and 24 to 64 bytes in base64. Never printed.
#[derive(Clone, Debug)]
pub struct CallbackSecret(SecretSlice<u8>);

impl CallbackSecret {
    /// What one looks like, in the words of an error.
    pub const SHAPE: &str = "whsec_ and 24 to 64 random bytes in base64";

    /// Reads one; `None` if it is none.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = STANDARD.decode(text.trim().strip_prefix("whsec_")?).ok()?;
        (24..=64).contains(&bytes.len()).then(|| Self(bytes.into()))
    }

    /// The bytes of the key, for the signature.
    pub fn expose(&self) -> &[u8] {
        self.0.expose_secret()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_have_the_form_of_standard_webhooks() {
        let secret = CallbackSecret::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        assert_eq!(secret.expose().len(), 24);
        assert!(!format!("{secret:?}").contains("MfKQ"), "{secret:?}");
        let long = format!("whsec_{}", STANDARD.encode([7; 65]));
        for bad in ["", "whsec_", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_c2hvcnQ=", "whsec_####", long.as_str()] {
            assert!(CallbackSecret::parse(bad).is_none(), "{bad}");
        }
    }
}
