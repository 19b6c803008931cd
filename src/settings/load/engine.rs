//! Which engine, and what it needs.

use crate::settings::engine::{BlobLocation, DistributedSettings, EngineSettings, S3Bucket};
use crate::settings::value_reader::ValueReader;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use secrecy::SecretString;
use std::io::Read;
use std::path::PathBuf;
use std::sync::Arc;

/// The largest file of certificates: a system's own, with all authorities of the world, has a fifth of it.
const MAX_CA_BYTES: u64 = 1024 * 1024;

/// With `amqp_url` the distributed engine, else the embedded one. Half an engine is an error either way.
pub fn engine(reader: &mut ValueReader) -> EngineSettings {
    let namespace = namespace(reader);
    let amqp_urls = reader.list("amqp_url");
    if amqp_urls.is_empty() {
        for path in ["redis_url", "blob_url", "ca_file"] {
            if reader.text(path).is_some() {
                reader.add_error(path, "belongs to the distributed engine: set amqp_url too, or leave this out");
            }
        }
        return EngineSettings::Embedded;
    }
    for url in &amqp_urls {
        reader.url("amqp_url", url, &["amqp", "amqps"]);
    }
    let ca = ca(reader);
    EngineSettings::Distributed(Box::new(DistributedSettings {
        amqp_urls: amqp_urls.into_iter().map(SecretString::from).collect(),
        redis_url: redis_url(reader),
        blobs: blobs(reader, ca.as_ref()),
        ca,
        namespace,
    }))
}

fn redis_url(reader: &mut ValueReader) -> SecretString {
    let Some(text) = reader.text("redis_url").map(str::to_owned) else {
        reader.add_error("redis_url", "missing: the distributed engine (amqp_url is set) keeps its ledger in Redis");
        return SecretString::default();
    };
    let scheme = text.split("://").next().unwrap_or_default();
    if scheme.contains("sentinel") {
        let message = "Sentinel is not supported: name an address that leads to the primary, such as a proxy or a DNS name that follows it; connections are made anew when a primary steps down";
        reader.add_error("redis_url", message);
    } else {
        reader.url("redis_url", &text, &["redis", "rediss"]);
    }
    text.into()
}

/// Certificates of authorities, as text: which of them are good is for those to judge who connect.
fn ca(reader: &mut ValueReader) -> Option<Arc<str>> {
    let file = reader.text("ca_file")?.to_owned();
    let error = match read_ca(&file) {
        Ok(pem) => return Some(pem.into()),
        Err(error) => error,
    };
    reader.add_error("ca_file", format!("{file} cannot be used: {error}"));
    None
}

fn read_ca(file: &str) -> Result<String, String> {
    let mut pem = String::new();
    let opened = std::fs::File::open(file).map_err(|error| error.to_string())?;
    opened.take(MAX_CA_BYTES).read_to_string(&mut pem).map_err(|error| error.to_string())?;
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    match certificates {
        Ok(certificates) if !certificates.is_empty() => Ok(pem),
        Ok(_) => Err("it holds no certificate in PEM (-----BEGIN CERTIFICATE-----)".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

fn blobs(reader: &mut ValueReader, ca: Option<&Arc<str>>) -> BlobLocation {
    let nowhere = BlobLocation::Folder(PathBuf::new());
    let Some(text) = reader.text("blob_url").map(str::to_owned) else {
        reader.add_error(
            "blob_url",
            "missing: the distributed engine (amqp_url is set) needs a place for images, file:///folder or s3://bucket",
        );
        return nowhere;
    };
    let Some(url) = reader.url("blob_url", &text, &["file", "s3"]) else { return nowhere };
    if url.scheme() == "file" {
        return match url.to_file_path() {
            Ok(folder) => BlobLocation::Folder(folder),
            Err(()) => {
                reader.add_error("blob_url", "expected an absolute folder behind file://, as in file:///srv/blobs");
                nowhere
            }
        };
    }
    let endpoint = reader.text("s3_endpoint").map(str::to_owned);
    if let Some(endpoint) = &endpoint {
        reader.plain_url("s3_endpoint", endpoint);
    }
    let secret = |path| reader.text(path).map(SecretString::from);
    let (access_key_id, secret_access_key) = (secret("s3_access_key_id"), secret("s3_secret_access_key"));
    if access_key_id.is_some() != secret_access_key.is_some() {
        reader.add_error("s3_access_key_id", "goes together with s3_secret_access_key: set both or neither");
    }
    BlobLocation::S3(S3Bucket {
        bucket: url.host_str().unwrap_or_default().to_owned(),
        prefix: url.path().trim_matches('/').to_owned(),
        endpoint,
        region: reader.text("s3_region").unwrap_or_default().to_owned(),
        access_key_id,
        secret_access_key,
        ca: ca.cloned(),
    })
}

/// It is part of queue names and Redis keys, so it stays within what is plain in both.
fn namespace(reader: &mut ValueReader) -> String {
    const MAX_BYTES: usize = 64;
    let text = reader.text("namespace").unwrap_or_default().to_owned();
    let plain = text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b));
    if text.is_empty() || text.len() > MAX_BYTES || !plain {
        reader.add_error("namespace", format!("expected 1 to {MAX_BYTES} of A-Z a-z 0-9 . _ -, found {text:?}"));
    }
    text
}
