//! RabbitMQ, Redis and the object store behind TLS with certificates of an authority of one's own. RabbitMQ is one that says it is too
//! old, which is read by TLS too.

use crate::project::manual::root;
use crate::support::old_broker::OldBroker;
use crate::support::program::Program;
use crate::support::wait::{self, WAIT_TIMEOUT};
use crate::support::{amqp_url, port_of, redis_url};
use pixcourier::sandbox::{MessageFilter, Sandbox, SandboxOptions};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// An authority, and a certificate of its for localhost: `ca.pem`, `server.pem`, `server.key`.
fn make_certificates(folder: &Path) {
    let openssl = |arguments: &str| {
        let made = Command::new("openssl").args(arguments.split(' ')).current_dir(folder).output();
        let made =
            made.unwrap_or_else(|error| panic!("openssl does not run ({error}); tests/with-brokers installs it"));
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    };
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
    openssl(&format!("req -x509 {key} -days 2 -subj /CN=authority -keyout ca.key -out ca.pem"));
    openssl(&format!("req {key} -subj /CN=localhost -keyout server.key -out server.csr"));
    std::fs::write(folder.join("names"), "subjectAltName=DNS:localhost\nbasicConstraints=CA:FALSE\n").unwrap();
    openssl("x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile names -out server.pem");
}

/// TLS in front of a server; ends with its owner.
struct Terminator {
    child: Child,
    port: u16,
}

impl Terminator {
    fn before(url: &str, certificates: &Path) -> Self {
        let authority = url.split("://").nth(1).and_then(|rest| rest.split('/').next()).expect("a URL");
        let target = authority.rsplit('@').next().expect("a host");
        let mut child = Command::new("python3")
            .arg(root().join("tests/fixtures/tls/terminator.py"))
            .args([certificates.join("server.pem"), certificates.join("server.key")])
            .arg(target)
            .stdout(Stdio::piped())
            .spawn()
            .expect("python3 runs");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("piped")).read_line(&mut line).expect("a line");
        Self { child, port: line.trim().parse().expect("its port") }
    }

    /// The URL of the server, by TLS.
    fn url(&self, plain: &str) -> String {
        let (scheme, rest) = plain.split_once("://").expect("a URL");
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let user = authority.rsplit_once('@').map_or(String::new(), |(user, _)| format!("{user}@"));
        format!("{scheme}s://{user}localhost:{}/{path}", self.port)
    }
}

impl Drop for Terminator {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn given(name: &str) -> String {
    let variable = format!("PIXCOURIER_TEST_S3_{name}");
    std::env::var(&variable).unwrap_or_else(|_| panic!("{variable} is not set: run the tests by `make test`"))
}

/// What the program prints, or what it complains about.
fn run(arguments: &[&str]) -> Result<String, String> {
    let output = Program::command(arguments).output().expect("the program runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
}

#[tokio::test(flavor = "multi_thread")]
async fn all_servers_may_have_certificates_of_an_authority_of_ones_own() {
    let folder = tempfile::tempdir().unwrap();
    make_certificates(folder.path());
    let old = OldBroker::before(port_of(&amqp_url())).await;
    let amqp = old.url(&amqp_url(), port_of(&amqp_url()));
    let (redis, s3) = (redis_url(), given("ENDPOINT"));
    let fronts = [&amqp, &redis, &s3].map(|url| Terminator::before(url, folder.path()));
    let [amqp, redis, s3] = [(0, &amqp), (1, &redis), (2, &s3)].map(|(place, url)| fronts[place].url(url));
    let sandbox = Sandbox::start(TcpListener::bind("127.0.0.1:0").unwrap(), SandboxOptions::default()).unwrap();
    let namespace = format!("test-{:08x}", fastrand::u32(..));
    let (bucket, id, secret) =
        (format!("s3://{}/{namespace}", given("BUCKET")), given("ACCESS_KEY_ID"), given("SECRET_ACCESS_KEY"));
    let ca = folder.path().join("ca.pem").display().to_string();
    let mut environment = vec![
        ("PIXCOURIER_AMQP_URL", amqp.as_str()),
        ("PIXCOURIER_REDIS_URL", &redis),
        ("PIXCOURIER_BLOB_URL", &bucket),
        ("PIXCOURIER_S3_ENDPOINT", &s3),
        ("PIXCOURIER_S3_ACCESS_KEY_ID", &id),
        ("PIXCOURIER_S3_SECRET_ACCESS_KEY", &secret),
        ("PIXCOURIER_NAMESPACE", &namespace),
    ];

    // Without the authority nobody is trusted, and the log says why.
    let log = folder.path().join("log");
    let stranger = Program::serve(&sandbox.url(), &environment, File::create(&log).unwrap().into());
    for part in ["RabbitMQ", "Redis", "blob store"] {
        wait::until_ok(part, WAIT_TIMEOUT, async || {
            let log = std::fs::read_to_string(&log).unwrap();
            let told = |line: &str| line.contains("name its authority in ca_file");
            if log.lines().any(|line| told(line) && line.contains(part)) { Ok(()) } else { Err(log) }
        })
        .await;
    }
    drop(stranger);

    environment.push(("PIXCOURIER_CA_FILE", &ca));
    let service = Program::serve(&sandbox.url(), &environment, File::create(&log).unwrap().into());
    let picture = root().join("src/cli/demo/assets/coffee.jpg").display().to_string();
    wait::until_ok("the service to be ready", WAIT_TIMEOUT, async || run(&["healthcheck", "--url", &service.url]))
        .await;
    let sent = run(&["send", "--url", &service.url, "--wait", "--to", "-100123", &picture]);
    assert!(sent.as_ref().is_ok_and(|out| out.contains("sent as message")), "{sent:?}");
    assert_eq!(sandbox.messages(&MessageFilter::default()).len(), 1);
    wait::until_ok("the version in the log", WAIT_TIMEOUT, async || {
        let log = std::fs::read_to_string(&log).unwrap();
        if log.contains("RabbitMQ breaks the promise: it is version 3.9.0") { Ok(()) } else { Err(log) }
    })
    .await;
}
