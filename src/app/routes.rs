//! The routes of all faces. The Bot API face comes last: its patterns match most of what is left.

use super::role::Role;
use crate::api::bot_api::{self, BotApiFace};
use crate::api::native;
use crate::api::whatsmate::{self, WhatsMateClients};
use crate::http::probes;
use crate::settings::Settings;
use actix_web::web::{Data, ServiceConfig};

/// The routes that a process of this role serves; a worker has only probes and metrics.
pub fn of(role: Role, settings: &Settings) -> impl Fn(&mut ServiceConfig) + Clone + Send + 'static {
    let clients = Data::new(WhatsMateClients::new(&settings.whatsmate_clients));
    let face = Data::new(BotApiFace::new(&settings.bots));
    move |config| {
        if role == Role::Worker {
            config.configure(probes::routes);
            return;
        }
        config
            .app_data(clients.clone())
            .app_data(face.clone())
            .configure(native::routes::routes)
            .configure(whatsmate::routes::routes)
            .configure(probes::routes)
            .configure(native::openapi::routes)
            .configure(bot_api::routes::routes);
    }
}
