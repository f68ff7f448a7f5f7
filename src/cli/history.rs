//! The flags of `solverbox history`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::count;
use crate::types::limits;

/// `solverbox history`
#[derive(Debug, Args)]
pub struct History {
    /// Folder of the journal [default: $STATE_DIRECTORY, else ~/.local/share/solverbox]
    #[arg(long, global = true, value_name = "DIR", env = "SOLVERBOX_DATA")]
    pub data: Option<PathBuf>,
    /// What to do.
    #[command(subcommand)]
    pub action: HistoryAction,
}

/// What is done with the history.
#[derive(Debug, Subcommand)]
pub enum HistoryAction {
    /// List the latest questions
    List {
        /// So many at most
        #[arg(long, value_name = "N", env = "SOLVERBOX_LIMIT", default_value_t = 50,
              value_parser = count(1, u32::MAX))]
        limit: u32,
    },
    /// Show one with its answer
    Show {
        /// The job's id, or its first digits
        id: String,
    },
    /// Write all of them, oldest first
    Export {
        /// In which form
        #[arg(long, value_name = "FORM", env = "SOLVERBOX_FORMAT", default_value = "jsonl")]
        format: HistoryFormat,
        /// File to write instead of standard output
        #[arg(long, value_name = "FILE", env = "SOLVERBOX_OUT")]
        out: Option<PathBuf>,
    },
    /// Forget answered questions
    Delete {
        /// The jobs' ids, or their first digits
        #[arg(value_name = "ID", required_unless_present_any = ["older_than_days", "all"])]
        ids: Vec<String>,
        /// All that were asked more than so many days ago
        #[arg(long, value_name = "DAYS", conflicts_with = "ids",
              value_parser = count(0, limits::HISTORY_DAYS_MAX))]
        older_than_days: Option<u32>,
        /// All
        #[arg(long, conflicts_with_all = ["ids", "older_than_days"])]
        all: bool,
    },
}

/// A form of the history.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum HistoryFormat {
    /// One JSON object a line
    Jsonl,
    /// A text for people
    Md,
}
