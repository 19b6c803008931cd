//! Who calls the Bot API face: a bot's own token, or one that stands for it; what that may call, and what it gets to see.

use super::error::BotApiError;
use super::methods;
use super::token_mask::TokenMask;
use crate::http::callers::ClientAccess;
use crate::settings::{Bot, Client, Scope};
use actix_web::body::{BodyStream, BoxBody, MessageBody};
use actix_web::http::{StatusCode, header};
use actix_web::web::Bytes;
use actix_web::{HttpRequest, HttpResponse};
use futures_util::{StreamExt, stream};
use secrecy::SecretString;
use std::sync::Arc;

/// What takes a bot away from its other callers, and what gives out the tokens of the bots that it manages.
const TAKING_AWAY: [&str; 6] =
    ["logOut", "close", "setWebhook", "deleteWebhook", "getManagedBotToken", "replaceManagedBotToken"];
/// What begins the names of further methods that make or change messages, in lower case.
const SENDING: [&str; 8] = [
    "send",
    "answer",
    "saveprepared",
    "setmessagereaction",
    "uploadstickerfile",
    "unpinchatmessage",
    "unpinallchatmessages",
    "editmessage",
];

/// A caller, authenticated by its token.
#[derive(Clone)]
pub struct BotApiCaller {
    /// The bot.
    pub bot: Arc<Bot>,
    /// The token that it shows, if that is not the bot's own.
    pub stand_in: Option<SecretString>,
    /// The client whose token that is, if it has a name.
    pub access: Option<Arc<ClientAccess>>,
}

impl BotApiCaller {
    /// Counts a request of a client that has a name.
    pub fn admit(&self, request: &HttpRequest) -> Result<(), BotApiError> {
        self.access.as_ref().map_or(Ok(()), |access| Ok(access.admit(request)?))
    }

    /// The client, if it has a name.
    pub fn client(&self) -> Option<Arc<Client>> {
        self.access.as_ref().map(|access| access.client.clone())
    }

    /// Checks that the caller may call a method: with the bot's own token every one, with one that stands for it none that
    /// takes the bot away from others, and with that of a client those of its scopes.
    pub fn check_method(&self, method: &str) -> Result<(), BotApiError> {
        let allowed = match (&self.stand_in, &self.access) {
            (None, _) => true,
            (Some(_), Some(access)) => access.client.scopes.contains(&scope(method)),
            (Some(_), None) => !takes_away(method),
        };
        if allowed { Ok(()) } else { Err(forbidden(scope(method), &format!("call {method}"))) }
    }

    /// Checks that the caller may download files.
    pub fn check_download(&self) -> Result<(), BotApiError> {
        match &self.access {
            Some(access) if !access.client.scopes.contains(&Scope::Read) => {
                Err(forbidden(Scope::Read, "download files"))
            }
            _ => Ok(()),
        }
    }

    /// A path as the Bot API server knows it, of one in which the stand-in took the place of the bot's token.
    pub fn path(&self, path: Vec<u8>) -> Vec<u8> {
        match (&self.stand_in, self.bot.telegram()) {
            (Some(stand_in), Some(telegram)) => TokenMask::revealing(&telegram.token, stand_in).replace(&path),
            _ => path,
        }
    }

    /// The response as the caller gets to see it, without the bot's own token unless that is what it has shown.
    pub fn masked(&self, response: Result<HttpResponse, BotApiError>) -> Result<HttpResponse, BotApiError> {
        let (Some(stand_in), Some(telegram)) = (&self.stand_in, self.bot.telegram()) else { return response };
        let mask = TokenMask::hiding(&telegram.token, stand_in);
        match response {
            Ok(response) if response.headers().contains_key(header::CONTENT_ENCODING) => {
                Err(BotApiError::api(502, "Bad Gateway: the Bot API server compresses what nobody asked it to"))
            }
            Ok(response) => Ok(replaced(response, mask)),
            Err(error) => {
                Err(error
                    .with_description(|words| String::from_utf8_lossy(&mask.replace(words.as_bytes())).into_owned()))
            }
        }
    }

    /// The same for a download: its bytes are the file's, and only what is no file is looked through.
    pub fn masked_download(&self, response: Result<HttpResponse, BotApiError>) -> Result<HttpResponse, BotApiError> {
        const OF_FILES: [StatusCode; 4] =
            [StatusCode::OK, StatusCode::PARTIAL_CONTENT, StatusCode::NOT_MODIFIED, StatusCode::RANGE_NOT_SATISFIABLE];
        match response {
            Ok(response) if OF_FILES.contains(&response.status()) => Ok(response),
            other => self.masked(other),
        }
    }
}

fn takes_away(method: &str) -> bool {
    TAKING_AWAY.iter().any(|known| known.eq_ignore_ascii_case(method))
}

/// The scope that a method belongs to. What is not known to ask or to send changes the bot or its chats.
fn scope(method: &str) -> Scope {
    let lower = method.to_ascii_lowercase();
    if takes_away(method) {
        Scope::Manage
    } else if lower.starts_with("get") {
        Scope::Read
    } else if methods::is_queued(method) || SENDING.iter().any(|prefix| lower.starts_with(prefix)) {
        Scope::Send
    } else {
        Scope::Manage
    }
}

fn forbidden(scope: Scope, what: &str) -> BotApiError {
    let words = format!(
        "Forbidden: this token stands for a bot and may not {what}; it takes a token of a client with the scope {}, or \
         the bot's own",
        scope.as_str()
    );
    BotApiError::api(403, words)
}

/// A response whose body goes through the mask, as a stream if it is one.
fn replaced(response: HttpResponse, mask: TokenMask) -> HttpResponse {
    response.map_body(|_, body| match body.try_into_bytes() {
        Ok(bytes) => BoxBody::new(mask.replace(&bytes)),
        Err(body) => {
            let pieces =
                stream::unfold((Some(Box::pin(body)), Vec::new(), mask), |(body, mut held, mask)| async move {
                    let mut body = body?;
                    match std::future::poll_fn(|cx| body.as_mut().poll_next(cx)).await {
                        Some(Ok(piece)) => {
                            let piece = Bytes::from(mask.replace_piece(&mut held, &piece));
                            Some((Ok(piece), (Some(body), held, mask)))
                        }
                        Some(Err(error)) => Some((Err(error), (None, held, mask))),
                        None => Some((Ok(Bytes::from(mask.replace(&held))), (None, Vec::new(), mask))),
                    }
                });
            // A piece of which everything is held says nothing; an empty chunk would be the end.
            let pieces = pieces.filter(|piece| {
                let says_something = piece.as_ref().map_or(true, |piece| !piece.is_empty());
                std::future::ready(says_something)
            });
            BoxBody::new(BodyStream::new(pieces))
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn methods_belong_to_scopes() {
        for (method, expected) in [
            ("sendPhoto", Scope::Send),
            ("SENDHOLOGRAM", Scope::Send),
            ("editMessageText", Scope::Send),
            ("deleteMessage", Scope::Send),
            ("answerCallbackQuery", Scope::Send),
            ("sendMessageDraft", Scope::Send),
            ("getMe", Scope::Read),
            ("GetFile", Scope::Read),
            ("getUpdates", Scope::Read),
            ("GetManagedBotToken", Scope::Manage),
            ("logOut", Scope::Manage),
            ("LOGOUT", Scope::Manage),
            ("Close", Scope::Manage),
            ("setwebhook", Scope::Manage),
            ("deleteWebhook", Scope::Manage),
            ("setMyCommands", Scope::Manage),
            ("banChatMember", Scope::Manage),
            ("inventedMethod", Scope::Manage),
        ] {
            assert_eq!(scope(method), expected, "{method}");
        }
    }
}
