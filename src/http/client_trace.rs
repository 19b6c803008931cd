//! What is kept of a named client with its request: its name for log and metrics, and where it stands for the headers
//! `RateLimit` and `RateLimit-Policy` (draft-ietf-httpapi-ratelimit-headers).

use super::rate_meter::Reading;
use crate::domain::{ClientName, Timestamp};
use crate::intake::Acceptance;
use crate::intake::rejection::{ProblemCode, Rejection};
use crate::ports::Day;
use crate::settings::Client;
use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use actix_web::{HttpMessage, HttpRequest};

/// Lies in the extensions of a request whose client has a name.
pub struct ClientTrace {
    /// The client.
    pub name: ClientName,
    second: Option<Reading>,
    daily_quota: u64,
    posted_today: Option<u64>,
}

impl ClientTrace {
    /// Of a client, with the reading of its meter if it has a rate.
    pub fn new(client: &Client, second: Option<Reading>) -> Self {
        Self { name: client.name.clone(), second, daily_quota: client.daily_quota, posted_today: None }
    }

    /// Notes how many notifications the client of a request has posted today, as what became of one shows.
    pub fn note(request: &HttpRequest, accepted: &Result<Acceptance, Rejection>) {
        if let Some(trace) = request.extensions_mut().get_mut::<Self>() {
            trace.posted_today = match accepted {
                Ok(acceptance) => acceptance.posted_today,
                Err(rejection) if rejection.code == ProblemCode::QuotaExceeded => Some(trace.daily_quota),
                Err(_) => None,
            };
        }
    }

    /// Adds the headers to a response: the policies that hold for the client, and what is known of each now.
    pub fn tell(&self, headers: &mut HeaderMap) {
        let (mut policies, mut limits) = (Vec::new(), Vec::new());
        if let Some(Reading { quota, window, remaining, reset }) = self.second {
            policies.push(format!("\"second\";q={quota};w={window}"));
            limits.push(format!("\"second\";r={remaining};t={reset}"));
        }
        if self.daily_quota > 0 {
            policies.push(format!("\"day\";q={};w=86400", self.daily_quota));
            if let Some(posted) = self.posted_today {
                let (remaining, now) = (self.daily_quota.saturating_sub(posted), Timestamp::now());
                limits.push(format!("\"day\";r={remaining};t={}", Day::of(now).seconds_left(now)));
            }
        }
        for (name, items) in [("ratelimit-policy", policies), ("ratelimit", limits)] {
            if let (false, Ok(value)) = (items.is_empty(), HeaderValue::from_str(&items.join(", "))) {
                headers.insert(HeaderName::from_static(name), value);
            }
        }
    }
}
