//! The table: the median of each, its spread, and its ratio to the peer.

use crate::measures::Measure;
use std::collections::BTreeMap;
use std::fmt;

#[derive(Default)]
pub struct Table {
    rows: BTreeMap<(Measure, usize), BTreeMap<&'static str, Vec<f64>>>,
}

impl Table {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn add(&mut self, measure: Measure, subject: &'static str, taken: Vec<f64>) {
        for (at, value) in taken.into_iter().enumerate() {
            self.rows.entry((measure, at)).or_default().entry(subject).or_default().push(value);
        }
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| what | unit | who | median | least to most | ratio to the peer |\n|---|---|---|---|---|---|")?;
        for ((measure, at), by_subject) in &self.rows {
            let peer = by_subject.get("peer").map(|values| median(values));
            for (subject, values) in by_subject {
                let (middle, unit) = (median(values), measure.units()[*at]);
                let least = values.iter().copied().fold(f64::INFINITY, f64::min);
                let most = values.iter().copied().fold(0.0, f64::max);
                let ratio = peer.map_or(String::new(), |peer| format!("{:.2}", middle / peer));
                let name = measure.name();
                writeln!(f, "| {name} | {unit} | {subject} | {middle:.4} | {least:.4} to {most:.4} | {ratio} |")?;
            }
        }
        Ok(())
    }
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}
