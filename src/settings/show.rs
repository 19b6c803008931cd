//! The effective configuration, as `check-config` prints it: a file again, with secrets masked.

use super::config_error::ConfigError;
use super::keys::{KEYS, Masking, SettingKey, TABLE_GROUPS, TABLE_LISTS, TABLE_SECRETS, TableGroup};
use super::layers::{Flags, Layers, RawValue, SettingSource};
use super::load::load;
use super::secret_files;
use reqwest::Url;
use std::collections::BTreeMap;
use std::fmt::Write;

/// What a file, the environment and flags come to, key by key, with who said so and without secrets.
///
/// # Errors
/// As [`load()`].
pub fn show(file: Option<&str>, env: &BTreeMap<String, String>, flags: &Flags) -> Result<String, Vec<ConfigError>> {
    load(file, env, flags)?;
    let layers = secret_files::gather(file, env, flags);
    let mut page = String::new();
    for key in KEYS {
        line(&mut page, &layers, key.name, key.name, key.masking);
    }
    for group in TABLE_GROUPS {
        for name in layers.names(group.name) {
            let _ = writeln!(page, "\n[{}.{name}]", group.name);
            table(&mut page, &layers, group, &format!("{}.{name}", group.name));
        }
    }
    Ok(page)
}

/// The keys of a table, and the entries of the table in it as `inner.name`.
fn table(page: &mut String, layers: &Layers, group: &TableGroup, path: &str) {
    for name in group.keys {
        let masking = match *name {
            name if TABLE_SECRETS.contains(&name) => Masking::Whole,
            "api_url" | "gateway_url" | "callback_url" => Masking::UrlCredentials,
            _ => Masking::None,
        };
        line(page, layers, name, &format!("{path}.{name}"), masking);
    }
    let inner = group.inner;
    let masking = if TABLE_SECRETS.contains(&inner) { Masking::Whole } else { Masking::None };
    let entries = format!("{path}.{inner}.");
    for path in layers.values.keys().filter(|key| key.starts_with(&entries)) {
        line(page, layers, &format!("{inner}.{}", &path[entries.len()..]), path, masking);
    }
}

fn line(page: &mut String, layers: &Layers, name: &str, path: &str, masking: Masking) {
    let _ = match layers.values.get(path) {
        None => writeln!(page, "# {name} is not set"),
        Some(raw) => writeln!(page, "{name} = {}{}", value(raw, name, masking), said_by(layers, raw, path)),
    };
}

fn said_by(layers: &Layers, raw: &RawValue, path: &str) -> String {
    match raw.source {
        SettingSource::Default => String::new(),
        SettingSource::File => "  # file".to_owned(),
        SettingSource::Environment | SettingSource::Flag => format!("  # {}", layers.place(path)),
    }
}

fn value(raw: &RawValue, name: &str, masking: Masking) -> String {
    let texts: Vec<String> = raw.values.iter().map(|text| quoted(&masked(text, masking))).collect();
    match texts.as_slice() {
        texts if TABLE_LISTS.contains(&name) || SettingKey::named(name).is_some_and(|key| key.list) => {
            format!("[{}]", texts.join(", "))
        }
        texts => texts.concat(),
    }
}

fn quoted(text: &str) -> String {
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() => text.to_owned(),
        _ => toml::Value::from(text).to_string(),
    }
}

fn masked(text: &str, masking: Masking) -> String {
    const MASK: &str = "***";
    match masking {
        Masking::None => text.to_owned(),
        Masking::Whole => MASK.to_owned(),
        Masking::UrlCredentials => match Url::parse(text) {
            Ok(url) if url.has_host() || url.scheme() == "file" => {
                let user = if url.username().is_empty() && url.password().is_none() { "" } else { "***@" };
                let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
                let query = url.query().map(|_| "?***").unwrap_or_default();
                let path = url.path().trim_end_matches('/').replace("%7B", "{").replace("%7D", "}");
                format!("{}://{user}{}{port}{path}{query}", url.scheme(), url.host_str().unwrap_or_default())
            }
            _ => MASK.to_owned(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_shown_without_user_password_and_query() {
        for (url, shown) in [
            ("amqp://user:pw@rabbit:5672/%2f?heartbeat=5", "amqp://***@rabbit:5672/%2f?***"),
            ("redis://:pw@redis/0", "redis://***@redis/0"),
            ("https://api.telegram.org", "https://api.telegram.org"),
            ("http://proxy/{token}/{method}", "http://proxy/{token}/{method}"),
            ("file:///srv/blobs", "file:///srv/blobs"),
            ("not a url with a secret", "***"),
        ] {
            assert_eq!(masked(url, Masking::UrlCredentials), shown);
        }
    }
}
