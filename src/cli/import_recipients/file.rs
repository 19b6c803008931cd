//! A file of recipients: CSV with a header, or JSON lines.

use crate::domain::Recipient;
use crate::intake::members::Members;
use crate::intake::recipients::entry;
use crate::intake::rejection::Rejection;
use serde_json::Value;
use std::collections::HashMap;
use std::fmt;
use std::io::{BufRead, ErrorKind};

/// What is wrong with a line.
#[derive(Debug, PartialEq, Eq)]
pub struct Fault {
    line: usize,
    what: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.what)
    }
}

/// Reads every entry with the number of its line, or everything that is wrong with the file. Empty lines do not matter.
pub fn read(file: impl BufRead) -> Result<Vec<(usize, Recipient)>, Vec<Fault>> {
    let (mut entries, mut faults) = (Vec::new(), Vec::new());
    let (mut header, mut places) = (None, HashMap::new());
    for (line, text) in (1..).zip(file.lines()) {
        // A line that is no UTF-8 is passed over like any other; a disk that fails would fail for ever.
        let broken = text.as_ref().is_err_and(|error| error.kind() != ErrorKind::InvalidData);
        let read = text.map_err(|error| error.to_string()).and_then(|text| line_of(&text, &mut header));
        match read {
            Ok(None) => {}
            Ok(Some(recipient)) => {
                let address = (recipient.bot.clone(), recipient.address.clone());
                if let Some(first) = places.insert(address, line) {
                    faults.push(Fault { line, what: format!("the same recipient as in line {first}") });
                }
                entries.push((line, recipient));
            }
            Err(what) => {
                faults.push(Fault { line, what });
                // Without its header nothing more can be said about a table.
                if header.is_none() || broken {
                    break;
                }
            }
        }
    }
    if faults.is_empty() { Ok(entries) } else { Err(faults) }
}

/// What the lines are.
enum Header {
    Json,
    Table { columns: Vec<String>, separator: char },
}

fn line_of(text: &str, header: &mut Option<Header>) -> Result<Option<Recipient>, String> {
    let text = text.trim_start_matches('\u{feff}').trim_end_matches('\r');
    if text.trim().is_empty() {
        return Ok(None);
    }
    let members = match header {
        None if text.trim_start().starts_with('{') => {
            *header = Some(Header::Json);
            return line_of(text, header);
        }
        None => {
            *header = Some(table(text)?);
            return Ok(None);
        }
        Some(Header::Json) => serde_json::from_str(text).map_err(|error| format!("not a JSON object: {error}"))?,
        Some(Header::Table { columns, separator }) => {
            let cells = cells(text, *separator)?;
            if cells.len() != columns.len() {
                return Err(format!("{} columns, the first line names {}", cells.len(), columns.len()));
            }
            let filled = columns.iter().cloned().zip(cells).filter(|(_, cell)| !cell.is_empty());
            Members(filled.map(|(name, cell)| (name, Value::String(cell))).collect())
        }
    };
    entry(members, |_| true).map(Some).map_err(|Rejection { field, detail, .. }| match field {
        Some(field) => format!("{field}: {detail}"),
        None => detail,
    })
}

fn table(text: &str) -> Result<Header, String> {
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
    Ok(Header::Table { columns, separator })
}

/// The cells of a line (RFC 4180, but for line breaks in cells), without white space round them.
fn cells(text: &str, separator: char) -> Result<Vec<String>, String> {
    let (mut cells, mut rest) = (Vec::new(), text);
    loop {
        rest = rest.trim_start();
        let after = if let Some(quoted) = rest.strip_prefix('"') {
            let (mut cell, mut inside) = (String::new(), quoted);
            loop {
                let (part, after) = inside.split_once('"').ok_or("a quotation mark is not closed")?;
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
            None => return Err("there is something behind a closing quotation mark".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Address, ChatId};

    fn faults(file: &str) -> Vec<String> {
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
    fn every_fault_is_told_with_its_line() {
        let found = faults(
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
        let found = faults("{\"number\":\"491701\",\"chat_id\":1}\n[]\n{\"numbr\":\"\"}\n");
        assert!(found[0].starts_with("line 2: not a JSON object"), "{found:?}");
        assert!(found[1].starts_with("line 3: numbr: "), "{found:?}");
    }

    #[test]
    fn a_table_without_its_header_is_one_fault() {
        let found = faults("491701234567,987\n491701234568,988\n");
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].contains("the first line names the columns"), "{found:?}");
        assert!(faults("number,number\n")[0].contains("twice"));
        assert_eq!(read(&b"number,chat_id\n491701234567,1\n\xff\n"[..]).unwrap_err().len(), 1);
    }
}
