//! docs/recipes.md: every recipe is taken out of the document and run as it stands, but for the address of the service, against
//! the program and a sandbox.

mod alertmanager;
mod post_office;

use crate::bot_api::clients::installed;
use crate::project::manual::{read, root};
use pixcourier::domain::Sha256;
use post_office::PostOffice;
use std::path::Path;

const KEY: &str = "the-key-of-the-repository";
const CHAT: i64 = 987_654_321;
const PICTURE: &str = "src/cli/demo/assets/coffee.jpg";

/// A fenced block of the document, by the name behind its language.
fn recipe(name: &str) -> String {
    let document = read("docs/recipes.md");
    let mut lines = document.lines().skip_while(|line| named(line) != Some(name));
    lines.next().unwrap_or_else(|| panic!("docs/recipes.md has no recipe {name}"));
    lines.take_while(|line| *line != "```").map(|line| format!("{line}\n")).collect()
}

/// The name of the recipe that begins with this line.
fn named(line: &str) -> Option<&str> {
    line.strip_prefix("```")?.split_once(' ').map(|(_, name)| name)
}

fn picture() -> Vec<u8> {
    std::fs::read(root().join(PICTURE)).unwrap()
}

#[test]
fn every_recipe_is_run() {
    let document = read("docs/recipes.md");
    let recipes: Vec<&str> = document.lines().filter_map(named).collect();
    assert_eq!(recipes, ["matplotlib", "cron", "camera", "github-action", "apprise", "alertmanager"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plot_of_matplotlib_is_sent_from_memory() {
    let office = PostOffice::open(&[]);
    let mut python = office.command(installed("PYTHON"));
    // Its cache of fonts takes seconds to make.
    python.env("MPLCONFIGDIR", env!("CARGO_TARGET_TMPDIR")).arg("-c").arg(office.here(&recipe("matplotlib")));
    office.run(python).await;
    let message = office.only_message().await;
    assert_eq!((message.chat_id, message.caption.as_deref()), (CHAT, Some("Orders since nine")));
    let media = message.media.unwrap();
    assert_eq!((media.width, media.height), (1200, 675));
}

/// As cron reads a crontab: five fields, and a command in which `\%` is a percent sign.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cron_repeats_is_sent_once() {
    let office = PostOffice::open(&[]);
    std::fs::create_dir(office.folder().join("reports")).unwrap();
    std::fs::write(office.folder().join("reports/today.png"), picture()).unwrap();
    let line = recipe("cron")
        .trim()
        .replace("\\%", "%")
        .replace("/usr/local/bin/pixcourier", env!("CARGO_BIN_EXE_pixcourier"));
    let command = line.splitn(6, ' ').last().unwrap().to_owned();
    for _ in 0..3 {
        let mut cron = office.command("/bin/sh");
        cron.env("PATH", "/usr/bin:/bin").args(["-c", &command]);
        assert_eq!(office.run(cron).await, "", "cron would send it by mail");
    }
    let message = office.only_message().await;
    assert!(message.caption.unwrap().starts_with("Report of 20"));
    assert_eq!(message.media.unwrap().sha256, Sha256::of(&picture()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_photo_of_a_camera_is_sent() {
    let office = PostOffice::open(&[]);
    let stand_in = format!(
        "#!/bin/sh\nwhile [ $# -gt 0 ]; do\n    if [ \"$1\" = --output ]; then exec cp '{}' \"$2\"; fi\n    shift\ndone\n",
        root().join(PICTURE).display()
    );
    let camera = office.install("rpicam-still", &stand_in);
    let mut script = office.command("sh");
    script.env("PATH", camera).arg("-c").arg(office.here(&recipe("camera")));
    office.run(script).await;
    let message = office.only_message().await;
    assert!(message.caption.unwrap().starts_with("Somebody is at the gate, "));
    assert_eq!(message.media.unwrap().sha256, Sha256::of(&picture()));
}

/// The script of its step, as GitHub's runner runs it: by `bash -e`, from a file, with the secrets in the environment.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_github_action_sends_a_screenshot() {
    let office = PostOffice::open(&[("PIXCOURIER_API_KEYS", KEY)]);
    let workflow = recipe("github-action");
    for secret in ["PIXCOURIER_URL", "PIXCOURIER_KEY"] {
        assert!(workflow.contains(&format!("{secret}: ${{{{ secrets.{secret} }}}}\n")), "{secret}");
    }
    let (_, script) = workflow.split_once("        run: |\n").unwrap();
    let script: String = script.lines().map(|line| format!("{}\n", line.strip_prefix("          ").unwrap())).collect();
    let file = office.folder().join("step.sh");
    std::fs::write(&file, script).unwrap();
    let results = office.folder().join("test-results/checkout-page");
    std::fs::create_dir_all(&results).unwrap();
    std::fs::write(results.join("test-failed-1.png"), picture()).unwrap();
    let mut bash = office.command("bash");
    bash.arg("-e").arg(file).env("PIXCOURIER_KEY", KEY).envs([
        ("GITHUB_RUN_ID", "1658821493"),
        ("GITHUB_RUN_ATTEMPT", "1"),
        ("GITHUB_REPOSITORY", "octocat/shop"),
        ("GITHUB_JOB", "test"),
        ("GITHUB_REF_NAME", "main"),
        ("GITHUB_SERVER_URL", "https://github.com"),
    ]);
    office.run(bash).await;
    let message = office.only_message().await;
    let caption = "octocat/shop: test failed on main\nhttps://github.com/octocat/shop/actions/runs/1658821493";
    assert_eq!((message.chat_id, message.caption.as_deref()), (CHAT, Some(caption)));
    assert_eq!(message.media.unwrap().sha256, Sha256::of(&picture()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn apprise_sends_a_picture() {
    let office = PostOffice::open(&[]);
    std::fs::write(office.folder().join("plot.png"), picture()).unwrap();
    let programs = Path::new(&installed("PYTHON")).parent().unwrap().to_owned();
    let mut shell = office.command("sh");
    shell.env("PATH", office.path_with(&programs)).arg("-c").arg(office.here(&recipe("apprise")));
    office.run(shell).await;
    let message = office.only_message().await;
    assert_eq!((message.chat_id, message.caption.as_deref()), (CHAT, Some("Backup of db1 is done")));
    assert_eq!(message.media.unwrap().sha256, Sha256::of(&picture()));
}
