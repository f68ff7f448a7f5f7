//! Flags for access control: API keys, host names, the owner's PIN.

use std::path::PathBuf;

use clap::{ArgAction, Args, Subcommand};

use crate::http::auth::{host, origin};

/// The flags that set which requests a server admits.
#[derive(Clone, Debug, Args)]
pub struct AdmissionFlags {
    /// File of API keys (TOML), written by `solverbox api-key`; programs on other machines then
    /// need a key
    #[arg(long, value_name = "FILE", env = "SOLVERBOX_API_KEYS")]
    pub api_keys: Option<PathBuf>,
    /// Further host name that browsers may use, such as solver.school.example; the addresses and
    /// the name of this machine are always accepted; repeatable
    #[arg(long, value_name = "NAME", env = "SOLVERBOX_HOST_NAME", value_delimiter = ',',
          action = ArgAction::Append, value_parser = host_name)]
    pub host_name: Vec<String>,
    /// Origin of another site's page or of an app that may use /v1 and /api, such as
    /// app://obsidian.md, http://teacher.lan:3000 or vscode-webview://*; repeatable
    #[arg(long, value_name = "ORIGIN", env = "SOLVERBOX_ALLOW_ORIGIN", value_delimiter = ',',
          action = ArgAction::Append, value_parser = origin::allowed_origin)]
    pub allow_origin: Vec<String>,
}

/// The flags of `solverbox api-key`.
#[derive(Debug, Args)]
pub struct ApiKeyFlags {
    /// Name of the key's user, such as lab-3
    #[arg(value_name = "NAME")]
    pub name: String,
    /// File of API keys to add the key to [default: print the entry, to be added by hand]
    #[arg(long, value_name = "FILE", env = "SOLVERBOX_FILE")]
    pub file: Option<PathBuf>,
}

/// The flags of `solverbox owner`.
#[derive(Debug, Args)]
pub struct OwnerFlags {
    /// The server's data folder [default: $STATE_DIRECTORY, else ~/.local/share/solverbox]
    #[arg(long, global = true, value_name = "DIR", env = "SOLVERBOX_DATA")]
    pub data: Option<PathBuf>,
    /// What to do with the PIN.
    #[command(subcommand)]
    pub command: OwnerCommand,
}

/// An action on the owner's PIN.
#[derive(Debug, Subcommand)]
pub enum OwnerCommand {
    /// Set the PIN: typed twice, or read from one line of standard input
    SetPin,
    /// Remove the PIN; the owner cannot sign in until a new one is set
    RemovePin,
}

fn host_name(text: &str) -> Result<String, String> {
    host::name(text)
        .ok_or_else(|| "a host name without a port is needed, such as box.example".into())
}
