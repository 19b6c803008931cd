//! What the demo tells: a row for each picture as it arrives, a summary, a verdict.

use super::pictures::DemoPicture;
use crate::cli::service_client::NotificationState;
use crate::cli::terminal::{TerminalStyle, print_line};
use crate::domain::{Sha256, Status};
use crate::sandbox::SandboxStats;
use std::collections::BTreeMap;
use std::time::Duration;

/// The rows so far.
pub struct DemoReport {
    style: TerminalStyle,
    sent: u32,
    /// Uploads by picture, and how often it was sent.
    pictures: BTreeMap<Sha256, PictureTotals>,
    wrong: Vec<String>,
}

struct PictureTotals {
    name: &'static str,
    size: u64,
    uploads: u64,
    sends: u64,
}

const COLUMN_WIDTHS: [usize; 8] = [20, 9, 22, 8, 12, 14, 14, 8];

impl DemoReport {
    /// A report of nothing yet.
    pub fn new(style: TerminalStyle) -> Self {
        Self { style, sent: 0, pictures: BTreeMap::new(), wrong: Vec::new() }
    }

    /// The names of the columns.
    pub fn heading(&self) {
        let names = ["picture", "size", "to", "lane", "accepted", "sent after", "how", "message"];
        print_line("");
        print_line(self.style.bold(&line(names.map(str::to_owned))));
        print_line(self.style.dim(&"-".repeat(COLUMN_WIDTHS.iter().sum())));
    }

    /// One picture that has come to its end.
    pub fn row(&mut self, picture: &DemoPicture, accepted_in: Duration, state: NotificationState) {
        let size = picture.bytes.len() as u64;
        let mut cells = [
            picture.name.to_owned(),
            kilobytes(size),
            picture.chat.name().to_owned(),
            picture.lane.as_str().to_owned(),
            format!("{} ms", accepted_in.as_millis()),
            String::new(),
            String::new(),
            String::new(),
        ];
        let (Status::Sent, Some(attempt)) = (state.status, state.success()) else {
            self.wrong.push(format!("{} was not sent: {}", picture.name, state.reason()));
            cells[6] = state.status.as_str().to_owned();
            return print_line(self.style.red(&line(cells)));
        };
        let answered = attempt.at.plus(Duration::from_millis(attempt.duration_ms));
        if state.send_at.is_some_and(|due| attempt.at < due) {
            self.wrong.push(format!("{} was sent before its time", picture.name));
        }
        cells[5] = match state.send_at {
            Some(due) => format!("due + {} ms", answered.since(due).as_millis()),
            None => format!("{} ms", answered.since(state.created_at).as_millis()),
        };
        cells[6] = if attempt.uploaded { "uploaded" } else { "by file_id" }.to_owned();
        cells[7] = state.message_id.map(|id| format!("#{id}")).unwrap_or_default();
        let totals = self.pictures.entry(Sha256::of(picture.bytes)).or_insert(PictureTotals {
            name: picture.name,
            size,
            uploads: 0,
            sends: 0,
        });
        totals.sends += 1;
        // Every upload counts, also one whose answer was lost.
        totals.uploads += state.attempts.iter().filter(|attempt| attempt.uploaded).count() as u64;
        self.sent += 1;
        let text = line(cells);
        print_line(if attempt.uploaded { text } else { self.style.green(&text) });
    }

    /// The figures.
    pub fn summary(&self, took: Duration) {
        let uploads: u64 = self.pictures.values().map(|picture| picture.uploads).sum();
        let bytes: u64 = self.pictures.values().map(|picture| picture.uploads * picture.size).sum();
        let skipped = self.pictures.values().map(|picture| picture.sends.saturating_sub(picture.uploads));
        let saved = self.pictures.values().map(|picture| picture.sends.saturating_sub(picture.uploads) * picture.size);
        print_line("");
        print_line(format_args!(
            "{} sent in {:.1} s, {uploads} uploads ({}), {} upload(s) skipped ({} saved)",
            self.sent,
            took.as_secs_f64(),
            kilobytes(bytes),
            skipped.sum::<u64>(),
            kilobytes(saved.sum()),
        ));
    }

    /// Whether all were sent, each picture uploaded once, and the sandbox agrees; says what went wrong.
    pub fn verdict(mut self, truth: &SandboxStats) -> bool {
        if truth.sends != u64::from(self.sent) {
            self.wrong.push(format!("the sandbox got {} messages, the service says {}", truth.sends, self.sent));
        }
        for picture in self.pictures.values().filter(|picture| picture.uploads != 1) {
            self.wrong.push(format!("{} was uploaded {} times", picture.name, picture.uploads));
        }
        for wrong in &self.wrong {
            print_line(self.style.red(wrong));
        }
        self.wrong.is_empty()
    }
}

fn line(cells: [String; 8]) -> String {
    let padded: String = cells.iter().zip(COLUMN_WIDTHS).map(|(cell, width)| format!("{cell:<width$}")).collect();
    padded.trim_end().to_owned()
}

fn kilobytes(bytes: u64) -> String {
    format!("{:.1} kB", bytes as f64 / 1000.0)
}
