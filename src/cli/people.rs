//! What can be typed about people: who may ask a served box, API keys, the owner's PIN.

use std::path::PathBuf;

use clap::{ArgAction, Args, Subcommand};

use crate::http::auth::host;

/// Who may ask a served box, and what it is called.
#[derive(Clone, Debug, Args)]
pub struct AdmissionFlags {
    /// List of API keys (TOML), as `solverbox api-key` makes it; programs elsewhere then need one
    #[arg(long, value_name = "FILE", env = "SOLVERBOX_API_KEYS")]
    pub api_keys: Option<PathBuf>,
    /// Further name that browsers may know the box by, such as solver.school.example; its addresses
    /// and this machine's own name need not be told
    #[arg(long, value_name = "NAME", env = "SOLVERBOX_HOST_NAME", value_delimiter = ',',
          action = ArgAction::Append, value_parser = host_name)]
    pub host_name: Vec<String>,
}

/// `solverbox api-key`
#[derive(Debug, Args)]
pub struct ApiKey {
    /// Whom the key is for, such as lab-3
    #[arg(value_name = "NAME")]
    pub name: String,
    /// List to add it to [default: its entry is printed, to be added by hand]
    #[arg(long, value_name = "FILE", env = "SOLVERBOX_FILE")]
    pub file: Option<PathBuf>,
}

/// `solverbox owner`
#[derive(Debug, Args)]
pub struct Owner {
    /// The box's folder for what lasts [default: $STATE_DIRECTORY, else ~/.local/share/solverbox]
    #[arg(long, global = true, value_name = "DIR", env = "SOLVERBOX_DATA")]
    pub data: Option<PathBuf>,
    /// What to do.
    #[command(subcommand)]
    pub command: OwnerCommand,
}

/// What is done with the owner's PIN.
#[derive(Debug, Subcommand)]
pub enum OwnerCommand {
    /// Set the PIN: typed twice, or one line of standard input
    SetPin,
    /// Remove the PIN: nobody can sign in as the owner any more
    RemovePin,
}

fn host_name(text: &str) -> Result<String, String> {
    host::name(text).ok_or_else(|| "a name without a port is needed, such as box.example".into())
}
