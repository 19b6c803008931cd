//! The only place where a bot's token becomes part of a URL.

use crate::settings::TelegramAccount;
use reqwest::{Client, Method, RequestBuilder};
use secrecy::{ExposeSecret, SecretString};

/// The URL of one request to the Bot API. It holds the token, so it cannot be printed; all that can be done with it is
/// to begin a request.
#[derive(Debug)]
pub struct ApiUrl(SecretString);

impl ApiUrl {
    /// The URL of a method: `<api_url>/bot<token>/<method>`, or `api_url` with both put in if it is a template that
    /// holds `{token}` and `{method}`.
    pub fn of_method(account: &TelegramAccount, method: &str) -> Self {
        let (api_url, token) = (&account.api_url, account.token.get());
        let token = token.expose_secret();
        let url = match is_template(api_url) {
            true => api_url.replace("{token}", token).replace("{method}", method),
            false => format!("{}/bot{token}/{method}", api_url.trim_end_matches('/')),
        };
        Self(url.into())
    }

    /// The URL of a file to download, by the path that `getFile` gave: `<api_url>/file/bot<token>/<path>`. A template
    /// says nothing about files: they are asked for at its server, under the path that the Bot API has for them.
    pub fn of_file(account: &TelegramAccount, path: &str) -> Self {
        let (api_url, token) = (&account.api_url, account.token.get());
        let token = token.expose_secret();
        let base = match is_template(api_url).then(|| api_url.match_indices('/').nth(2)).flatten() {
            Some((end, _)) => &api_url[..end],
            None => api_url.trim_end_matches('/'),
        };
        Self(format!("{base}/file/bot{token}/{path}").into())
    }

    /// The same with a query string, given without the question mark.
    pub fn with_query(self, query: &str) -> Self {
        if query.is_empty() {
            return self;
        }
        let url = self.0.expose_secret();
        let separator = if url.contains('?') { '&' } else { '?' };
        Self(format!("{url}{separator}{query}").into())
    }

    /// A request to it.
    pub fn request(&self, client: &Client, method: Method) -> RequestBuilder {
        client.request(method, self.0.expose_secret())
    }
}

fn is_template(api_url: &str) -> bool {
    api_url.contains("{token}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::BotName;
    use crate::settings::{Bot, RateLimits};

    const TOKEN: &str = "123456:ABC-DEF1234ghIkl-zyx57W2v1u123ew11";

    fn account(api_url: &str) -> TelegramAccount {
        let name = BotName::default_bot();
        let bot = Bot::new(name, TOKEN.into(), api_url.to_owned(), RateLimits::default()).unwrap();
        bot.telegram().unwrap().clone()
    }

    fn text(url: &ApiUrl) -> &str {
        url.0.expose_secret()
    }

    #[test]
    fn addresses_follow_the_template() {
        let plain = account("http://localhost:8081/");
        let send = ApiUrl::of_method(&plain, "sendPhoto");
        assert_eq!(text(&send), format!("http://localhost:8081/bot{TOKEN}/sendPhoto"));
        let file = ApiUrl::of_file(&plain, "photos/1.jpg");
        assert_eq!(text(&file), format!("http://localhost:8081/file/bot{TOKEN}/photos/1.jpg"));
        let template = account("http://proxy/{token}/{method}");
        assert_eq!(text(&ApiUrl::of_method(&template, "getMe")), format!("http://proxy/{TOKEN}/getMe"));
        assert_eq!(text(&ApiUrl::of_file(&template, "a.jpg")), format!("http://proxy/file/bot{TOKEN}/a.jpg"));
    }

    #[test]
    fn a_query_is_appended_to_one_that_is_there() {
        let get = |api_url| ApiUrl::of_method(&account(api_url), "getMe");
        assert!(text(&get("http://a").with_query("x=1")).ends_with("/getMe?x=1"));
        assert!(text(&get("http://a/{token}/{method}?k=v").with_query("x=1")).ends_with("/getMe?k=v&x=1"));
        assert!(text(&get("http://a").with_query("")).ends_with("/getMe"));
    }

    #[test]
    fn debug_hides_the_token() {
        let url = ApiUrl::of_method(&account("http://a"), "getMe").with_query("x=1");
        assert!(!format!("{url:?}").contains("ABC-DEF"));
    }
}
