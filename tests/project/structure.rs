//! The house rules of the source, which no compiler keeps: who may use whom (the table of layers in docs/design.md), no
//! circle of files, nothing too long, and no comment that cites what readers do not have.

mod names;
mod tokens;

use super::manual::{read, root};
use names::{Arrow, Sources, circles, top_module};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

const MAX_FILE_LINES: usize = 400;
const MAX_FUNCTION_LINES: usize = 100;

static SOURCES: LazyLock<Sources> = LazyLock::new(|| Sources::read(&root()));

/// Fails with all that was found.
fn assert_none(found: Vec<String>, what_to_do: &str) {
    assert!(found.is_empty(), "\n{}\n\n{what_to_do}\n", found.join("\n"));
}

#[test]
fn modules_use_what_the_table_of_layers_allows_and_it_allows_what_they_use() {
    let table = Layers::of(&read("docs/design.md"));
    assert_none(
        table.compare(&SOURCES.arrows(), &top_modules()),
        "The table of layers is in docs/design.md, under `| module | what | may use |`. Mend the source, or the table if \
         the use is meant.",
    );
}

#[test]
fn no_files_are_in_a_circle() {
    let step = |arrow: &Arrow| format!("    {}:{} names {} of {}", arrow.from, arrow.line, arrow.path, arrow.to);
    let circle = |circle: Vec<Arrow>| format!("circle:\n{}", circle.iter().map(step).collect::<Vec<_>>().join("\n"));
    assert_none(
        circles(&SOURCES.arrows()).into_iter().map(circle).collect(),
        "Files that name each other can only be read together. Move what both need into a file below both.",
    );
}

#[test]
fn adapters_and_faces_know_none_of_their_kind_and_intake_knows_no_face() {
    assert_none(
        strangers(&SOURCES.arrows()),
        "What two adapters or two faces share lies below both: in a file of src/adapters, in src/http, src/intake or \
         src/domain.",
    );
}

#[test]
fn files_and_functions_are_short() {
    let mut found = Vec::new();
    for file in files(&root().join("src"), &["rs"]) {
        let lines = read(&file).lines().count();
        if lines > MAX_FILE_LINES {
            found.push(format!("{}: {lines} lines, {MAX_FILE_LINES} at most", shown(&file)));
        }
    }
    for (file, line, name, lines) in &SOURCES.functions {
        if *lines > MAX_FUNCTION_LINES {
            found.push(format!("{file}:{line}: fn {name} has {lines} lines, {MAX_FUNCTION_LINES} at most"));
        }
    }
    assert_none(found, "Look for a seam, and give the second half a name of its own.");
}

#[test]
fn nothing_cites_what_readers_do_not_have() {
    // In two pieces, so that this file does not cite them either.
    let forbidden =
        [("bot-api", ".md"), ("rabbitmq", ".md"), ("fault-tests", ".md"), ("blue", "print"), ("the ", "sources")];
    let mut found = Vec::new();
    for folder in ["src", "docs", "tests", "benches"] {
        for file in files(
            &root().join(folder),
            &["rs", "md", "py", "js", "toml", "html", "with-brokers", "with-clients", "with-s3"],
        ) {
            for (number, line) in read(&file).lines().enumerate() {
                // The project's own manual of that name may be named.
                let line =
                    line.to_lowercase().replace("docs/bot-api", "").replace("(bot-api", "").replace("[bot-api", "");
                let cited = forbidden.iter().filter(|(start, end)| line.contains(&format!("{start}{end}")));
                found.extend(cited.map(|(start, end)| format!("{}:{}: {start}{end}", shown(&file), number + 1)));
            }
        }
    }
    assert_none(
        found,
        "Say the fact itself, and name its public source if it has one, such as the Bot API documentation.",
    );
}

/// The table of layers: of each row, the modules that it is about, and which they may use; nothing if they may use all.
struct Layers(Vec<(Vec<String>, Option<BTreeSet<String>>)>);

impl Layers {
    fn of(document: &str) -> Self {
        let names = |cell: &str| cell.split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>();
        let rows = document.lines().skip_while(|line| !line.starts_with("| module | what | may use |")).skip(2);
        let rows = rows.take_while(|line| line.starts_with('|')).map(|row| {
            let cells: Vec<&str> = row.trim().trim_matches('|').split('|').collect();
            let [modules, _, uses] = cells[..] else { panic!("docs/design.md: not three cells: {row}") };
            let everything = uses.contains("everything");
            (names(modules), (!everything).then(|| names(uses).into_iter().collect()))
        });
        Self(rows.collect())
    }

    /// Says where source and table differ, both ways.
    fn compare(&self, arrows: &BTreeSet<Arrow>, modules: &BTreeSet<String>) -> Vec<String> {
        let mut found = Vec::new();
        let described: BTreeSet<&String> = self.0.iter().flat_map(|(modules, _)| modules).collect();
        found
            .extend(modules.iter().filter(|m| !described.contains(m)).map(|m| format!("the table has no row for {m}")));
        found.extend(
            described
                .iter()
                .filter(|m| !modules.contains(**m))
                .map(|m| format!("the table describes {m}, which is not in src")),
        );
        let mut uses: BTreeMap<(&str, &str), &Arrow> = BTreeMap::new();
        for arrow in arrows.iter().filter(|arrow| arrow.modules().0 != arrow.modules().1) {
            uses.entry(arrow.modules()).or_insert(arrow);
        }
        for (row, allowed) in &self.0 {
            let Some(allowed) = allowed else { continue };
            for ((from, to), arrow) in uses.iter().filter(|((from, _), _)| row.iter().any(|module| module == from)) {
                if !allowed.contains(*to) {
                    found
                        .push(format!("{}:{}: {from} uses {to} ({}), and may not", arrow.from, arrow.line, arrow.path));
                }
            }
            for name in allowed {
                if !row.iter().any(|module| uses.contains_key(&(module.as_str(), name.as_str()))) {
                    found.push(format!("the table lets {} use {name}, and nobody does", row.join(", ")));
                }
            }
        }
        found
    }
}

/// Where an adapter names another one, a face another one, or intake a face or what only faces need.
fn strangers(arrows: &BTreeSet<Arrow>) -> Vec<String> {
    // The part of a folder such as `src/api/` that a file is in, if it is in one.
    let part =
        |file: &str, folder: &str| -> Option<String> { Some(file.strip_prefix(folder)?.split_once('/')?.0.to_owned()) };
    let mut found = Vec::new();
    for arrow in arrows {
        for (folder, kind) in [("src/adapters/", "adapter"), ("src/api/", "face")] {
            if let (Some(from), Some(to)) = (part(&arrow.from, folder), part(&arrow.to, folder))
                && from != to
            {
                found.push(format!("{}:{}: the {kind} {from} names {} of {to}", arrow.from, arrow.line, arrow.path));
            }
        }
        let (from, to) = arrow.modules();
        if from == "intake" && ["api", "http"].contains(&to) {
            found.push(format!("{}:{}: intake names {}", arrow.from, arrow.line, arrow.path));
        }
    }
    found
}

/// The modules right below the root, but for the roots themselves.
fn top_modules() -> BTreeSet<String> {
    let all = files(&root().join("src"), &["rs"]);
    let modules = all.iter().map(|file| top_module(&shown(file)).to_owned());
    modules.filter(|module| !["lib", "main"].contains(&module.as_str())).collect()
}

/// The files below a folder whose names end so, sorted; nothing that was built or installed.
fn files(folder: &Path, endings: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() {
            if !["target", "node_modules", "fixtures"].contains(&name.as_str()) {
                found.extend(files(&path, endings));
            }
        } else if endings.contains(&name.rsplit('.').next().unwrap_or(&name)) {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// A path as it is shown: from the project's folder.
fn shown(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).display().to_string()
}

mod tests {
    use super::*;

    fn arrow(from: &str, path: &str, to: &str) -> Arrow {
        Arrow { from: from.to_owned(), line: 1, path: path.to_owned(), to: to.to_owned() }
    }

    #[test]
    fn the_table_is_compared_both_ways() {
        let document = "# Design\n\n| module | what | may use |\n|---|---|---|\n| `a` | x | |\n\
                        | `b`, `c` | y | `a`, `z` |\n| `top` | `all` | everything |\n\nmore\n| `n` | | |\n";
        let modules = ["a", "b", "c", "top", "new"].map(str::to_owned).into();
        let arrows = [
            arrow("src/a/x.rs", "b::B", "src/b.rs"),
            arrow("src/a/x.rs", "a::y::Y", "src/a/y.rs"),
            arrow("src/b.rs", "a::x::X", "src/a/x.rs"),
            arrow("src/top.rs", "c::C", "src/c.rs"),
        ];
        let found = Layers::of(document).compare(&arrows.into(), &modules);
        assert_eq!(
            found,
            [
                "the table has no row for new",
                "src/a/x.rs:1: a uses b (b::B), and may not",
                "the table lets b, c use z, and nobody does",
            ]
        );
    }

    #[test]
    fn strangers_are_found() {
        let arrows = [
            arrow("src/adapters/one/x.rs", "adapters::two::T", "src/adapters/two/mod.rs"),
            arrow("src/adapters/one/x.rs", "adapters::http::H", "src/adapters/http.rs"),
            arrow("src/adapters/router.rs", "adapters::one::O", "src/adapters/one/mod.rs"),
            arrow("src/api/native/x.rs", "api::native::Y", "src/api/native/y.rs"),
            arrow("src/api/native/x.rs", "api::bot_api::B", "src/api/bot_api/mod.rs"),
            arrow("src/intake/x.rs", "http::H", "src/http/mod.rs"),
            arrow("src/intake/x.rs", "domain::D", "src/domain/mod.rs"),
        ];
        let found = strangers(&arrows.into());
        assert_eq!(found.len(), 3, "{found:#?}");
        assert!(found[0].contains("adapter one") && found[1].contains("face native") && found[2].contains("intake"));
    }
}
