//! `pixcourier completions` and `pixcourier man`: made from the definition of the command line itself, so they always fit it.

use super::terminal::print_line;
use anyhow::Context;
use clap::Command;
use clap_complete::Shell;
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(clap::Args)]
pub struct CompletionsArgs {
    /// The shell.
    #[arg(value_enum)]
    shell: Shell,
}

#[derive(clap::Args)]
pub struct ManArgs {
    /// Write a page for each subcommand into this folder, in place of printing that of the program.
    #[arg(long, value_name = "FOLDER")]
    dir: Option<PathBuf>,
}

/// Prints what a shell completes commands by.
pub fn completions(arguments: CompletionsArgs, mut command: Command) -> anyhow::Result<ExitCode> {
    let (mut script, name) = (Vec::new(), command.get_name().to_owned());
    clap_complete::generate(arguments.shell, &mut command, name, &mut script);
    print_line(String::from_utf8(script)?.trim_end());
    Ok(ExitCode::SUCCESS)
}

/// Prints the manual page, or writes all of them.
pub fn man(arguments: ManArgs, command: Command) -> anyhow::Result<ExitCode> {
    let command = command.disable_help_subcommand(true);
    match arguments.dir {
        Some(folder) => {
            let unwritable = || format!("write to {}", folder.display());
            std::fs::create_dir_all(&folder).with_context(unwritable)?;
            clap_mangen::generate_to(command, &folder).with_context(unwritable)?;
        }
        None => {
            let mut page = Vec::new();
            clap_mangen::Man::new(command).render(&mut page)?;
            print_line(String::from_utf8(page)?.trim_end());
        }
    }
    Ok(ExitCode::SUCCESS)
}
