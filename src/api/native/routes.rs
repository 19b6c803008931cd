//! The routes of the native API.

use super::{
    batch, bots, callbacks, changes, events, files, image_content, images, listing, notifications, operations, pausing,
    recipients, webhook,
};
use crate::http::routing::{get_or_head, resource};
use actix_web::web::{ServiceConfig, delete, post, put};

/// Adds the routes of the native API.
pub fn routes(config: &mut ServiceConfig) {
    config
        .service(
            resource("/v1/notifications", "GET, HEAD, POST, PUT")
                .route(post().to(notifications::create))
                .route(put().to(notifications::put_file))
                .route(get_or_head().to(listing::list)),
        )
        .service(resource("/v1/notifications/batch", "POST").route(post().to(batch::create)))
        .service(resource("/v1/notifications/cancel", "POST").route(post().to(operations::cancel)))
        .service(resource("/v1/notifications/retry", "POST").route(post().to(operations::retry)))
        .service(resource("/v1/operations", "GET, HEAD").route(get_or_head().to(operations::list)))
        .service(resource("/v1/operations/{id}", "GET, HEAD").route(get_or_head().to(operations::get)))
        .service(resource("/v1/notifications/summary", "GET, HEAD").route(get_or_head().to(listing::count)))
        .service(
            resource("/v1/notifications/{id}", "GET, HEAD, DELETE")
                .route(get_or_head().to(notifications::get))
                .route(delete().to(notifications::cancel)),
        )
        .service(resource("/v1/notifications/{id}/retry", "POST").route(post().to(notifications::retry)))
        .service(resource("/v1/notifications/{id}/edit", "POST").route(post().to(changes::edit)))
        .service(resource("/v1/notifications/{id}/delete", "POST").route(post().to(changes::delete)))
        .service(resource("/v1/events", "GET, HEAD").route(get_or_head().to(events::stream)))
        .service(resource("/v1/bots", "GET, HEAD").route(get_or_head().to(bots::list)))
        .service(resource("/v1/bots/{bot}/chats", "GET, HEAD").route(get_or_head().to(bots::chats)))
        .service(resource("/v1/bots/{bot}/pauses", "GET, HEAD").route(get_or_head().to(bots::pauses)))
        .service(resource("/v1/bots/{bot}/pause", "POST").route(post().to(pausing::pause_bot)))
        .service(resource("/v1/bots/{bot}/resume", "POST").route(post().to(pausing::resume_bot)))
        .service(resource("/v1/bots/{bot}/chats/{chat_id}/pause", "POST").route(post().to(pausing::pause_chat)))
        .service(resource("/v1/bots/{bot}/chats/{chat_id}/resume", "POST").route(post().to(pausing::resume_chat)))
        .service(resource("/v1/callbacks", "GET, HEAD").route(get_or_head().to(callbacks::list)))
        .service(resource("/v1/callbacks/replay", "POST").route(post().to(callbacks::replay_all)))
        .service(resource("/v1/callbacks/{id}/replay", "POST").route(post().to(callbacks::replay)))
        .service(resource("/v1/images", "PUT").route(put().to(images::put)))
        .service(resource("/v1/images/{sha256}", "GET, HEAD").route(get_or_head().to(images::get)))
        .service(resource("/v1/images/{sha256}/content", "GET, HEAD").route(get_or_head().to(image_content::get)))
        .service(resource("/v1/files/{file_id}", "GET, HEAD").route(get_or_head().to(files::get)))
        .service(
            resource("/v1/recipients", "GET, HEAD, PUT, DELETE")
                .route(put().to(recipients::put))
                .route(get_or_head().to(recipients::list))
                .route(delete().to(recipients::delete)),
        )
        .service(resource("/webhook/{bot}", "POST").route(post().to(webhook::update)));
}
