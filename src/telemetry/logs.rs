//! The log: lines on standard error, text for people or JSON for collectors.

use super::json_lines::JsonLines;
use crate::settings::LogFormat;
use std::io::IsTerminal;
use tracing::Subscriber;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::JsonFields;
use tracing_subscriber::{Layer, Registry, fmt, layer::SubscriberExt, util::SubscriberInitExt};

/// Crates that log much at levels that are of use to us; a filter that names them wins.
const QUIET_CRATES: &str = "lapin=off,pinky_swear=warn,actix_server=warn,actix_http=warn,actix_web=warn,mio=warn,h2=warn,hyper=warn,hyper_util=warn,reqwest=warn,rustls=warn,object_store=warn";

/// Starts the log of this process. Later calls change nothing. A filter that cannot be read counts as `info`;
/// settings have been checked before.
pub fn start(filter: &str, format: LogFormat) {
    let colours = std::io::stderr().is_terminal();
    let _ = subscriber(filter, format, colours, std::io::stderr).try_init();
}

fn subscriber<W>(filter: &str, format: LogFormat, colours: bool, writer: W) -> impl Subscriber + Send + Sync + use<W>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let filter: Targets = format!("{QUIET_CRATES},{filter}")
        .parse()
        .unwrap_or_else(|_| Targets::new().with_default(tracing::Level::INFO));
    let lines = match format {
        LogFormat::Text => fmt::layer().with_writer(writer).with_ansi(colours).boxed(),
        LogFormat::Json => {
            fmt::layer().with_writer(writer).fmt_fields(JsonFields::new()).event_format(JsonLines).boxed()
        }
    };
    Registry::default().with(lines).with(filter)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    #[derive(Clone, Default)]
    struct LogBuffer(Arc<Mutex<Vec<u8>>>);

    impl Write for LogBuffer {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn logged(filter: &str, format: LogFormat) -> String {
        let page = LogBuffer::default();
        let writer = page.clone();
        tracing::subscriber::with_default(subscriber(filter, format, false, move || writer.clone()), || {
            let _span = tracing::info_span!("attempt", notification = "n-1").entered();
            tracing::info!(chat = 7, "Sent");
            tracing::info!(target: "lapin", "chatter");
        });
        let bytes = page.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_json_line_has_the_fields_of_its_event_and_of_its_spans_side_by_side() {
        let page = logged("info", LogFormat::Json);
        let line: serde_json::Value = serde_json::from_str(page.trim()).unwrap();
        assert_eq!((&line["level"], &line["message"]), (&"INFO".into(), &"Sent".into()));
        assert!(line["timestamp"].as_str().unwrap().ends_with('Z'), "{line}");
        assert_eq!((&line["chat"], &line["notification"]), (&7.into(), &"n-1".into()));
        assert!(line.as_object().unwrap().values().all(|value| !value.is_object()), "{line}");
    }

    #[test]
    fn noisy_crates_are_quiet_unless_named() {
        assert!(!logged("debug", LogFormat::Text).contains("chatter"));
        assert!(logged("info,lapin=info", LogFormat::Text).contains("chatter"));
        assert!(logged("info", LogFormat::Text).contains("notification=\"n-1\""));
    }
}
