//! The flags of `solverbox serve` and `solverbox console`: a box that stays.

use std::net::SocketAddr;

use clap::builder::BoolishValueParser;
use clap::{ArgAction, Args};

use super::{AdmissionFlags, ModelFlags, ModesFlags, count};
use crate::console::wire::Wire;
use crate::types::limits;

/// `solverbox serve`
#[derive(Debug, Args)]
pub struct Serve {
    /// The box.
    #[command(flatten)]
    pub common: BoxFlags,
    /// Address to listen on; 0.0.0.0:7860 opens the box to the whole network
    #[arg(long, value_name = "ADDRESS", env = "SOLVERBOX_LISTEN", default_value = "127.0.0.1:7860",
          value_parser = listen_address)]
    pub listen: SocketAddr,
    /// Who may ask.
    #[command(flatten)]
    pub admission: AdmissionFlags,
    /// Serial ports at which people or machines ask too, such as /dev/ttyUSB0,115200
    /// (docs/serial.md has all settings); may be given several times, or several with ; between
    #[arg(long, value_name = "PORT", env = "SOLVERBOX_SERIAL", value_delimiter = ';',
          action = ArgAction::Append, allow_hyphen_values = true)]
    pub serial: Vec<Wire>,
}

/// `solverbox console`
#[derive(Debug, Args)]
pub struct Console {
    /// The box.
    #[command(flatten)]
    pub common: BoxFlags,
    /// Serial ports, such as /dev/ttyUSB0,115200 (docs/serial.md has all settings), or - for this
    /// terminal; may be given several times, or several with ; between
    #[arg(long, value_name = "PORT", env = "SOLVERBOX_SERIAL", value_delimiter = ';',
          action = ArgAction::Append, default_value = "-", allow_hyphen_values = true)]
    pub serial: Vec<Wire>,
}

/// What every box that stays has.
#[derive(Debug, Args)]
pub struct BoxFlags {
    /// Which model.
    #[command(flatten)]
    pub model: ModelFlags,
    /// Which modes.
    #[command(flatten)]
    pub modes: ModesFlags,
    /// Questions that may wait in line; further ones are turned away with a place
    #[arg(long, value_name = "N", env = "SOLVERBOX_QUEUE_JOBS_MAX",
          default_value_t = limits::QUEUE_JOBS_DEFAULT as u32,
          value_parser = count(1, limits::QUEUE_JOBS_CEILING as u32))]
    pub queue_jobs_max: u32,
    /// Questions one client may have in the box at once, waiting and being answered
    #[arg(long, value_name = "N", env = "SOLVERBOX_CLIENT_JOBS_MAX",
          default_value_t = limits::CLIENT_JOBS_DEFAULT as u32,
          value_parser = count(1, limits::CLIENT_JOBS_CEILING as u32))]
    pub client_jobs_max: u32,
    /// How far the journal may be behind a running answer, in seconds: what a power cut takes
    #[arg(long, value_name = "S", env = "SOLVERBOX_SYNC_SECONDS",
          default_value_t = limits::SYNC_SECONDS_DEFAULT,
          value_parser = count(0, limits::SYNC_SECONDS_MAX))]
    pub sync_seconds: u32,
    /// Days answered questions are kept
    #[arg(long, value_name = "N", env = "SOLVERBOX_HISTORY_DAYS",
          default_value_t = limits::HISTORY_DAYS_DEFAULT,
          value_parser = count(0, limits::HISTORY_DAYS_MAX))]
    pub history_days: u32,
    /// Room for answered questions, in MiB; the oldest make room for new ones
    #[arg(long, value_name = "MIB", env = "SOLVERBOX_HISTORY_MB",
          default_value_t = limits::HISTORY_MB_DEFAULT,
          value_parser = count(*limits::HISTORY_MB.start(), *limits::HISTORY_MB.end()))]
    pub history_mb: u32,
    /// Start without checking first that the kernels compute correctly
    #[arg(long, env = "SOLVERBOX_NO_SELFTEST", value_parser = BoolishValueParser::new())]
    pub no_selftest: bool,
}

/// Addresses are numeric: a static binary must not ask the system's resolver.
fn listen_address(text: &str) -> Result<SocketAddr, String> {
    let numeric = text.strip_prefix("localhost:").map(|port| format!("127.0.0.1:{port}"));
    numeric.as_deref().unwrap_or(text).parse().map_err(|_| {
        "an address and a port are needed, such as 127.0.0.1:7860 or 0.0.0.0:7860".to_string()
    })
}
