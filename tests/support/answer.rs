//! What a service answered, read to its end.

use reqwest::header::HeaderMap;
use reqwest::{RequestBuilder, Response, StatusCode};
use serde_json::Value;

/// An answer with everything that tests ask about.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub text: String,
}

impl Answer {
    pub async fn of(request: RequestBuilder) -> Self {
        Self::read(request.send().await.unwrap()).await.unwrap()
    }

    pub async fn read(response: Response) -> reqwest::Result<Self> {
        let (status, headers) = (response.status(), response.headers().clone());
        Ok(Self { status, headers, text: response.text().await? })
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).unwrap_or_else(|| panic!("no {name}: {self:?}")).to_str().unwrap()
    }

    /// After how many seconds to come again, if it says so.
    pub fn retry_after(&self) -> Option<u64> {
        self.headers.get("retry-after")?.to_str().ok()?.parse().ok()
    }

    /// The id of a notification that was accepted.
    pub fn id(&self) -> String {
        assert_eq!(self.status, 202, "{}", self.text);
        self.json()["id"].as_str().unwrap().to_owned()
    }

    /// Wants a complete problem document with this status, code and field.
    pub fn assert_problem(&self, case: &str, status: u16, code: &str, field: Option<&str>) {
        assert_eq!(self.status, status, "{case}: {}", self.text);
        assert_eq!(self.header("content-type"), "application/problem+json", "{case}");
        let problem = self.json();
        assert_eq!(problem["code"], code, "{case}: {}", self.text);
        assert_eq!(problem["type"], format!("urn:pixcourier:problem:{code}"), "{case}");
        assert_eq!(problem["status"], status, "{case}");
        assert_eq!(problem["field"].as_str(), field, "{case}: {}", self.text);
        for member in ["title", "detail"] {
            assert!(problem[member].as_str().is_some_and(|text| text.len() > 8), "{case}: {}", self.text);
        }
        assert_eq!(self.headers.contains_key("retry-after"), [429, 503, 507].contains(&status), "{case}");
    }
}
