//! A webhook of a bot, as small as can be.

use serde_json::Value;
use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Takes one update a connection, and answers as it was told; 200 when nothing is left.
pub struct Hook {
    addr: SocketAddr,
    answers: Arc<Mutex<VecDeque<String>>>,
    got: Receiver<(String, Value)>,
}

impl Hook {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        let answers: Arc<Mutex<VecDeque<String>>> = Arc::default();
        let (tell, got) = channel();
        let planned = answers.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut reader = BufReader::new(stream.try_clone().unwrap());
                let mut head = String::new();
                while !head.ends_with("\r\n\r\n") {
                    if reader.read_line(&mut head).unwrap() == 0 {
                        return;
                    }
                }
                let head = head.to_ascii_lowercase();
                let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
                let mut body = vec![0; length.parse().unwrap()];
                reader.read_exact(&mut body).unwrap();
                let answer = planned.lock().unwrap().pop_front().unwrap_or_else(|| response(200, ""));
                stream.write_all(answer.as_bytes()).unwrap();
                if tell.send((head, serde_json::from_slice(&body).unwrap())).is_err() {
                    return;
                }
            }
        });
        Self { addr, answers, got }
    }

    pub fn url(&self) -> String {
        format!("http://{}/hook", self.addr)
    }

    /// The statuses of the next answers.
    pub fn answers(&self, statuses: &[u16]) {
        self.answers.lock().unwrap().extend(statuses.iter().map(|status| response(*status, "")));
    }

    /// The body of the next answer.
    pub fn answers_with(&self, body: &str) {
        self.answers.lock().unwrap().push_back(response(200, body));
    }

    /// The next update, and the head of the request that brought it.
    pub fn next(&self) -> (String, Value) {
        self.got.recv_timeout(Duration::from_secs(20)).unwrap()
    }
}

fn response(status: u16, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status} x\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}")
}
