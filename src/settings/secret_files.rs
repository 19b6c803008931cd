//! Secrets from files: `NAME_file` beside every key that is a secret or a URL with one, as Docker, Kubernetes and systemd hand them in.

use super::config_error::ConfigError;
use super::keys::{KEYS, SECRET_FILE_SUFFIX, TABLE_LISTS};
use super::layers::{Flags, Layers, split};
use std::collections::BTreeMap;
use std::io::Read;

/// More is no secret.
const MAX_BYTES: u64 = 64 * 1024;

/// All layers, with what the files hold.
pub fn gather(file: Option<&str>, env: &BTreeMap<String, String>, flags: &Flags) -> Layers {
    let mut layers = Layers::gather(file, env, flags);
    let paths = std::mem::take(&mut layers.secret_files);
    read_all(&mut layers, paths);
    layers
}

/// Puts what the files hold, without the white space around it, in the place of the keys that name them. A later layer that says
/// the secret itself wins.
fn read_all(layers: &mut Layers, paths: Vec<String>) {
    for path in paths {
        let (Some(named), Some(secret)) = (layers.values.remove(&path), path.strip_suffix(SECRET_FILE_SUFFIX)) else {
            continue;
        };
        match layers.values.get(secret).map(|said| said.source) {
            Some(source) if source > named.source => continue,
            Some(source) if source == named.source => {
                let message = format!("{secret} is given too: say one of the two");
                layers.errors.push(ConfigError::new(path, message));
                continue;
            }
            _ => {}
        }
        match read(named.values.first().map_or("", String::as_str)) {
            Ok(text) => {
                let name = secret.rsplit('.').next().unwrap_or(secret);
                let values = if is_list(name) { split(&text.replace('\n', ",")) } else { vec![text.trim().to_owned()] };
                layers.set(secret, values, named.source);
            }
            Err(error) => layers.errors.push(ConfigError::new(path, format!("cannot be read: {error}"))),
        }
    }
}

fn is_list(name: &str) -> bool {
    TABLE_LISTS.contains(&name) || KEYS.iter().any(|key| key.name == name && key.list)
}

fn read(file: &str) -> std::io::Result<String> {
    let mut text = String::new();
    std::fs::File::open(file)?.take(MAX_BYTES).read_to_string(&mut text)?;
    if text.trim().is_empty() { Err(std::io::Error::other("it is empty")) } else { Ok(text) }
}
