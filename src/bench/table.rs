//! The table: the median of each, its spread, and its ratio to what it is compared with.

use serde::Serialize;
use std::fmt;

/// What was measured of one thing, a value each round.
pub struct Row {
    /// What it is.
    pub what: &'static str,
    /// The unit of the values.
    pub unit: &'static str,
    /// Whose it is.
    pub who: &'static str,
    values: Vec<f64>,
}

impl Row {
    /// The value in the middle.
    pub fn median(&self) -> f64 {
        let mut sorted = self.values.clone();
        sorted.sort_by(f64::total_cmp);
        sorted[sorted.len() / 2]
    }

    /// Whether more of it is better.
    fn is_rate(&self) -> bool {
        self.unit == "/s"
    }
}

/// What was measured, in the order in which it was first.
#[derive(Default)]
pub struct Table {
    rows: Vec<Row>,
}

/// A row as it is shown.
#[derive(Debug, Serialize)]
pub struct Line {
    what: &'static str,
    unit: &'static str,
    who: &'static str,
    median: f64,
    least: f64,
    most: f64,
    ratio: Option<f64>,
    /// What the ratio is to.
    to: Option<&'static str>,
}

/// All rows, compared. Shown as a table in Markdown.
#[derive(Debug, Serialize)]
#[serde(transparent)]
pub struct Comparison(Vec<Line>);

impl Table {
    /// Adds what one round has given: a value for each unit.
    pub fn add(&mut self, what: &'static str, units: &'static [&'static str], who: &'static str, taken: &[f64]) {
        for (unit, value) in units.iter().zip(taken) {
            let same = |row: &&mut Row| row.what == what && row.unit == *unit && row.who == who;
            match self.rows.iter_mut().find(same) {
                Some(row) => row.values.push(*value),
                None => self.rows.push(Row { what, unit, who, values: vec![*value] }),
            }
        }
    }

    /// Compares each row with the tightest of those in its unit by which `is_bound` says that it is bound.
    pub fn compare(&self, is_bound: impl Fn(&Row, &Row) -> bool) -> Comparison {
        let bounds = |row: &Row, other: &Row| other.unit == row.unit && is_bound(row, other);
        let lines = self.rows.iter().map(|row| {
            let found = self.rows.iter().filter(|other| bounds(row, other));
            let tightest = found.min_by(|one, other| {
                let order = one.median().total_cmp(&other.median());
                if row.is_rate() { order } else { order.reverse() }
            });
            let ratio = tightest.map(|bound| row.median() / bound.median()).filter(|ratio| ratio.is_finite());
            let to = tightest.map(|bound| if bound.what == row.what { bound.who } else { bound.what });
            Line {
                what: row.what,
                unit: row.unit,
                who: row.who,
                median: row.median(),
                least: row.values.iter().copied().fold(f64::INFINITY, f64::min),
                most: row.values.iter().copied().fold(0.0, f64::max),
                ratio,
                to: to.filter(|_| ratio.is_some()),
            }
        });
        Comparison(lines.collect())
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let heading = ["what", "unit", "who", "median", "least to most", "ratio", "to"].map(str::to_owned);
        let rows: Vec<_> = std::iter::once(heading).chain(self.0.iter().map(Line::cells)).collect();
        let widths: [usize; 7] =
            std::array::from_fn(|column| rows.iter().map(|row| row[column].len()).max().unwrap_or_default());
        for (number, row) in rows.iter().enumerate() {
            let cells: Vec<_> = row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
            writeln!(f, "| {} |", cells.join(" | "))?;
            if number == 0 {
                writeln!(f, "|{}|", widths.map(|width| "-".repeat(width + 2)).join("|"))?;
            }
        }
        Ok(())
    }
}

impl Line {
    fn cells(&self) -> [String; 7] {
        [
            self.what.to_owned(),
            self.unit.to_owned(),
            self.who.to_owned(),
            figure(self.median),
            format!("{} to {}", figure(self.least), figure(self.most)),
            self.ratio.map(|ratio| format!("{ratio:.2}")).unwrap_or_default(),
            self.to.unwrap_or_default().to_owned(),
        ]
    }
}

/// A number with as many digits as mean something: `12,503`, `26.7`, `1.94`, `0.119`.
pub fn figure(value: f64) -> String {
    match value {
        value if value >= 100.0 => thousands(value.round() as u64),
        value if value >= 10.0 => format!("{value:.1}"),
        value if value >= 1.0 => format!("{value:.2}"),
        value => format!("{value:.3}"),
    }
}

fn thousands(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_have_as_many_digits_as_mean_something() {
        let shown = [1_234_567.0, 1000.4, 99.94, 1.236, 0.1194].map(figure);
        assert_eq!(shown, ["1,234,567", "1,000", "99.9", "1.24", "0.119"]);
    }

    #[test]
    fn a_row_is_compared_with_the_tightest_of_its_bounds() {
        let mut table = Table::default();
        for values in [[10.0, 4.0], [30.0, 5.0], [20.0, 6.0]] {
            table.add("intake", &["/s", "ms"], "ours", &values);
        }
        table.add("handler", &["/s", "ms"], "ceiling", &[100.0, 2.5]);
        table.add("commit", &["/s"], "ceiling", &[40.0]);
        let shown = table.compare(|row, other| row.who == "ours" && other.who == "ceiling").to_string();
        let rows: Vec<Vec<&str>> = shown.lines().map(|line| line.split('|').map(str::trim).collect()).collect();
        assert_eq!(rows[2], ["", "intake", "/s", "ours", "20.0", "10.0 to 30.0", "0.50", "commit", ""]);
        assert_eq!(rows[3], ["", "intake", "ms", "ours", "5.00", "4.00 to 6.00", "2.00", "handler", ""]);
        assert_eq!(rows[5], ["", "handler", "ms", "ceiling", "2.50", "2.50 to 2.50", "", "", ""]);
    }
}
