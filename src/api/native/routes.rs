//! The routes of the native API.

use super::{callbacks, changes, files, images, notifications, recipients, webhook};
use crate::http::routing::{get_or_head, resource};
use actix_web::web::{ServiceConfig, delete, post, put};

/// Adds the routes of the native API.
pub fn routes(config: &mut ServiceConfig) {
    config
        .service(
            resource("/v1/notifications", "GET, HEAD, POST, PUT")
                .route(post().to(notifications::create))
                .route(put().to(notifications::put_file))
                .route(get_or_head().to(notifications::list)),
        )
        .service(
            resource("/v1/notifications/{id}", "GET, HEAD, DELETE")
                .route(get_or_head().to(notifications::get))
                .route(delete().to(notifications::cancel)),
        )
        .service(resource("/v1/notifications/{id}/retry", "POST").route(post().to(notifications::retry)))
        .service(resource("/v1/notifications/{id}/edit", "POST").route(post().to(changes::edit)))
        .service(resource("/v1/notifications/{id}/delete", "POST").route(post().to(changes::delete)))
        .service(resource("/v1/callbacks", "GET, HEAD").route(get_or_head().to(callbacks::list)))
        .service(resource("/v1/callbacks/replay", "POST").route(post().to(callbacks::replay_all)))
        .service(resource("/v1/callbacks/{id}/replay", "POST").route(post().to(callbacks::replay)))
        .service(resource("/v1/images", "PUT").route(put().to(images::put)))
        .service(resource("/v1/images/{sha256}", "GET, HEAD").route(get_or_head().to(images::get)))
        .service(resource("/v1/files/{file_id}", "GET, HEAD").route(get_or_head().to(files::get)))
        .service(
            resource("/v1/recipients", "GET, HEAD, PUT, DELETE")
                .route(put().to(recipients::put))
                .route(get_or_head().to(recipients::list))
                .route(delete().to(recipients::delete)),
        )
        .service(resource("/webhook/{bot}", "POST").route(post().to(webhook::update)));
}
