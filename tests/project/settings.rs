//! The configuration: every key documented, every mistake told precisely, no secret repeated.

use crate::project::manual::{read, root};
use pixcourier::settings::{BOT_KEYS, CLIENT_KEYS, DEFAULTS, Flags, KEYS, Masking, load, show};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// A fixture: a configuration file whose comments say under which variables and flags it is read and what to expect.
struct Case {
    name: String,
    file: String,
    env: BTreeMap<String, String>,
    flags: Flags,
    expected: Vec<String>,
}

fn cases(folder: &str) -> Vec<Case> {
    let files = std::fs::read_dir(root().join("tests/fixtures/config").join(folder)).expect("fixtures");
    let cases: Vec<Case> = files.map(|entry| case(&entry.expect("a file").path())).collect();
    assert!(cases.len() > 3, "{folder} holds {} cases", cases.len());
    cases
}

fn case(path: &Path) -> Case {
    let file = read(path);
    let noted = |what: &str| -> Vec<String> {
        file.lines().filter_map(|line| line.strip_prefix(&format!("# {what}: "))).map(str::to_owned).collect()
    };
    let pair = |text: String| {
        let (name, value) = text.split_once('=').expect("NAME=VALUE");
        (name.to_owned(), value.to_owned())
    };
    Case {
        name: path.display().to_string(),
        env: noted("env").into_iter().map(pair).collect(),
        flags: Flags { listen: noted("flag").into_iter().map(pair).map(|(_, value)| value).next() },
        expected: noted("expect"),
        file,
    }
}

/// Every text of a fixture that must never be seen again.
fn secrets(case: &Case) -> Vec<&str> {
    ["ABC-DEF1234", "hunter2", "password@", "minioadmin", "0123456789abcdef"]
        .into_iter()
        .filter(|secret| case.file.contains(secret))
        .collect()
}

#[test]
fn valid_files_come_to_what_they_say_and_show_no_secret() {
    for case in cases("valid") {
        let shown = show(Some(&case.file), &case.env, &case.flags).unwrap_or_else(|e| panic!("{}: {e:#?}", case.name));
        assert!(!case.expected.is_empty(), "{} expects nothing", case.name);
        for line in &case.expected {
            assert!(shown.lines().any(|shown| shown == line), "{}: no {line:?} in\n{shown}", case.name);
        }
        let settings = load(Some(&case.file), &case.env, &case.flags).unwrap();
        for secret in secrets(&case) {
            assert!(!shown.contains(secret), "{}: {shown}", case.name);
            assert!(!format!("{settings:?}").contains(secret), "{}: {settings:?}", case.name);
        }
    }
}

#[test]
fn invalid_files_name_every_problem_at_once_and_repeat_no_secret() {
    for case in cases("invalid") {
        let problems = load(Some(&case.file), &case.env, &case.flags).expect_err(&case.name);
        let found: Vec<String> = problems.iter().map(ToString::to_string).collect();
        assert_eq!(found, case.expected, "{}", case.name);
        for secret in secrets(&case) {
            assert!(!found.concat().contains(secret), "{}", case.name);
        }
    }
}

#[test]
fn the_key_of_a_client_may_lie_in_a_file_or_be_given_by_its_digest() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let with = |key: &str| {
        let text = format!("bot_token = \"123456:ABC-DEF1234ghIkl-zyx57W2v1u123ew11\"\n[clients.shop]\n{key}\n");
        load(Some(&text), &BTreeMap::new(), &Flags::default()).map(|settings| settings.clients[0].key)
    };
    let in_file = || with(&format!("key_file = {:?}", file.path().display().to_string()));
    std::fs::write(&file, "  0123456789abcdef\n").unwrap();
    let key = with("key = \"0123456789abcdef\"").unwrap();
    let digest = "9f9f5111f7b27a781f1f1ddde5ebc2dd2b796bfc7365c9c28b548e564176929f";
    assert_eq!((in_file(), with(&format!("key_sha256 = \"{digest}\""))), (Ok(key), Ok(key)));
    for bad in ["", "hunter2", "0123456789 abcdef"] {
        std::fs::write(&file, bad).unwrap();
        let errors = in_file().unwrap_err();
        assert_eq!(errors[0].at, "clients.shop.key_file");
        assert!(!errors[0].message.contains("hunter2"), "{errors:?}");
    }
}

#[test]
fn the_default_file_holds_every_key_with_its_default() {
    let table: toml::Table = DEFAULTS.parse().unwrap();
    for key in KEYS {
        match table.get(key.name) {
            Some(value) => {
                let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                assert_eq!(text, key.default, "{}", key.name);
            }
            None => {
                assert_eq!(key.default, "", "{}", key.name);
                assert!(DEFAULTS.contains(&format!("# {} = ", key.name)), "{} is not mentioned", key.name);
            }
        }
    }
    for key in BOT_KEYS {
        assert!(DEFAULTS.contains(&format!("# {key} = ")), "[bots.NAME] {key} is not mentioned");
    }
    let clients = DEFAULTS.split("# [clients.").nth(1).expect("a client").split("\n\n").next().unwrap_or_default();
    for key in CLIENT_KEYS {
        assert!(clients.contains(&format!("# {key} = ")), "[clients.NAME] {key} is not mentioned");
    }
}

#[test]
fn tokens_and_keys_are_secret() {
    let secret: BTreeSet<&str> = KEYS.iter().filter(|key| key.masking != Masking::None).map(|key| key.name).collect();
    for key in KEYS {
        let sounds_secret = ["token", "key", "secret", "_url", "endpoint"].iter().any(|word| key.name.contains(word));
        assert_eq!(secret.contains(key.name), sounds_secret, "{}", key.name);
    }
}

/// Runs the program in an environment of its own; exit code, standard output, standard error.
fn program(arguments: &[&str], env: &[(&str, &str)]) -> (Option<i32>, String, String) {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_pixcourier"))
        .args(arguments)
        .env_clear()
        .envs(env.iter().copied())
        .output()
        .expect("the program runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn a_wrong_configuration_ends_the_program_with_64_and_all_problems() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = taken.local_addr().unwrap().to_string();
    for (arguments, env, problems) in [
        (&["serve"][..], &[("PIXCOURIER_WINDOW", "0"), ("PIXCOURIER_LOG_FORMAT", "xml")][..], 3),
        // Told before the port is tried, which would fail.
        (&["serve", "--listen", &listen], &[("PIXCOURIER_BOT_TOKEN", "hunter2")], 1),
        (&["check-config", "--config", "/does/not/exist.toml"], &[], 1),
        (&["serve", "--role", "worker"], &[("PIXCOURIER_BOT_TOKEN", "123456:ABC-DEF1234ghIkl-zyx57W2v1u123ew11")], 1),
    ] {
        let (code, out, error) = program(arguments, env);
        assert_eq!((code, out.as_str()), (Some(64), ""), "{arguments:?}: {error}");
        assert_eq!(error.lines().count(), 1 + problems, "{arguments:?}: {error}");
        assert!(!error.contains("hunter2"), "{error}");
    }
}

#[test]
fn check_config_shows_the_configuration_and_its_defaults_are_a_configuration() {
    let token = ("PIXCOURIER_BOT_TOKEN", "123456:ABC-DEF1234ghIkl-zyx57W2v1u123ew11");
    let (code, out, error) = program(&["check-config"], &[token]);
    assert_eq!(code, Some(0), "{error}");
    assert!(out.contains("bot_token = \"***\"  # PIXCOURIER_BOT_TOKEN\n"), "{out}");
    let (_, defaults, _) = program(&["check-config", "--print-defaults"], &[]);
    let path = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(&path, defaults).unwrap();
    let (code, _, error) = program(&["check-config", "--config", &path.path().display().to_string()], &[token]);
    assert_eq!(code, Some(0), "{error}");
}

/// As Docker, Kubernetes and systemd hand secrets in.
#[test]
fn every_secret_may_lie_in_a_file() {
    const TOKEN: &str = "123456:ABC-DEF1234ghIkl-zyx57W2v1u123ew11";
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let (token, keys) = (file("token", &format!("{TOKEN}\n")), file("keys", "0123456789abcdef\nfedcba9876543210\n"));
    let env =
        |pairs: &[(&str, &str)]| pairs.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
    let by_files: BTreeMap<_, _> = env(&[("PIXCOURIER_BOT_TOKEN_FILE", &token), ("PIXCOURIER_API_KEYS_FILE", &keys)]);
    let settings = load(None, &by_files, &Flags::default()).unwrap();
    assert_eq!(settings.api_keys.len(), 2);
    assert_eq!(settings.bots.len(), 1);

    let tables = format!(
        "bot_token_file = {token:?}\n[bots.more]\ntoken_file = {:?}\n",
        file("more", "654321:ABC-DEF1234ghIkl-zyx57W2v1u123ew11")
    );
    assert_eq!(load(Some(&tables), &BTreeMap::new(), &Flags::default()).unwrap().bots.len(), 2);
    let shown = pixcourier::settings::show(Some(&tables), &BTreeMap::new(), &Flags::default()).unwrap();
    assert!(!shown.contains("zyx57W2v1u"), "{shown}");

    // A later layer wins over a file that an earlier one names; within one, both are too many.
    let later = env(&[("PIXCOURIER_BOT_TOKEN", TOKEN)]);
    assert!(load(Some("bot_token_file = \"/does/not/exist\"\n"), &later, &Flags::default()).is_ok());
    for (name, text, problem) in [
        (
            "bot_token_file",
            format!("bot_token = \"{TOKEN}\"\nbot_token_file = {token:?}\n"),
            "bot_token is given too: say one of the two",
        ),
        (
            "bot_token_file",
            "bot_token_file = \"/does/not/exist\"\n".to_owned(),
            "cannot be read: No such file or directory (os error 2)",
        ),
        ("bot_token_file", format!("bot_token_file = {:?}\n", file("empty", " \n")), "cannot be read: it is empty"),
        ("bot_rate_file", format!("bot_token = \"{TOKEN}\"\nbot_rate_file = \"x\"\n"), "unknown key"),
    ] {
        let errors = load(Some(&text), &BTreeMap::new(), &Flags::default()).unwrap_err();
        assert!(
            errors.iter().any(|error| (error.at.as_str(), error.message.as_str()) == (name, problem)),
            "{errors:?}"
        );
    }
}
