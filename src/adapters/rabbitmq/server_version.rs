//! Of which version a node is. The client library keeps that to itself, so it is read on a connection of its own: from the
//! properties of the server in `Connection.Start`, the first frame that a node sends.

use super::address::BrokerAddress;
use amq_protocol::auth::Credentials;
use amq_protocol::frame::{AMQPFrame, GenError, ProtocolVersion, gen_frame, parse_frame};
use amq_protocol::protocol::{AMQPClass, connection};
use futures_util::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use lapin::types::{AMQPValue, FieldTable};
use std::io;
use std::time::Duration;
use tokio::time::timeout;

/// The first series (major, minor) in which quorum queues have a message TTL and dead-letter at least once, both of which the delay
/// queues are made of (<https://github.com/rabbitmq/rabbitmq-server/releases/tag/v3.10.0>). Quorum queues themselves, their count of
/// deliveries and single active consumers are of 3.8 (<https://github.com/rabbitmq/rabbitmq-server/releases/tag/v3.8.0>).
const OLDEST_SERIES: (u32, u32) = (3, 10);

/// How long a node may take to connect, and how long to say which it is.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a node may take to let us go.
const LEAVE_TIMEOUT: Duration = Duration::from_secs(5);

/// The type, the channel and the size of a frame, and its end mark (AMQP 0-9-1, 4.2.3).
const FRAME_HEADER_BYTES: usize = 7;
const FRAME_END_BYTES: usize = 1;

/// RabbitMQ's own `frame_max`, beyond which nothing is sent before another is agreed on.
const MAX_FRAME_BYTES: usize = 128 * 1024;

/// What is wrong with a version, if it is too old. One that cannot be read is taken as good.
pub(super) fn fault(version: &str) -> Option<String> {
    let (major, minor) = OLDEST_SERIES;
    let is_too_old = series(version).is_some_and(|series| series < OLDEST_SERIES);
    is_too_old.then(|| {
        format!(
            "it is version {version}; {major}.{minor} or later is needed, for message TTL and at-least-once dead lettering on quorum queues: without them what has to wait cannot be put back, and what is dead-lettered may be lost"
        )
    })
}

/// Its major and minor number. Patches and previews (`3.13.0-rc.1`) have what their series has.
fn series(version: &str) -> Option<(u32, u32)> {
    let mut numbers = version.split('.').map(|number| number.parse().ok());
    Some((numbers.next()??, numbers.next()??))
}

/// Asks a node for its version. It is left in order, like any other connection: of one that is opened and closed a node logs nothing
/// above level info, but one that just ends is a warning (both seen with RabbitMQ 3.10 and 4.0), and a `Connection.Close` before it
/// is open an error (3.10).
///
/// # Errors
/// It does not answer, or not like RabbitMQ.
pub(super) async fn ask(address: &BrokerAddress) -> io::Result<String> {
    let greet = async {
        let mut stream = address.open_stream().await?;
        write(&mut stream, &[AMQPFrame::ProtocolHeader(ProtocolVersion::amqp_0_9_1())]).await?;
        let connection::AMQPMethod::Start(start) = read(&mut stream).await? else { return Err(unexpected()) };
        Ok((stream, start))
    };
    let (stream, start) = timeout(ANSWER_TIMEOUT, greet).await??;
    let version = match start.server_properties.inner().get("version") {
        Some(AMQPValue::LongString(version)) => version.to_string(),
        _ => String::new(),
    };
    // What goes wrong now is known by the connections that are kept.
    let _ = timeout(LEAVE_TIMEOUT, leave(stream, address)).await;
    Ok(version)
}

/// Opens the connection and closes it.
async fn leave(mut stream: impl AsyncRead + AsyncWrite + Unpin, address: &BrokerAddress) -> io::Result<()> {
    let uri = address.uri();
    let mechanism = uri.query.auth_mechanism.unwrap_or_default();
    let mut client_properties = FieldTable::default();
    client_properties.insert("connection_name".into(), AMQPValue::LongString("pixcourier version".into()));
    let start_ok = connection::StartOk {
        client_properties,
        mechanism: mechanism.name().into(),
        response: Credentials::from(uri.authority.userinfo.clone()).sasl_auth_string(mechanism),
        locale: "en_US".into(),
    };
    write(&mut stream, &[method(connection::AMQPMethod::StartOk(start_ok))]).await?;
    let connection::AMQPMethod::Tune(tune) = read(&mut stream).await? else { return Err(unexpected()) };
    let connection::Tune { channel_max, frame_max, .. } = tune;
    let tune_ok = connection::TuneOk { channel_max, frame_max, heartbeat: 0 };
    let open = connection::Open { virtual_host: uri.vhost.as_str().into() };
    write(&mut stream, &[method(connection::AMQPMethod::TuneOk(tune_ok)), method(connection::AMQPMethod::Open(open))])
        .await?;
    let connection::AMQPMethod::OpenOk(_) = read(&mut stream).await? else { return Err(unexpected()) };
    let close = connection::Close { reply_code: 200, reply_text: "known".into(), class_id: 0, method_id: 0 };
    write(&mut stream, &[method(connection::AMQPMethod::Close(close))]).await?;
    read(&mut stream).await?;
    stream.close().await
}

fn method(method: connection::AMQPMethod) -> AMQPFrame {
    AMQPFrame::Method(0, AMQPClass::Connection(method))
}

async fn write(stream: &mut (impl AsyncWrite + Unpin), frames: &[AMQPFrame]) -> io::Result<()> {
    for frame in frames {
        let written = gen_frame(frame)(Vec::new().into()).map_err(|error: GenError| io::Error::other(error))?;
        stream.write_all(&written.into_inner().0).await?;
    }
    stream.flush().await
}

/// Reads a frame that is a method of the connection.
async fn read(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<connection::AMQPMethod> {
    let mut frame = vec![0; FRAME_HEADER_BYTES];
    stream.read_exact(&mut frame).await?;
    let size = u32::from_be_bytes([frame[3], frame[4], frame[5], frame[6]]) as usize;
    if size > MAX_FRAME_BYTES {
        return Err(unexpected());
    }
    frame.resize(FRAME_HEADER_BYTES + size + FRAME_END_BYTES, 0);
    stream.read_exact(&mut frame[FRAME_HEADER_BYTES..]).await?;
    match parse_frame(frame.as_slice()) {
        Ok((_, AMQPFrame::Method(0, AMQPClass::Connection(method)))) => Ok(method),
        _ => Err(unexpected()),
    }
}

fn unexpected() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "it does not answer like RabbitMQ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_compared_by_its_series() {
        for good in ["3.10.0", "3.10.5", "3.13.0-rc.1", "3.10.0-rc.4", "4.0.5", "4.3.0+1", "10.0.0"] {
            assert_eq!(fault(good), None, "{good}");
        }
        for old in ["3.9.29", "3.8.0", "3.07.8", "3.9.0-rc.1", "2.99.1", "0.0.0"] {
            let told = fault(old).unwrap_or_default();
            assert!(told.contains(old) && told.contains("3.10 or later is needed"), "{old}: {told}");
        }
        // Nobody is alarmed by what is not understood.
        for garbage in ["", "3", "3.", ".", "three.nine", "v3.9.1", "-3.9", "3.x", "99999999999.1"] {
            assert_eq!(fault(garbage), None, "{garbage}");
        }
    }

    #[tokio::test]
    async fn what_is_no_rabbitmq_is_an_error() {
        for answer in [&b"AMQP\0\0\x09\x01"[..], b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x01\0\0\xff\xff\xff\xff", b""]
        {
            assert!(read(&mut futures_util::io::Cursor::new(answer)).await.is_err(), "{answer:?}");
        }
    }
}
