//! The routes of all faces. The Bot API face comes last: its patterns match most of what is left.

use super::role::Role;
use crate::api::bot_api::{self, BotApiFace};
use crate::api::native;
use crate::api::whatsmate::{self, WhatsMateClients};
use crate::http::callers::Callers;
use crate::http::probes;
use crate::http::routing::RouteStatuses;
use crate::settings::Settings;
use actix_web::web::{Data, ServiceConfig};

/// What the faces know of their callers beside API keys.
#[derive(Clone)]
pub struct FaceStates {
    /// The clients of the WhatsMate face.
    pub whatsmate: Data<WhatsMateClients>,
    /// The tokens of the Bot API face.
    pub bot_api: Data<BotApiFace>,
}

impl FaceStates {
    /// From the settings.
    pub fn new(settings: &Settings, callers: &Callers) -> Self {
        Self {
            whatsmate: Data::new(WhatsMateClients::new(&settings.whatsmate_clients)),
            bot_api: Data::new(BotApiFace::new(&settings.bots, callers.clients())),
        }
    }
}

/// What the routes of this role answer, as far as that is known ahead.
pub fn statuses(role: Role) -> Vec<RouteStatuses> {
    let mut all = native::openapi::statuses();
    if role == Role::Worker {
        let is_served = |route: &str| {
            matches!(route, "/healthz" | "/readyz" | "/metrics" | "/v1/process") || route.starts_with("/v1/process/")
        };
        all.retain(|statuses| is_served(&statuses.route));
    } else {
        all.extend(whatsmate::routes::statuses());
        all.extend(bot_api::routes::statuses());
    }
    // An address that leads nowhere.
    all.extend(RouteStatuses::of("none", ["GET", "POST"], &[404]));
    all
}

/// The routes that a process of this role serves; a worker has only probes, metrics and its draining.
pub fn of(role: Role, states: FaceStates) -> impl Fn(&mut ServiceConfig) + Clone + Send + 'static {
    move |config| {
        if role == Role::Worker {
            config.configure(probes::routes).configure(native::process::routes);
            return;
        }
        config
            .app_data(states.whatsmate.clone())
            .app_data(states.bot_api.clone())
            .configure(native::routes::routes)
            .configure(whatsmate::routes::routes)
            .configure(probes::routes)
            .configure(native::process::routes)
            .configure(native::openapi::routes)
            .configure(bot_api::routes::routes);
    }
}
