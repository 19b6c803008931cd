//! A receiver of callbacks, on threads of its own: it answers as it is told to, and remembers what came.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// One request that came in whole.
#[derive(Clone, Debug)]
pub struct Told {
    pub at: Instant,
    /// By their names in lower case.
    pub headers: BTreeMap<String, String>,
    pub path: String,
    pub body: String,
}

impl Told {
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The id of the callback.
    pub fn id(&self) -> &str {
        &self.headers["webhook-id"]
    }

    /// The notification.
    pub fn notification(&self) -> String {
        self.json()["data"]["id"].as_str().unwrap_or_else(|| panic!("no id: {self:?}")).to_owned()
    }
}

/// What it answers.
#[derive(Clone, Debug)]
pub enum Reply {
    Status(u16),
    /// A status with a header.
    Header(u16, String),
    /// Nothing, until the caller gives up.
    Hang,
}

/// What to answer to a request whose callback came so often before.
type Answering = dyn Fn(&Told, usize) -> Reply + Send + Sync;

struct Shared {
    told: Mutex<Vec<Told>>,
    /// How often each callback came.
    times: Mutex<BTreeMap<String, usize>>,
    connections: AtomicUsize,
    stopped: AtomicBool,
    answer: Box<Answering>,
}

/// See the module. Stops when it is dropped.
pub struct Receiver {
    address: SocketAddr,
    shared: Arc<Shared>,
}

impl Receiver {
    /// One on a free port. `answer` gets what came, and how often that callback came before.
    pub fn start(answer: impl Fn(&Told, usize) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            told: Mutex::default(),
            times: Mutex::default(),
            connections: AtomicUsize::new(0),
            stopped: AtomicBool::new(false),
            answer: Box::new(answer),
        });
        let accepting = shared.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if accepting.stopped.load(Ordering::SeqCst) {
                    return;
                }
                let Ok(stream) = stream else { continue };
                accepting.connections.fetch_add(1, Ordering::SeqCst);
                let shared = accepting.clone();
                std::thread::spawn(move || shared.serve(stream));
            }
        });
        Self { address, shared }
    }

    /// One that takes everything.
    pub fn willing() -> Self {
        Self::start(|_, _| Reply::Status(204))
    }

    /// Its address, by this name for the machine.
    pub fn url_by(&self, host: &str) -> String {
        format!("http://{host}:{}/hook?key=hunter2", self.address.port())
    }

    pub fn url(&self) -> String {
        self.url_by("127.0.0.1")
    }

    /// What came, in the order in which it came.
    pub fn told(&self) -> Vec<Told> {
        self.shared.told.lock().unwrap().clone()
    }

    /// How many connections were made to it.
    pub fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
    }
}

impl Shared {
    fn serve(&self, stream: TcpStream) {
        let _ = stream.set_read_timeout(Some(Duration::from_secs(60)));
        let mut reader = BufReader::new(stream);
        while let Some(told) = read(&mut reader) {
            let before = {
                let mut times = self.times.lock().unwrap();
                let times = times.entry(told.id().to_owned()).or_default();
                *times += 1;
                *times - 1
            };
            let reply = (self.answer)(&told, before);
            self.told.lock().unwrap().push(told);
            let written = match reply {
                Reply::Status(status) => answer(reader.get_mut(), status, ""),
                Reply::Header(status, header) => answer(reader.get_mut(), status, &format!("{header}\r\n")),
                Reply::Hang => {
                    let _ = reader.read(&mut [0]);
                    return;
                }
            };
            if written.is_err() || self.stopped.load(Ordering::SeqCst) {
                return;
            }
        }
    }
}

fn answer(stream: &mut TcpStream, status: u16, header: &str) -> std::io::Result<()> {
    let length = if status == 204 { "" } else { "Content-Length: 0\r\n" };
    stream.write_all(format!("HTTP/1.1 {status} Whatever\r\n{header}{length}\r\n").as_bytes())
}

/// A request, `None` at the end of the connection.
fn read(reader: &mut BufReader<TcpStream>) -> Option<Told> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|bytes| *bytes > 0)?;
    let path = line.split(' ').nth(1)?.to_owned();
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|bytes| *bytes > 0)?;
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        headers.insert(name.to_lowercase(), value.to_owned());
    }
    let mut body = vec![0; headers.get("content-length")?.parse().ok()?];
    reader.read_exact(&mut body).ok()?;
    Some(Told { at: Instant::now(), headers, path, body: String::from_utf8(body).ok()? })
}
