//! The routes of the native API.

use super::{changes, files, images, notifications, recipients, webhook};
use crate::http::routing::{get_or_head, not_allowed};
use actix_web::web::{self, ServiceConfig, delete, post, put};

/// Adds the routes of the native API.
pub fn routes(config: &mut ServiceConfig) {
    config
        .service(
            web::resource("/v1/notifications")
                .route(post().to(notifications::create))
                .route(get_or_head().to(notifications::list))
                .default_service(web::to(|| not_allowed("GET, HEAD, POST"))),
        )
        .service(
            web::resource("/v1/notifications/{id}")
                .route(get_or_head().to(notifications::get))
                .route(delete().to(notifications::cancel))
                .default_service(web::to(|| not_allowed("GET, HEAD, DELETE"))),
        )
        .service(
            web::resource("/v1/notifications/{id}/retry")
                .route(post().to(notifications::retry))
                .default_service(web::to(|| not_allowed("POST"))),
        )
        .service(
            web::resource("/v1/notifications/{id}/edit")
                .route(post().to(changes::edit))
                .default_service(web::to(|| not_allowed("POST"))),
        )
        .service(
            web::resource("/v1/notifications/{id}/delete")
                .route(post().to(changes::delete))
                .default_service(web::to(|| not_allowed("POST"))),
        )
        .service(
            web::resource("/v1/images").route(put().to(images::put)).default_service(web::to(|| not_allowed("PUT"))),
        )
        .service(
            web::resource("/v1/images/{sha256}")
                .route(get_or_head().to(images::get))
                .default_service(web::to(|| not_allowed("GET, HEAD"))),
        )
        .service(
            web::resource("/v1/files/{file_id}")
                .route(get_or_head().to(files::get))
                .default_service(web::to(|| not_allowed("GET, HEAD"))),
        )
        .service(
            web::resource("/v1/recipients")
                .route(put().to(recipients::put))
                .route(get_or_head().to(recipients::list))
                .route(delete().to(recipients::delete))
                .default_service(web::to(|| not_allowed("GET, HEAD, PUT, DELETE"))),
        )
        .service(
            web::resource("/webhook/{bot}")
                .route(post().to(webhook::update))
                .default_service(web::to(|| not_allowed("POST"))),
        );
}
