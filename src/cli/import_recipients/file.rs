//! A file of recipients: CSV with a header, or JSON lines.
//!
//! The cells are read by our own code and not by the `csv` crate, which takes what is no CSV without a word: a cell `"8"9`
//! as 89, which is another chat, and a quotation mark that is never closed as a cell that holds the rest of the file.

use crate::domain::Recipient;
use crate::intake::members::Members;
use crate::intake::recipients::entry;
use crate::intake::rejection::Rejection;
use serde_json::Value;
use std::collections::HashMap;
use std::fmt;
use std::str::Utf8Error;

const NOT_CLOSED: &str = "a quotation mark is not closed";

/// What is wrong with a line.
#[derive(Debug, PartialEq, Eq)]
pub struct LineError {
    line: usize,
    what: String,
}

impl fmt::Display for LineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.what)
    }
}

/// A line of the file, which may be no UTF-8.
type Line<'a> = Result<&'a str, Utf8Error>;

/// Reads every entry with the number of its first line, or everything that is wrong with the file. Empty lines do not
/// matter.
pub fn read(file: &[u8]) -> Result<Vec<(usize, Recipient)>, Vec<LineError>> {
    let lines: Vec<Line> = file.split(|byte| *byte == b'\n').map(str::from_utf8).collect();
    let (mut entries, mut errors) = (Vec::new(), Vec::new());
    let (mut format, mut places) = (None, HashMap::new());
    let mut next = 0;
    while let Some((first, following)) = lines[next..].split_first() {
        let line = next + 1;
        let (count, read) = match first {
            Ok(text) => read_entry(plain(text), following, &mut format),
            Err(_) => (1, Err("stream did not contain valid UTF-8".to_owned())),
        };
        next += count;
        match read {
            Ok(None) => {}
            Ok(Some(recipient)) => {
                let address = (recipient.bot.clone(), recipient.address.clone());
                if let Some(first) = places.insert(address, line) {
                    errors.push(LineError { line, what: format!("the same recipient as in line {first}") });
                }
                entries.push((line, recipient));
            }
            Err(what) => {
                errors.push(LineError { line, what });
                // Without its header nothing more can be said about a table.
                if format.is_none() {
                    break;
                }
            }
        }
    }
    if errors.is_empty() { Ok(entries) } else { Err(errors) }
}

/// What the lines are.
enum FileFormat {
    JsonLines,
    Table { columns: Vec<String>, separator: char },
}

/// Reads what begins in a line, and tells how many lines it takes.
fn read_entry(
    text: &str,
    following: &[Line],
    format: &mut Option<FileFormat>,
) -> (usize, Result<Option<Recipient>, String>) {
    if text.trim().is_empty() {
        return (1, Ok(None));
    }
    if format.is_none() && text.trim_start().starts_with('{') {
        *format = Some(FileFormat::JsonLines);
    }
    match format {
        None => (1, table(text).map(|table| *format = Some(table)).map(|()| None)),
        Some(FileFormat::JsonLines) => {
            let members = serde_json::from_str(text).map_err(|error| format!("not a JSON object: {error}"));
            (1, members.and_then(recipient))
        }
        Some(FileFormat::Table { columns, separator }) => {
            let (count, cells) = row(text, following, *separator);
            (count, cells.and_then(|cells| named(columns, cells)).and_then(recipient))
        }
    }
}

fn named(columns: &[String], cells: Vec<String>) -> Result<Members, String> {
    if cells.len() != columns.len() {
        return Err(format!("{} columns, the first line names {}", cells.len(), columns.len()));
    }
    let filled = columns.iter().cloned().zip(cells).filter(|(_, cell)| !cell.is_empty());
    Ok(Members(filled.map(|(name, cell)| (name, Value::String(cell))).collect()))
}

fn recipient(members: Members) -> Result<Option<Recipient>, String> {
    entry(members, |_| true).map(Some).map_err(|Rejection { field, detail, .. }| match field {
        Some(field) => format!("{field}: {detail}"),
        None => detail,
    })
}

/// A line without what does not belong to its text.
fn plain(line: &str) -> &str {
    line.trim_start_matches('\u{feff}').trim_end_matches('\r')
}

fn table(text: &str) -> Result<FileFormat, String> {
    const KNOWN: [&str; 6] = ["number", "chat_id", "name", "group_name", "group_admin", "bot"];
    let separator = if text.contains(';') && !text.contains(',') { ';' } else { ',' };
    let columns = cells(text, separator)?;
    for (place, column) in columns.iter().enumerate() {
        if !KNOWN.contains(&column.as_str()) {
            let known = KNOWN.join(", ");
            return Err(format!("the first line names the columns, of which there are {known}; not {column:?}"));
        }
        if columns[..place].contains(column) {
            return Err(format!("the column {column} is there twice"));
        }
    }
    Ok(FileFormat::Table { columns, separator })
}

/// The cells of a row, and how many lines it takes: a cell in quotation marks may have several. If nothing closes the
/// quotation marks, the first line alone is to blame, and what follows is read as rows of its own.
fn row(text: &str, following: &[Line], separator: char) -> (usize, Result<Vec<String>, String>) {
    let mut read = cells(text, separator);
    let mut whole = text.to_owned();
    for (count, line) in (2..).zip(following) {
        let (Err(NOT_CLOSED), Ok(line)) = (&read, line) else { break };
        whole.push('\n');
        whole.push_str(plain(line));
        if line.contains('"') {
            read = cells(&whole, separator);
            if read.is_ok() {
                return (count, read.map_err(str::to_owned));
            }
        }
    }
    (1, cells(text, separator).map_err(str::to_owned))
}

/// The cells of a text (RFC 4180), without white space round them.
fn cells(text: &str, separator: char) -> Result<Vec<String>, &'static str> {
    let (mut cells, mut rest) = (Vec::new(), text);
    loop {
        rest = rest.trim_start();
        let after = if let Some(quoted) = rest.strip_prefix('"') {
            let (mut cell, mut inside) = (String::new(), quoted);
            loop {
                let (part, after) = inside.split_once('"').ok_or(NOT_CLOSED)?;
                cell.push_str(part);
                match after.strip_prefix('"') {
                    Some(more) => {
                        cell.push('"');
                        inside = more;
                    }
                    None => {
                        inside = after;
                        break;
                    }
                }
            }
            cells.push(cell);
            inside.trim_start()
        } else {
            let end = rest.find(separator).unwrap_or(rest.len());
            cells.push(rest[..end].trim_end().to_owned());
            &rest[end..]
        };
        match after.strip_prefix(separator) {
            Some(more) => rest = more,
            None if after.is_empty() => return Ok(cells),
            None => return Err("there is something behind a closing quotation mark"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Address, ChatId};

    fn errors(file: &str) -> Vec<String> {
        read(file.as_bytes()).unwrap_err().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn tables_and_json_lines_come_to_the_same() {
        let table = "\u{feff}number,chat_id,name,group_name,group_admin\r\n\
                     +49 170 1234567,987,\"Lovelace, \"\"Ada\"\"\",,\r\n\r\n\
                     ,-100,,Night shift,491701234567\r\n";
        let lines = "{\"number\":\"491701234567\",\"chat_id\":987,\"name\":\"Lovelace, \\\"Ada\\\"\"}\n\
                     {\"group_name\":\"Night shift\",\"group_admin\":\"491701234567\",\"chat_id\":\"-100\"}\n";
        for (file, second) in [(table, 4), (lines, 2)] {
            let entries = read(file.as_bytes()).unwrap();
            let [(_, person), (line, group)] = entries.as_slice() else { panic!("{entries:?}") };
            assert_eq!(person.name.as_deref(), Some("Lovelace, \"Ada\""));
            assert_eq!(person.address.key(), "n:491701234567");
            assert_eq!((*line, &group.chat_id), (second, &ChatId::Id(-100)));
            assert!(matches!(group.address, Address::Group { .. }));
        }
        assert_eq!(read("number;chat_id\n491701234567;5".as_bytes()).unwrap().len(), 1);
        assert!(read("".as_bytes()).unwrap().is_empty());
    }

    #[test]
    fn a_cell_may_have_several_lines_and_those_behind_it_keep_their_numbers() {
        let file =
            "number,name,chat_id\r\n491701,\"Ada\r\n\r\nL, \"\"the first\"\"\",1\r\n491702,\"B\nC\",2\n491703,,3\n";
        let entries = read(file.as_bytes()).unwrap();
        let found: Vec<_> = entries.iter().map(|(line, entry)| (*line, entry.name.as_deref())).collect();
        assert_eq!(found, [(2, Some("Ada\n\nL, \"the first\"")), (5, Some("B\nC")), (7, None)]);
        let found = errors("number,name,chat_id\n491701,\"Ada\nL\",0\n491702,\"B\nC\",2,\n491703,\"D\n491704,x,\n");
        let expected =
            ["line 2: chat_id: ", "line 4: 4 columns", "line 6: a quotation mark is not", "line 7: chat_id: "];
        assert_eq!(found.len(), expected.len(), "{found:#?}");
        assert!(found.iter().zip(expected).all(|(found, expected)| found.starts_with(expected)), "{found:#?}");
    }

    #[test]
    fn every_error_is_told_with_its_line() {
        let found = errors(
            "number,chat_id\n0170,1\n491701,\n491702,2,3\n491703,\"4\n491704,5\n491704,6\n4.9E+11,7\n491705,\"8\"9\n",
        );
        let expected = [
            "line 2: number: a phone number has 5 to 15 digits",
            "line 3: chat_id: chat_id is missing",
            "line 4: 3 columns, the first line names 2",
            "line 5: a quotation mark is not closed",
            "line 7: the same recipient as in line 6",
            "line 8: number: ",
            "line 9: there is something behind",
        ];
        assert_eq!(found.len(), expected.len(), "{found:#?}");
        for (found, expected) in found.iter().zip(expected) {
            assert!(found.starts_with(expected), "{found}");
        }
        let found = errors("{\"number\":\"491701\",\"chat_id\":1}\n[]\n{\"numbr\":\"\"}\n");
        assert!(found[0].starts_with("line 2: not a JSON object"), "{found:?}");
        assert!(found[1].starts_with("line 3: numbr: "), "{found:?}");
    }

    #[test]
    fn a_table_without_its_header_is_one_error() {
        let found = errors("491701234567,987\n491701234568,988\n");
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].contains("the first line names the columns"), "{found:?}");
        assert!(errors("number,number\n")[0].contains("twice"));
        assert_eq!(read(&b"number,chat_id\n491701234567,1\n\xff\n"[..]).unwrap_err().len(), 1);
    }
}
