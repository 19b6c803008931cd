//! What is written about the program and shipped beside it, compared with the program.

use pixcourier::intake::rejection::ProblemCode;
use pixcourier::settings::{Flags, KEYS, load};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The project's folder.
pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// A text file of the project.
pub fn read(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn the_readme_has_the_table_of_all_keys() {
    let mut table = String::from("| Variable, and key in lower case | Default | Meaning |\n|---|---|---|\n");
    for key in KEYS {
        let default = if key.default.is_empty() { String::new() } else { format!("`{}`", key.default) };
        table += &format!("| `{}` | {default} | {} |\n", key.variable(), key.meaning);
    }
    assert!(read("README.md").contains(&table), "README.md lacks this table:\n{table}");
}

#[test]
fn the_manual_explains_every_metric() {
    let (source, manual) = (read("src/telemetry/metrics.rs"), read("docs/operation.md"));
    let names: Vec<&str> = source
        .split('"')
        .skip(1)
        .step_by(2)
        .filter(|text| text.contains('_') && text.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'))
        .collect();
    assert!(names.len() >= 18, "{names:?}");
    for name in names {
        assert!(manual.contains(&format!("| `pixcourier_{name}` |")), "docs/operation.md lacks pixcourier_{name}");
    }
}

#[test]
fn the_manual_explains_every_problem_code() {
    let manual = read("docs/errors.md");
    for code in ProblemCode::ALL {
        let row = format!("| `{}` | {} | {} | ", code.as_str(), code.status(), code.title());
        assert!(manual.contains(&row), "docs/errors.md lacks {row:?}");
    }
    let rows = manual.split("## How").next().unwrap().matches("\n| `").count();
    assert_eq!(rows, ProblemCode::ALL.len(), "docs/errors.md explains codes that are not there");
}

#[test]
fn the_example_settings_of_the_deployment_are_valid() {
    let env = BTreeMap::from([
        ("PIXCOURIER_BOT_TOKEN".to_owned(), "123456:ABC-DEF1234ghIkl-zyx57W2v1u123ew11".to_owned()),
        ("PIXCOURIER_API_KEYS".to_owned(), "an-example-of-a-key".to_owned()),
    ]);
    let file = read("deploy/pixcourier.toml");
    load(Some(&file), &env, &Flags::default()).unwrap_or_else(|problems| panic!("{problems:#?}"));
}

#[test]
fn dashboards_and_alerts_use_only_metrics_that_exist() {
    let source = read("src/telemetry/metrics.rs");
    let mut seen = 0;
    for entry in std::fs::read_dir(root().join("deploy")).unwrap() {
        let path = entry.unwrap().path();
        let text = read(&path);
        for (at, _) in text.match_indices("pixcourier_") {
            let rest = &text[at + "pixcourier_".len()..];
            let name: &str = rest.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).next().unwrap();
            let base =
                ["_bucket", "_sum", "_count"].iter().find_map(|suffix| name.strip_suffix(suffix)).unwrap_or(name);
            assert!(source.contains(&format!("\"{base}\"")), "{}: no metric pixcourier_{name}", path.display());
            seen += 1;
        }
    }
    assert!(seen > 20, "deploy/ names {seen} metrics");
}

#[test]
fn the_design_names_only_files_that_are_there() {
    let design = read("docs/design.md");
    let missing: Vec<&str> = design
        .split('`')
        .skip(1)
        .step_by(2)
        .filter(|name| name.ends_with(".rs"))
        .filter(|name| {
            let mut folders = vec![root().join("src"), root()];
            // Within a row a bare name stands for a file beside the one that was named with its folder.
            while let Some(folder) = folders.pop() {
                if folder.join(name).is_file() {
                    return false;
                }
                let inside = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
                folders.extend(inside.filter(|path| path.is_dir() && path.starts_with(root().join("src"))));
            }
            true
        })
        .collect();
    assert!(missing.is_empty(), "docs/design.md names files that are not there: {missing:?}");
}
