//! Which file of a crate names what of which other file.

use super::tokens::{Token, end_of_item, program};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// The files of a crate that are part of the program, found from its root by their `mod` lines.
#[derive(Default)]
pub struct Sources {
    modules: BTreeMap<Module, Contents>,
    /// The functions: file, line, name, lines.
    pub functions: Vec<(String, usize, String, usize)>,
}

/// The path of a module in the crate; the root has none.
type Module = Vec<String>;

#[derive(Default)]
struct Contents {
    file: String,
    children: BTreeSet<String>,
    imports: BTreeMap<String, Vec<String>>,
    globs: Vec<Vec<String>>,
    /// Every path that stands in it.
    paths: Vec<Named>,
}

struct Named {
    path: Vec<String>,
    line: usize,
    glob: bool,
}

/// That a file names something of another file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Arrow {
    pub from: String,
    pub line: usize,
    /// The whole path, from the crate's root.
    pub path: String,
    pub to: String,
}

impl Arrow {
    /// The modules right below the root that it goes from and to.
    pub fn modules(&self) -> (&str, &str) {
        (top_module(&self.from), self.path.split("::").next().unwrap_or_default())
    }
}

/// The name of the module right below the root that a file belongs to.
pub fn top_module(file: &str) -> &str {
    let rest = file.strip_prefix("src/").unwrap_or(file);
    rest.split('/').next().unwrap_or(rest).trim_end_matches(".rs")
}

impl Sources {
    /// Those of a folder that holds `src/lib.rs`.
    pub fn read(root: &Path) -> Self {
        Self::load(|file| std::fs::read_to_string(root.join(file)).ok())
    }

    /// Those of a crate whose files are told by name, such as `src/lib.rs`.
    pub fn load(read: impl Fn(&str) -> Option<String>) -> Self {
        let mut sources = Self::default();
        let root = read("src/lib.rs").expect("a crate has src/lib.rs");
        sources.add_file(&read, "src/lib.rs", Vec::new(), &root);
        sources
    }

    fn add_file(&mut self, read: &impl Fn(&str) -> Option<String>, file: &str, module: Module, source: &str) {
        let tokens = program(source);
        self.note_functions(file, &tokens);
        for child in self.add_module(file, module.clone(), &tokens) {
            // A module of a file is in a folder of its name, but for lib.rs and mod.rs.
            let folder = match file.rsplit_once('/') {
                Some((folder, "mod.rs" | "lib.rs")) => folder.to_owned(),
                _ => file.trim_end_matches(".rs").to_owned(),
            };
            let inline = &child[module.len()..child.len() - 1];
            let folder = inline.iter().fold(folder, |folder, name| format!("{folder}/{name}"));
            let name = child.last().expect("a child has a name");
            let places = [format!("{folder}/{name}.rs"), format!("{folder}/{name}/mod.rs")];
            let found = places.iter().find_map(|place| Some((place, read(place)?)));
            let (place, source) = found.unwrap_or_else(|| panic!("{file} declares mod {name}: there is no {places:?}"));
            self.add_file(read, place, child, &source);
        }
    }

    /// Notes what a module holds, and those inside of it; returns the modules that are in files of their own.
    fn add_module(&mut self, file: &str, module: Module, tokens: &[Token]) -> Vec<Module> {
        let mut contents = Contents { file: file.to_owned(), ..Contents::default() };
        let (mut outside, mut at) = (Vec::new(), 0);
        let text = |at: usize| tokens.get(at).map_or("", |token| token.text.as_str());
        while at < tokens.len() {
            let line = tokens[at].line;
            match text(at) {
                "mod" if is_name(text(at + 1)) && [";", "{"].contains(&text(at + 2)) => {
                    let child: Module = module.iter().cloned().chain([text(at + 1).to_owned()]).collect();
                    contents.children.insert(text(at + 1).to_owned());
                    let end = end_of_item(tokens, at);
                    if text(at + 2) == ";" {
                        outside.push(child);
                    } else {
                        outside.extend(self.add_module(file, child, &tokens[at + 3..end - 1]));
                    }
                    at = end;
                }
                "use" if text(at + 1) != "<" => {
                    at += 1;
                    use_tree(tokens, &mut at, Vec::new(), &mut |path, name, line| {
                        let path: Vec<String> = path.to_vec();
                        match name {
                            Some(name) => _ = contents.imports.insert(name, path.clone()),
                            None => contents.globs.push(path.clone()),
                        }
                        let glob = contents.globs.last() == Some(&path);
                        contents.paths.push(Named { path, line, glob });
                    });
                }
                name if is_name(name) && text(at + 1) == "::" => {
                    let mut path = vec![name.to_owned()];
                    while text(at + 1) == "::" && is_name(text(at + 2)) {
                        path.push(text(at + 2).to_owned());
                        at += 2;
                    }
                    contents.paths.push(Named { path, line, glob: false });
                    at += 1;
                }
                _ => at += 1,
            }
        }
        self.modules.insert(module, contents);
        outside
    }

    fn note_functions(&mut self, file: &str, tokens: &[Token]) {
        for (at, pair) in
            tokens.windows(2).enumerate().filter(|(_, pair)| pair[0].text == "fn" && is_name(&pair[1].text))
        {
            let last = &tokens[end_of_item(tokens, at) - 1];
            let lines = last.line + 1 - pair[0].line;
            self.functions.push((file.to_owned(), pair[0].line, pair[1].text.clone(), lines));
        }
    }

    /// Where every file names something of another one. A module itself (an import, `pub(in ...)`) is not yet something.
    pub fn arrows(&self) -> BTreeSet<Arrow> {
        let mut arrows = BTreeSet::new();
        for (module, contents) in &self.modules {
            for named in &contents.paths {
                let Some(found) = self.resolve(module, &named.path, 0) else { continue };
                let to = &self.modules[&found.module].file;
                let module_only = !named.glob && !found.item;
                if to != &contents.file && !module_only {
                    let (from, to, path) = (contents.file.clone(), to.clone(), found.path.join("::"));
                    arrows.insert(Arrow { from, line: named.line, path, to });
                }
            }
        }
        arrows
    }

    /// What a path in a module means; nothing if it leads out of the crate. Re-exports are followed.
    fn resolve(&self, module: &Module, path: &[String], depth: usize) -> Option<Found> {
        let (first, rest) = path.split_first()?;
        match first.as_str() {
            "crate" => self.walk(Vec::new(), rest, depth),
            "self" => self.walk(module.clone(), rest, depth),
            "super" => {
                let (mut module, mut rest) = (module.clone(), path);
                while let Some(("super", others)) = rest.split_first().map(|(first, others)| (first.as_str(), others)) {
                    module.pop()?;
                    rest = others;
                }
                self.walk(module, rest, depth)
            }
            name => {
                let contents = &self.modules[module];
                if contents.children.contains(name) {
                    return self.walk(module.clone(), path, depth);
                }
                let import = contents.imports.get(name).filter(|import| import.as_slice() != path)?;
                let whole: Vec<String> = import.iter().chain(rest).cloned().collect();
                if depth > 8 { None } else { self.resolve(module, &whole, depth + 1) }
            }
        }
    }

    /// Goes from a module down a path, as far as there are modules, and then through a re-export if one is there.
    fn walk(&self, mut module: Module, mut path: &[String], depth: usize) -> Option<Found> {
        while let Some((name, rest)) = path.split_first() {
            let contents = &self.modules[&module];
            if !contents.children.contains(name) {
                let whole = |import: &Vec<String>| -> Vec<String> { import.iter().chain(rest).cloned().collect() };
                let import = contents.imports.get(name).filter(|_| depth <= 8);
                let followed = import.and_then(|import| self.resolve(&module, &whole(import), depth + 1));
                let item = module.iter().chain([name]).cloned().collect();
                return Some(followed.unwrap_or(Found { path: item, module, item: true }));
            }
            module.push(name.clone());
            path = rest;
        }
        Some(Found { path: module.clone(), module, item: false })
    }
}

/// The module that a path leads to, and whether it goes on to something in it.
struct Found {
    module: Module,
    path: Vec<String>,
    item: bool,
}

fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

/// Reads what stands behind `use`, up to its end; tells every path with the name that it gives here, `*` has none.
fn use_tree(
    tokens: &[Token],
    at: &mut usize,
    prefix: Vec<String>,
    tell: &mut impl FnMut(&[String], Option<String>, usize),
) {
    let (mut path, mut alias) = (prefix, None);
    let line = tokens.get(*at).map_or(0, |token| token.line);
    while let Some(token) = tokens.get(*at) {
        *at += 1;
        match token.text.as_str() {
            "::" => {}
            "*" => {
                tell(&path, None, line);
                return;
            }
            "{" => {
                while tokens.get(*at).is_some_and(|token| token.text != "}") {
                    use_tree(tokens, at, path.clone(), tell);
                    if tokens.get(*at).is_some_and(|token| token.text == ",") {
                        *at += 1;
                    }
                }
                *at += 1;
                return;
            }
            "as" => {
                alias = tokens.get(*at).map(|token| token.text.clone());
                *at += 1;
            }
            name if is_name(name) => {
                if name != "self" || path.is_empty() {
                    path.push(name.to_owned());
                }
            }
            _ => {
                *at -= 1;
                break;
            }
        }
    }
    if let Some(name) = alias.or_else(|| path.last().cloned()) {
        tell(&path, Some(name), line);
    }
}

/// A circle of files, as the arrows that make it; the shortest one that each file is in, each once.
pub fn circles(arrows: &BTreeSet<Arrow>) -> Vec<Vec<Arrow>> {
    let mut out: BTreeMap<&str, Vec<&Arrow>> = BTreeMap::new();
    arrows.iter().for_each(|arrow| out.entry(&arrow.from).or_default().push(arrow));
    let mut found: BTreeMap<BTreeSet<String>, Vec<Arrow>> = BTreeMap::new();
    for start in out.keys() {
        // Breadth first: by which arrow each file was reached.
        let (mut reached, mut queue) = (BTreeMap::<&str, &Arrow>::new(), std::collections::VecDeque::from([*start]));
        while let Some(file) = queue.pop_front() {
            for arrow in out.get(file).into_iter().flatten() {
                if !reached.contains_key(arrow.to.as_str()) {
                    reached.insert(&arrow.to, arrow);
                    queue.push_back(&arrow.to);
                }
            }
        }
        if let Some(mut arrow) = reached.get(start).copied() {
            let mut circle = vec![arrow.clone()];
            while arrow.from != **start {
                arrow = reached[arrow.from.as_str()];
                circle.push(arrow.clone());
            }
            circle.reverse();
            let files = circle.iter().map(|arrow| arrow.from.clone()).collect();
            found.entry(files).or_insert(circle);
        }
    }
    found.into_values().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arrows(files: &[(&str, &str)]) -> Vec<(String, usize, String, String)> {
        let read = |file: &str| files.iter().find(|(name, _)| *name == file).map(|(_, source)| (*source).to_owned());
        let arrows = Sources::load(read).arrows();
        arrows.into_iter().map(|arrow| (arrow.from, arrow.line, arrow.path, arrow.to)).collect()
    }

    fn arrow(from: &str, line: usize, path: &str, to: &str) -> (String, usize, String, String) {
        (from.to_owned(), line, path.to_owned(), to.to_owned())
    }

    #[test]
    fn every_form_of_a_name_is_found() {
        let found = arrows(&[
            ("src/lib.rs", "pub mod a;\nmod b;\nmod c { pub struct Inline; }"),
            ("src/a/mod.rs", "mod deep;\npub use deep::Deep;\nuse crate::b as other;\nfn x() { other::f(); }"),
            (
                "src/a/deep.rs",
                "use super::super::b::{self, g as h, inner::{I, *}};\npub struct Deep;\nfn x() { std::f(); b::f() }",
            ),
            ("src/b.rs", "use crate::c::Inline;\npub mod inner;\npub fn f() -> crate::a::Deep {}\nuse time::Duration;"),
            ("src/b/inner.rs", "//! crate::a::Deep\npub struct I;\n#[cfg(test)]\nmod tests { use crate::a::Deep; }"),
        ]);
        let expected = [
            arrow("src/a/deep.rs", 1, "b::g", "src/b.rs"),
            arrow("src/a/deep.rs", 1, "b::inner", "src/b/inner.rs"),
            arrow("src/a/deep.rs", 1, "b::inner::I", "src/b/inner.rs"),
            arrow("src/a/deep.rs", 3, "b::f", "src/b.rs"),
            arrow("src/a/mod.rs", 2, "a::deep::Deep", "src/a/deep.rs"),
            arrow("src/a/mod.rs", 4, "b::f", "src/b.rs"),
            arrow("src/b.rs", 1, "c::Inline", "src/lib.rs"),
            arrow("src/b.rs", 3, "a::deep::Deep", "src/a/deep.rs"),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn a_circle_is_found_also_through_others_and_not_where_there_is_none() {
        let load = |c: &str| {
            let sources = [
                ("src/lib.rs", "mod a;\nmod b;\nmod c;"),
                ("src/a.rs", "use crate::b::B;\npub struct A;"),
                ("src/b.rs", "\nuse crate::c::C;\npub struct B;"),
                ("src/c.rs", c),
            ];
            circles(
                &Sources::load(|file| sources.iter().find(|(n, _)| *n == file).map(|(_, s)| (*s).to_owned())).arrows(),
            )
        };
        assert!(load("pub struct C;").is_empty());
        let found = load("pub struct C(crate::a::A);");
        let steps: Vec<_> = found.iter().flatten().map(|arrow| (arrow.from.as_str(), arrow.line)).collect();
        assert_eq!(steps, [("src/a.rs", 1), ("src/b.rs", 2), ("src/c.rs", 1)]);
    }

    #[test]
    fn functions_are_measured_with_their_signature() {
        let source = "fn a() {}\ntrait T { fn b(&self) -> [u8; 4]; }\nfn c(\n    x: fn(u8),\n) {\n    if x {}\n}";
        let sources = Sources::load(|file| (file == "src/lib.rs").then(|| source.to_owned()));
        let measured: Vec<_> =
            sources.functions.iter().map(|(_, line, name, lines)| (*line, name.as_str(), *lines)).collect();
        assert_eq!(measured, [(1, "a", 1), (2, "b", 1), (3, "c", 5)]);
    }
}
