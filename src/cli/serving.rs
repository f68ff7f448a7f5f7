//! The flags of the two long-running commands, `solverbox serve` and `solverbox console`.

use std::net::SocketAddr;

use clap::builder::BoolishValueParser;
use clap::{ArgAction, Args};

use super::values::count;
use super::{AdmissionFlags, ModelFlags, ModesFlags};
use crate::console::wire::Wire;
use crate::types::limits;

/// The flags of `solverbox serve`.
#[derive(Debug, Args)]
pub struct ServeFlags {
    /// The flags both commands have.
    #[command(flatten)]
    pub common: ServerFlags,
    /// Address to listen on; 0.0.0.0:7860 opens the server to the whole network
    #[arg(long, value_name = "ADDRESS", env = "SOLVERBOX_LISTEN", default_value = "127.0.0.1:7860",
          value_parser = listen_address)]
    pub listen: SocketAddr,
    /// The flags that set which requests are admitted.
    #[command(flatten)]
    pub admission: AdmissionFlags,
    /// Serial port for a terminal or a machine, such as /dev/ttyUSB0,115200 (docs/serial.md has all
    /// settings); repeatable, or separate several by ;
    #[arg(long, value_name = "PORT", env = "SOLVERBOX_SERIAL", value_delimiter = ';',
          action = ArgAction::Append, allow_hyphen_values = true)]
    pub serial: Vec<Wire>,
}

/// The flags of `solverbox console`.
#[derive(Debug, Args)]
pub struct ConsoleFlags {
    /// The flags both commands have.
    #[command(flatten)]
    pub common: ServerFlags,
    /// Serial port, such as /dev/ttyUSB0,115200 (docs/serial.md has all settings), or - for this
    /// terminal; repeatable, or separate several by ;
    #[arg(long, value_name = "PORT", env = "SOLVERBOX_SERIAL", value_delimiter = ';',
          action = ArgAction::Append, default_value = "-", allow_hyphen_values = true)]
    pub serial: Vec<Wire>,
}

/// The flags of every long-running server.
#[derive(Debug, Args)]
pub struct ServerFlags {
    /// The flags that select the model.
    #[command(flatten)]
    pub model: ModelFlags,
    /// The flag that names a file with the owner's modes.
    #[command(flatten)]
    pub modes: ModesFlags,
    /// Most questions in the queue; further ones are rejected as busy
    #[arg(long, value_name = "N", env = "SOLVERBOX_QUEUE_JOBS_MAX",
          default_value_t = limits::QUEUE_JOBS_DEFAULT as u32,
          value_parser = count(1, limits::QUEUE_JOBS_CEILING as u32))]
    pub queue_jobs_max: u32,
    /// Most unanswered questions per client, waiting or running
    #[arg(long, value_name = "N", env = "SOLVERBOX_CLIENT_JOBS_MAX",
          default_value_t = limits::CLIENT_JOBS_DEFAULT as u32,
          value_parser = count(1, limits::CLIENT_JOBS_CEILING as u32))]
    pub client_jobs_max: u32,
    /// Longest delay of the journal behind a running answer, in seconds: what a power cut can lose
    #[arg(long, value_name = "S", env = "SOLVERBOX_SYNC_SECONDS",
          default_value_t = limits::SYNC_SECONDS_DEFAULT,
          value_parser = count(0, limits::SYNC_SECONDS_MAX))]
    pub sync_seconds: u32,
    /// Days to keep answered questions
    #[arg(long, value_name = "N", env = "SOLVERBOX_HISTORY_DAYS",
          default_value_t = limits::HISTORY_DAYS_DEFAULT,
          value_parser = count(0, limits::HISTORY_DAYS_MAX))]
    pub history_days: u32,
    /// Most disk space for answered questions, in MiB; the oldest are deleted first
    #[arg(long, value_name = "MIB", env = "SOLVERBOX_HISTORY_MB",
          default_value_t = limits::HISTORY_MB_DEFAULT,
          value_parser = count(*limits::HISTORY_MB.start(), *limits::HISTORY_MB.end()))]
    pub history_mb: u32,
    /// Skip the check of the kernels at start
    #[arg(long, env = "SOLVERBOX_NO_SELFTEST", value_parser = BoolishValueParser::new())]
    pub no_selftest: bool,
}

/// Addresses are numeric: a static binary must not call the system's resolver.
fn listen_address(text: &str) -> Result<SocketAddr, String> {
    let numeric = text.strip_prefix("localhost:").map(|port| format!("127.0.0.1:{port}"));
    numeric.as_deref().unwrap_or(text).parse().map_err(|_| {
        "an address and a port are needed, such as 127.0.0.1:7860 or 0.0.0.0:7860".to_string()
    })
}
