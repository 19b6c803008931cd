//! The flags that say which service is meant.

use super::service_client::{ServiceClient, api_key};
use crate::settings::PREFIX;

#[derive(clap::Args)]
pub struct ServiceArgs {
    /// The service.
    #[arg(long, env = "PIXCOURIER_URL", default_value = "http://127.0.0.1:8080")]
    url: String,
    /// The environment variable that holds the API key; of several keys in it the first is used.
    #[arg(long, value_name = "VARIABLE", default_value_t = format!("{PREFIX}API_KEYS"))]
    api_key_env: String,
}

impl ServiceArgs {
    /// A client of it.
    pub fn client(&self) -> anyhow::Result<ServiceClient> {
        ServiceClient::new(&self.url, api_key(&self.api_key_env))
    }
}
