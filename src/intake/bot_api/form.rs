//! Multipart as the Bot API server reads it, and percent-encoding.

use super::super::Spool;
use super::super::http::body::{Body, Fault as Ended};
use super::arguments::{Arguments, FilePart};
use super::reply::Fault;
use actix_multipart::{Field, Multipart};
use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use futures_util::StreamExt;

/// The longest multipart boundary (Bot API server).
const BOUNDARY_LIMIT: usize = 70;
const BROKEN: Fault = Fault::Http(400);

/// Reads a body into the arguments. A part is a file only if it has a `filename`, if only an empty one.
pub async fn read(
    request: &HttpRequest,
    body: Body,
    spool: &Spool,
    file_limit: u64,
    arguments: &mut Arguments,
) -> Result<(), Fault> {
    let header = request.headers().get("content-type").and_then(|value| value.to_str().ok()).unwrap_or("");
    let boundary = header.split("boundary=").nth(1).unwrap_or("").split(';').next().unwrap_or("");
    if boundary.trim_matches('"').len() > BOUNDARY_LIMIT {
        return Err(BROKEN);
    }
    let ended = body.fault;
    let mut payload = Payload::Stream { payload: body.pieces };
    let mut parts = Multipart::from_request(request, &mut payload).await.map_err(|_| BROKEN)?;
    while let Some(part) = parts.next().await {
        let mut part = part.map_err(|_| fault(&ended))?;
        let disposition = part.content_disposition().ok_or(BROKEN)?;
        let name = percent_decoded(disposition.get_name().ok_or(BROKEN)?.as_bytes(), false);
        let filename = disposition.get_filename().map(|name| percent_decoded(name.as_bytes(), false));
        let Some(filename) = filename else {
            let is_form = part.content_type().is_some_and(|mime| *mime == "application/x-www-form-urlencoded");
            let text = text(&mut part, arguments.room(), &ended).await?;
            if is_form {
                arguments.add_form(&text)?
            } else {
                arguments.add(name, text)?
            }
            continue;
        };
        arguments.expect_file()?;
        let name = String::from_utf8_lossy(&name).into_owned();
        let filename = String::from_utf8_lossy(&filename).into_owned();
        let mut writer = spool.begin_file(&name, file_limit);
        while let Some(piece) = part.next().await {
            writer.write(&piece.map_err(|_| fault(&ended))?)?;
        }
        let upload = writer.finish().await?;
        arguments.add_file(FilePart { name, filename, upload });
    }
    Ok(())
}

async fn text(part: &mut Field, room: usize, ended: &Ended) -> Result<Vec<u8>, Fault> {
    let mut text = Vec::new();
    while let Some(piece) = part.next().await {
        let piece = piece.map_err(|_| fault(ended))?;
        if text.len() + piece.len() > room {
            return Err(Fault::Http(413));
        }
        text.extend_from_slice(&piece);
    }
    Ok(text)
}

/// A body that came whole and cannot be read was made wrongly.
fn fault(ended: &Ended) -> Fault {
    if ended.is_set() { ended.rejection().into() } else { BROKEN }
}

/// Undoes percent-encoding; in forms a plus is a space.
pub fn percent_decoded(text: &[u8], form: bool) -> Vec<u8> {
    let digit = |at: usize| text.get(at).and_then(|b| char::from(*b).to_digit(16));
    let mut decoded = Vec::with_capacity(text.len());
    let mut at = 0;
    while let Some(byte) = text.get(at) {
        match (byte, digit(at + 1), digit(at + 2)) {
            (b'%', Some(high), Some(low)) => {
                decoded.push((high * 16 + low) as u8);
                at += 2;
            }
            (b'+', ..) if form => decoded.push(b' '),
            _ => decoded.push(*byte),
        }
        at += 1;
    }
    decoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percent_signs_that_encode_nothing_stay() {
        assert_eq!(percent_decoded(b"a%2Fb%2fc+d%4", false), b"a/b/c+d%4");
        assert_eq!(percent_decoded(b"100%+%zz", true), b"100% %zz");
    }
}
