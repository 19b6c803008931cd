//! Whether a request may name a receiver of its outcome.

use super::accept::Intake;
use super::rejection::Rejection;
use crate::domain::CallbackUrl;
use crate::settings::Client;

impl Intake {
    /// Checks the receiver that a request names. What its host resolves to is looked at when it is called.
    ///
    /// # Errors
    /// There is no secret to sign with, or the URL names a private address and these are not allowed.
    pub fn check_callback(&self, url: Option<&CallbackUrl>, client: Option<&Client>) -> Result<(), Rejection> {
        let Some(url) = url else { return Ok(()) };
        if self.callback_secrets.get().of(client.map(|client| &client.name)).is_empty() {
            let setting = match client {
                Some(client) => format!("callback_secret, at the top or in [clients.{}]", client.name),
                None => "callback_secret".to_owned(),
            };
            let what =
                format!("needs a secret to sign with, and there is none: whoever runs the service sets {setting}");
            return Err(Rejection::invalid("callback_url", &what));
        }
        if !self.settings.callbacks.allow_private && url.names_private_address() {
            let what = "names a private address, which is not called: whoever runs the service may set \
                        callback_allow_private";
            return Err(Rejection::invalid("callback_url", what));
        }
        Ok(())
    }
}
