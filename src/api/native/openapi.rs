//! The OpenAPI document, made from the code, and a page (Swagger UI) to try the API on, its assets in the binary.

use super::{
    batch, bots, callbacks, changes, described_statuses, events, files, image_content, images, listing, notifications,
    openapi_examples, operations, pausing, process, recipients,
};
use crate::http::auth::Visitor;
use crate::http::probes;
use crate::http::problem::ProblemDocument;
use crate::http::routing::{RouteStatuses, get_or_head, not_found, resource};
use crate::intake::rejection::{ProblemCode, Rejection};
use actix_web::http::header::{self, ContentType};
use actix_web::web::{self, Bytes, Data};
use actix_web::{HttpResponse, mime};
use std::collections::BTreeMap;
use std::sync::LazyLock;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::request_body::RequestBody;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{ObjectBuilder, RefOr, Response, Type};
use utoipa::{Modify, OpenApi};
use utoipa_swagger_ui::Config;

#[derive(OpenApi)]
#[openapi(
    info(title = "Pixcourier", description = "Image notifications to Telegram: accepted at once, kept durably, never too fast, uploaded once, accounted for."),
    paths(
        notifications::create,
        notifications::put_file,
        listing::list,
        listing::count,
        notifications::get,
        notifications::cancel,
        notifications::retry,
        batch::create,
        operations::cancel,
        operations::retry,
        operations::get,
        operations::list,
        bots::list,
        bots::chats,
        bots::pauses,
        pausing::pause_bot,
        pausing::resume_bot,
        pausing::pause_chat,
        pausing::resume_chat,
        changes::edit,
        changes::delete,
        events::stream,
        callbacks::list,
        callbacks::replay,
        callbacks::replay_all,
        images::put,
        images::get,
        image_content::get,
        files::get,
        recipients::put,
        recipients::list,
        recipients::delete,
        probes::healthz,
        probes::readyz,
        probes::metrics,
        process::get,
        process::drain,
        process::resume,
    ),
    components(schemas(ProblemDocument)),
    tags(
        (name = "Notifications", description = "Send images, ask what became of them, take them back, try them again."),
        (name = "Callbacks", description = "What receivers could not be told yet, and telling them again."),
        (name = "Many at once", description = "Cancel or try again all that meet a filter, in the background."),
        (name = "Bots", description = "What each bot has to send and which chats hold it; pausing a bot or a chat, and letting it go on."),
        (name = "Recipients", description = "Who is meant by a phone number, or by a group's name and its admin's number."),
        (name = "Images", description = "Keep images ahead of use, ask which bots know them, download files."),
        (name = "Operations", description = "For probes and scrapers, which are asked for no key; draining a process."),
    ),
    modifiers(&CommonResponses),
)]
struct ApiDocument;

/// Adds what the derive macros cannot know: the security scheme, the table of problem codes, and what all responses of one
/// status have in common.
struct CommonResponses;

impl Modify for CommonResponses {
    fn modify(&self, api: &mut utoipa::openapi::OpenApi) {
        let Some(components) = api.components.as_mut() else { return };
        let bearer = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .description(Some("One of the configured API keys. With none configured, none is needed."))
            .build();
        components.add_security_scheme("api_key", SecurityScheme::Http(bearer));
        let mut codes = String::from("\n\nThe codes:\n");
        for code in ProblemCode::ALL {
            codes.push_str(&format!("- `{}` ({}): {}\n", code.as_str(), code.status(), code.title()));
        }
        codes.push_str("\nA 405 names in `Allow` what the address takes; wherever `GET` is, so is `HEAD`.\n");
        api.info.description.get_or_insert_default().push_str(&codes);
        for path in api.paths.paths.values_mut() {
            for operation in [&mut path.get, &mut path.put, &mut path.post, &mut path.delete].into_iter().flatten() {
                complete(&mut operation.responses.responses);
                if let Some(RefOr::T(body)) = &mut operation.request_body {
                    describe_files_as_bytes(body);
                }
            }
        }
        openapi_examples::add_to(api);
    }
}

/// Takes away the schemas of bodies that are a file as it is: without one it is any bytes (OpenAPI 3.1), and the one that is made
/// for video and audio is a JSON array of numbers.
fn describe_files_as_bytes(body: &mut RequestBody) {
    let is_file = |media_type: &str| ["video/", "audio/"].iter().any(|kind| media_type.starts_with(kind));
    for (media_type, content) in &mut body.content {
        if let RefOr::T(content) = content
            && is_file(media_type)
        {
            content.schema = None;
        }
    }
}

/// Adds the headers that a status always has, and a 403 and a 429 beside every 401, since a key is looked at there.
fn complete(responses: &mut BTreeMap<String, RefOr<Response>>) {
    const RETRY_AFTER: &str = "After how many seconds to try again";
    let headers = [
        ("401", "WWW-Authenticate", "Bearer", Type::String),
        ("429", "Retry-After", RETRY_AFTER, Type::Integer),
        ("503", "Retry-After", RETRY_AFTER, Type::Integer),
        ("507", "Retry-After", RETRY_AFTER, Type::Integer),
    ];
    if let Some(RefOr::T(response)) = responses.get("401").cloned() {
        for (status, description) in [
            (
                "403",
                "The key has not got the scope or the bot; or, without API keys, the page of another site, through a proxy, or not called by a loopback name",
            ),
            ("429", "The caller calls faster than its rate, uploads too much at a time, or has used up a quota"),
        ] {
            let mut response = response.clone();
            description.clone_into(&mut response.description);
            responses.insert(status.to_owned(), RefOr::T(response));
        }
    }
    for (status, name, about, kind) in headers {
        // The 503 of the readiness probe is no problem document, and has no Retry-After.
        if let Some(RefOr::T(response)) = responses.get_mut(status)
            && response.content.contains_key("application/problem+json")
        {
            let schema = ObjectBuilder::new().schema_type(kind);
            let header = HeaderBuilder::new().schema(Some(schema)).description(Some(about)).build();
            response.headers.insert(name.to_owned(), RefOr::T(header));
        }
    }
}

/// The OpenAPI document as YAML, as it is kept in `openapi/openapi.yaml`.
pub fn openapi_yaml() -> String {
    ApiDocument::openapi().to_yaml().unwrap_or_default()
}

/// What every described operation answers, and the routes beside them that are for no client.
pub fn statuses() -> Vec<RouteStatuses> {
    let mut all = described_statuses::all();
    all.extend(RouteStatuses::of("/openapi.json", ["GET"], &[200, 403, 500]));
    all.extend(RouteStatuses::of("/docs", ["GET"], &[308, 403]));
    all.extend(RouteStatuses::of("/docs/{file:.*}", ["GET"], &[200, 403, 404, 500]));
    all.extend(RouteStatuses::of("/webhook/{bot}", ["POST"], &[200, 400, 401, 404, 408, 413, 500, 503]));
    all
}

/// Adds the routes of the document and the page.
pub fn routes(config: &mut web::ServiceConfig) {
    config
        .app_data(Data::new(Config::new(["/openapi.json"])))
        .service(resource("/openapi.json", "GET, HEAD").route(get_or_head().to(openapi_json)))
        .service(resource("/docs", "GET, HEAD").route(get_or_head().to(to_page)))
        .service(resource("/docs/{file:.*}", "GET, HEAD").route(get_or_head().to(file)));
}

async fn openapi_json(_: Visitor) -> HttpResponse {
    /// Made once: it takes some milliseconds, and anybody may ask for it.
    static DOCUMENT: LazyLock<Bytes> = LazyLock::new(|| ApiDocument::openapi().to_json().unwrap_or_default().into());
    HttpResponse::Ok().content_type(ContentType::json()).body(DOCUMENT.clone())
}

async fn to_page(_: Visitor) -> HttpResponse {
    HttpResponse::PermanentRedirect().insert_header((header::LOCATION, "/docs/")).finish()
}

/// An asset of the page.
async fn file(_: Visitor, path: web::Path<String>, page: Data<Config<'static>>) -> Result<HttpResponse, Rejection> {
    /// In place of Swagger UI's own of that name, whose configuration cannot say in which order operations are shown.
    const INITIALIZER: &str = include_str!("docs_page.js");
    if *path == "swagger-initializer.js" {
        return Ok(HttpResponse::Ok().content_type(mime::TEXT_JAVASCRIPT).body(INITIALIZER));
    }
    match utoipa_swagger_ui::serve(&path, page.into_inner()) {
        Ok(Some(file)) => {
            let mut response = HttpResponse::Ok();
            if file.gzpipped {
                response.insert_header((header::CONTENT_ENCODING, "gzip"));
            }
            Ok(response.content_type(file.content_type).body(file.bytes.into_owned()))
        }
        Ok(None) => not_found().await,
        Err(error) => {
            tracing::error!(%error, "a file of the documentation page could not be made");
            Err(Rejection::new(ProblemCode::Internal, "The page could not be made."))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::native::request::names;
    use serde_json::Value;
    use std::collections::BTreeSet;

    #[test]
    fn the_statuses_that_are_counted_from_zero_are_those_of_the_document() {
        let document = serde_json::to_value(ApiDocument::openapi()).unwrap();
        let mut described = BTreeSet::new();
        for (route, operations) in document["paths"].as_object().unwrap() {
            for (method, operation) in operations.as_object().unwrap() {
                let Some(responses) = operation["responses"].as_object() else { continue };
                let mut statuses: BTreeSet<u16> = responses.keys().map(|status| status.parse().unwrap()).collect();
                statuses.insert(500);
                if method == "get" {
                    described.insert((route.clone(), "HEAD".to_owned(), statuses.range(500..).copied().collect()));
                }
                described.insert((route.clone(), method.to_uppercase(), statuses));
            }
        }
        let read = |one: RouteStatuses| (one.route.into_owned(), one.method.to_owned(), one.statuses);
        assert_eq!(described_statuses::all().into_iter().map(read).collect::<BTreeSet<_>>(), described);
        assert!(described.len() > 50, "{described:?}");
    }

    #[test]
    fn the_described_requests_have_exactly_the_fields_that_are_read() {
        let api = serde_json::to_value(ApiDocument::openapi()).unwrap();
        let schemas = &api["components"]["schemas"];
        let of = |name: &str| schemas[name]["properties"].as_object().unwrap().keys().map(String::as_str);
        let known: BTreeSet<_> = names::known().filter(|name| *name != "item").collect();
        let contents = schemas["NotificationRequest"]["oneOf"].as_array().unwrap();
        let contents = contents.iter().map(|one| one["$ref"].as_str().unwrap().rsplit('/').next().unwrap());
        let contents: Vec<&str> = contents.collect();
        assert_eq!(contents.iter().flat_map(|name| of(name)).collect::<BTreeSet<_>>(), known);
        assert_eq!(of("NotificationForm").collect::<BTreeSet<_>>(), known);
        for name in contents.into_iter().chain(["EditRequest", "DeleteRequest"]) {
            let schema = &schemas[name];
            assert_eq!(schema["additionalProperties"], Value::Bool(false));
            let described = schema["properties"].as_object().unwrap().keys();
            assert!(described.clone().all(|name| names::check_name(name).is_ok()), "{schema}");
        }
    }

    #[test]
    fn operation_ids_are_unique_and_links_lead_to_them() {
        let api = serde_json::to_value(ApiDocument::openapi()).unwrap();
        let operations: Vec<&Value> =
            api["paths"].as_object().unwrap().values().flat_map(|p| p.as_object().unwrap().values()).collect();
        let ids: BTreeSet<&str> =
            operations.iter().map(|operation| operation["operationId"].as_str().unwrap()).collect();
        assert_eq!(ids.len(), operations.len());
        let links = operations.iter().filter_map(|operation| operation["responses"]["202"]["links"].as_object());
        let linked: BTreeSet<&str> =
            links.flat_map(|links| links.values()).map(|link| link["operationId"].as_str().unwrap()).collect();
        assert!(linked.len() == 6 && linked.is_subset(&ids), "{linked:?}");
    }

    #[test]
    fn every_reference_in_the_document_leads_somewhere() {
        fn check(node: &Value, api: &Value) {
            match node {
                Value::Object(members) => {
                    if let Some(Value::String(reference)) = members.get("$ref") {
                        assert!(api.pointer(&reference[1..]).is_some(), "{reference}");
                    }
                    members.values().for_each(|node| check(node, api));
                }
                Value::Array(items) => items.iter().for_each(|node| check(node, api)),
                _ => {}
            }
        }
        let api = serde_json::to_value(ApiDocument::openapi()).unwrap();
        check(&api, &api);
    }

    #[test]
    fn the_committed_document_is_the_one_that_the_code_makes() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi/openapi.yaml");
        let committed = std::fs::read_to_string(path).unwrap_or_default();
        assert!(
            committed == openapi_yaml(),
            "openapi/openapi.yaml is stale: run `pixcourier openapi > openapi/openapi.yaml`"
        );
    }
}
