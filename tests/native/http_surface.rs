//! The HTTP API seen from outside: probes, metrics, the description, and whatever strangers send.

use crate::support::answer::Answer;
use crate::support::api_app::{ApiApp, form, png};
use crate::support::settings::TOKEN;
use crate::support::wait::{WAIT_TIMEOUT, until_true};
use pixcourier::api::native::openapi::openapi_yaml;
use reqwest::Method;
use serde_json::{Value, json};

#[tokio::test]
async fn every_answer_carries_the_id_of_its_request() {
    let app = ApiApp::start().await;
    let of = |path: &'static str, name: &'static str, id: &'static str| {
        Answer::of(app.request(Method::GET, path).header(name, id))
    };
    assert_eq!(of("/healthz", "Request-Id", "abc-1").await.header("request-id"), "abc-1");
    assert_eq!(of("/nowhere", "X-Request-Id", "abc-2").await.header("request-id"), "abc-2");
    assert_eq!(of("/v1/notifications", "Request-Id", "not fit").await.header("request-id").len(), 36);
    app.stop().await;
}

#[tokio::test]
async fn readiness_goes_first_and_life_goes_on() {
    let app = ApiApp::start().await;
    let ready = app.get("/readyz").await;
    assert_eq!((ready.status.as_u16(), ready.json()), (200, json!({"status": "ready"})));
    app.begin_stop();
    let not_ready = async || app.get("/readyz").await.status == 503;
    until_true("it to say that it stops", WAIT_TIMEOUT, not_ready).await;
    let stopping = app.get("/readyz").await;
    assert_eq!((stopping.status.as_u16(), stopping.json()), (503, json!({"status": "stopping"})));
    assert_eq!(app.get("/healthz").await.status, 200);
    assert_eq!(app.post_json(&json!({"chat_id": 42, "photo": "AgACAgIAAxk"})).await.status, 202, "still served");
    app.stop().await;
}

#[tokio::test]
async fn metrics_count_what_came_in_and_name_no_chat() {
    let app = ApiApp::start().await;
    app.post_form(form("987654321", png(5, 5, 100))).await.id();
    app.post_json(&json!({"chat_id": 987_654_321, "photo": "AgACAgIAAxk", "priority": "bulk"})).await.id();
    let repeat =
        || app.post().header("Idempotency-Key", "k").json(&json!({"chat_id": 1, "photo": "AgACAgIAAxk"})).send();
    assert!(repeat().await.is_ok() && repeat().await.is_ok());
    app.get("/no/such/path-987654321").await;
    app.get("/v1/notifications/987654321").await;
    let page = app.get("/metrics").await;
    assert!(page.header("content-type").starts_with("text/plain; version=0.0.4"));
    for line in [
        "pixcourier_notifications_accepted_total{bot=\"default\",lane=\"normal\"} 2",
        "pixcourier_notifications_accepted_total{bot=\"default\",lane=\"bulk\"} 1",
        "pixcourier_queue_depth{bot=\"default\",lane=\"normal\"} 2",
        "pixcourier_queue_depth{bot=\"alerts\",lane=\"urgent\"} 0",
        "pixcourier_http_requests_total{method=\"POST\",route=\"/v1/notifications\",status=\"202\"} 4",
        "pixcourier_http_requests_total{method=\"GET\",route=\"none\",status=\"404\"} 1",
        "pixcourier_http_requests_total{method=\"GET\",route=\"/v1/notifications/{id}\",status=\"404\"} 1",
    ] {
        assert!(page.text.contains(line), "{line} is not in\n{}", page.text);
    }
    assert!(!page.text.contains("987654321") && !page.text.contains(TOKEN));
    app.stop().await;
}

#[tokio::test]
async fn the_description_is_served_with_a_page_that_needs_nothing_from_elsewhere() {
    let app = ApiApp::start().await;
    let described = app.get("/openapi.json").await.json();
    assert_eq!(described["openapi"], "3.1.0");
    for path in ["/v1/notifications", "/v1/notifications/{id}", "/v1/notifications/{id}/retry", "/metrics"] {
        assert!(described["paths"].get(path).is_some(), "{path}");
    }
    assert!(openapi_yaml().contains("/v1/notifications/{id}/retry:"));
    let page = app.get("/docs").await;
    assert!(page.status == 200 && page.text.contains("swagger-ui"), "{page:?}");
    for asset in ["swagger-ui.css", "swagger-ui-bundle.js", "swagger-initializer.js"] {
        let asset = app.get(&format!("/docs/{asset}")).await;
        assert_eq!(asset.status, 200);
        assert!(!asset.text.contains("https://validator.swagger.io") || asset.text.len() > 100_000);
    }
    assert!(!page.text.contains("https://") && !page.text.contains("//cdn"), "{}", page.text);
    let initializer = app.get("/docs/swagger-initializer.js").await.text;
    assert!(initializer.contains("/openapi.json") && initializer.contains("validatorUrl: \"none\""), "{initializer}");
    let first = &described["paths"]["/v1/notifications"]["post"];
    let opened = format!("#/{}/{}", first["tags"][0].as_str().unwrap(), first["operationId"].as_str().unwrap());
    assert!(initializer.contains(&format!("\"{opened}\"")), "{opened}: {initializer}");
    app.stop().await;
}

#[tokio::test]
async fn whoever_asks_for_the_head_gets_what_get_answers_without_its_body() {
    let app = ApiApp::start().await;
    let id = app.post_json(&json!({"chat_id": 42, "photo": "AgACAgIAAxk"})).await.id();
    let one = format!("/v1/notifications/{id}");
    for path in ["/v1/notifications", &one, "/openapi.json", "/docs/", "/docs/swagger-ui.css", "/healthz"] {
        let (get, head) = (app.get(path).await, Answer::of(app.request(Method::HEAD, path)).await);
        assert_eq!((head.status, head.header("content-type")), (get.status, get.header("content-type")), "{path}");
        assert_eq!(
            (head.status.as_u16(), head.header("content-length")),
            (200, get.header("content-length")),
            "{path}"
        );
        assert_eq!(head.text, "", "{path}");
    }
    app.stop().await;
}

/// A page can post a form to any address, and its own name can be made to lead to this machine.
#[tokio::test]
async fn without_keys_other_sites_pages_are_not_served() {
    let app = ApiApp::start().await;
    let body = json!({"chat_id": 42, "photo": "AgACAgIAAxk"});
    let post = |name: &'static str, value: &'static str| Answer::of(app.post().header(name, value).json(&body));
    for (name, value, code) in [
        ("Sec-Fetch-Site", "cross-site", "cross_site"),
        ("Sec-Fetch-Site", "same-site", "cross_site"),
        ("Host", "attacker.example", "cross_site"),
        ("Host", "192.168.1.5:8080", "cross_site"),
        ("Origin", "http://localhost:3000", "cross_site"),
        ("Origin", "null", "cross_site"),
        ("Forwarded", "for=127.0.0.1", "forwarded"),
        ("X-Forwarded-For", "127.0.0.1", "forwarded"),
        ("X-Forwarded-Host", "localhost", "forwarded"),
        ("X-Real-IP", "127.0.0.1", "forwarded"),
        ("Via", "1.1 proxy", "forwarded"),
    ] {
        let field = if code == "forwarded" { name.to_ascii_lowercase() } else { name.to_owned() };
        post(name, value).await.assert_problem(value, 403, code, Some(&field));
        for path in ["/v1/notifications", "/v1/recipients", "/metrics", "/docs", "/docs/", "/openapi.json"] {
            let reading = app.request(Method::GET, path).header(name, value);
            Answer::of(reading).await.assert_problem(path, 403, code, Some(&field));
        }
        for path in ["/healthz", "/readyz"] {
            assert_eq!(Answer::of(app.request(Method::GET, path).header(name, value)).await.status, 200, "{path}");
        }
    }
    for (name, value) in [("Sec-Fetch-Site", "same-origin"), ("Host", "localhost:8080"), ("Host", "[::1]")] {
        assert_eq!(post(name, value).await.status, 202, "{value}");
    }
    assert_eq!(Answer::of(app.request(Method::GET, "/readyz").header("Host", "10.1.2.3")).await.status, 200);
    app.stop().await;
    let app = ApiApp::with_keys(&["alpha-key-for-the-test"]).await;
    let request = app.post().header("Host", "images.example").header("X-Forwarded-For", "192.0.2.60");
    let request = request.header("Origin", "https://images.example").bearer_auth("alpha-key-for-the-test").json(&body);
    assert_eq!(Answer::of(request).await.status, 202, "a key is enough");
    let metrics = app.request(Method::GET, "/metrics").header("X-Forwarded-For", "192.0.2.60");
    assert_eq!(Answer::of(metrics).await.status, 200);
    app.stop().await;
}

/// What is sent on after an answer is read for a while, so that the answer is seen, and not for ever.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_without_end_does_not_keep_the_connection_after_its_answer() {
    let app = ApiApp::with_keys(&["alpha-key-for-the-test"]).await;
    let key = "Authorization: Bearer alpha-key-for-the-test\r\n";
    let endless = |head: String, status: &'static str| app.endless(head, status);
    futures_util::future::join_all([
        endless("POST /v1/notifications HTTP/1.1\r\nContent-Type: application/json\r\n".to_owned(), "401"),
        endless(format!("POST /v1/notifications HTTP/1.1\r\nContent-Type: text/plain\r\n{key}"), "415"),
        endless(format!("POST /v1/notifications HTTP/1.1\r\nContent-Type: application/json\r\n{key}"), "413"),
        endless(format!("PUT /v1/notifications?chat_id=1 HTTP/1.1\r\nContent-Type: image/png\r\n{key}"), "400"),
        endless("POST /nowhere HTTP/1.1\r\n".to_owned(), "404"),
        endless("PATCH /v1/notifications HTTP/1.1\r\n".to_owned(), "405"),
        endless(format!("GET /v1/notifications HTTP/1.1\r\n{key}"), "200"),
        endless("GET /healthz HTTP/1.1\r\n".to_owned(), "200"),
    ])
    .await;
    app.stop().await;
}

/// The answers that callers really get are those that the document describes.
#[tokio::test]
async fn real_answers_have_exactly_the_described_members() {
    let app = ApiApp::start().await;
    let schemas = app.get("/openapi.json").await.json()["components"]["schemas"].clone();
    let members = |name: &str| -> Vec<String> {
        let mut names: Vec<_> = schemas[name]["properties"].as_object().unwrap().keys().cloned().collect();
        names.sort();
        names
    };
    let keys = |value: &Value| -> Vec<String> {
        let mut names: Vec<_> = value.as_object().unwrap().keys().cloned().collect();
        names.sort();
        names
    };
    let accepted = app.post_form(form("42", png(5, 5, 100))).await;
    assert_eq!(keys(&accepted.json()), members("AcceptedNotification"));
    assert_eq!(keys(&app.get(accepted.header("location")).await.json()), members("Notification"));
    assert_eq!(keys(&app.get("/v1/notifications").await.json()), members("NotificationPage"));
    assert_eq!(keys(&app.post_json(&json!({})).await.json()), members("Problem"));
    app.stop().await;
}

#[tokio::test]
async fn whatever_strangers_send_is_answered_without_a_fault_of_ours() {
    let app = ApiApp::start().await;
    let mut odd: Vec<Vec<u8>> = [
        "GET / HTTP/1.1\r\n\r\n",
        "GET /v1/notifications?status=%ff HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "GET /v1/notifications/%00%ff HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "GET /v1/notifications/../../etc/passwd HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "GET /docs/..%2f..%2fetc/passwd HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "BREW /v1/notifications HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "POST /v1/notifications HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "POST /v1/notifications HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
        "POST /v1/notifications HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999999999999\r\n\r\n",
        "POST /v1/notifications HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        "POST /v1/notifications HTTP/1.1\r\nHost: localhost\r\nContent-Type: \r\nContent-Length: 2\r\n\r\n{}",
        "POST /v1/notifications HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=\"\"\r\nContent-Length: 2\r\n\r\n{}",
        "POST /v1/notifications HTTP/1.1\r\nHost: localhost\r\nAuthorization: \u{fffd}\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}",
        "\r\n\r\n\r\n",
        "\u{16}\u{3}\u{1} no tls here",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ]
    .map(|text| text.as_bytes().to_vec())
    .to_vec();
    let mut random = fastrand::Rng::with_seed(17);
    let seeds = [
        ("application/json", r#"{"chat_id":42,"photo":{"base64":"R0lGODlhAQABAAAAACwAAAAAAQABAAACAkQBADs="},"tags":["a"],"reply_markup":{}}"#.to_owned()),
        (
            "multipart/form-data; boundary=b",
            "--b\r\nContent-Disposition: form-data; name=\"photo\"; filename=\"a\"\r\n\r\nGIF89a\x01\0\x01\0\0\0\0,\0\0\0\0\x01\0\x01\0\0\x02\x02D\x01\0;\r\n--b\r\n\
             Content-Disposition: form-data; name=\"chat_id\"\r\n\r\n42\r\n--b--\r\n"
                .to_owned(),
        ),
    ];
    for round in 0..100 {
        let (content_type, seed) = &seeds[round % seeds.len()];
        let mut body = seed.clone().into_bytes();
        for _ in 0..random.usize(1..6) {
            let at = random.usize(..body.len());
            match random.u8(..4) {
                0 => body[at] = random.u8(..),
                1 => drop(body.remove(at)),
                2 => body.insert(at, *random.choice(b"\"\\{}[]:,\r\n-\0\xff").unwrap()),
                _ => body.truncate(at.max(1)),
            }
        }
        let head = format!(
            "POST /v1/notifications HTTP/1.1\r\nHost: localhost\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\n\
             Connection: close\r\n\r\n",
            body.len()
        );
        odd.push([head.as_bytes(), &body].concat());
    }
    let answers = futures_util::future::join_all(odd.iter().map(|bytes| app.raw(bytes))).await;
    for (bytes, answer) in odd.iter().zip(&answers) {
        let sent = String::from_utf8_lossy(bytes);
        assert!(!answer.starts_with("HTTP/1.1 5"), "{sent}\n{answer}");
        let answered_or_waiting = answer.starts_with("HTTP/1.1 ") || answer.is_empty();
        assert!(answered_or_waiting, "{sent}\n{answer}");
    }
    let answered = answers.iter().filter(|answer| answer.starts_with("HTTP/1.1 ")).count();
    assert!(answered >= 110, "only {answered} of {} were answered", odd.len());
    assert_eq!(app.post_json(&json!({"chat_id": 42, "photo": "AgACAgIAAxk"})).await.status, 202);
    app.stop().await;
}
