//! The flags of `solverbox history`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::values::{count, one_of};
use crate::commands::history::ExportFormat;
use crate::types::limits;

const EXPORT_FORMATS: [(&str, ExportFormat, &str); 2] = [
    ("jsonl", ExportFormat::Jsonl, "One JSON object per line"),
    ("md", ExportFormat::Markdown, "Markdown, to read"),
];

/// The flags of `solverbox history`.
#[derive(Debug, Args)]
pub struct HistoryFlags {
    /// Folder with the journal [default: $STATE_DIRECTORY, else ~/.local/share/solverbox]
    #[arg(long, global = true, value_name = "DIR", env = "SOLVERBOX_DATA")]
    pub data: Option<PathBuf>,
    /// What to do with the history.
    #[command(subcommand)]
    pub action: HistoryAction,
}

/// An action on the history, with its flags.
#[derive(Debug, Subcommand)]
pub enum HistoryAction {
    /// List the latest questions
    List {
        /// Most questions to list
        #[arg(long, value_name = "N", env = "SOLVERBOX_LIMIT", default_value_t = 50,
              value_parser = count(1, u32::MAX))]
        limit: u32,
    },
    /// Show a question with its answer
    Show {
        /// Job ID, or its first digits
        id: String,
    },
    /// Write all questions and answers, oldest first
    Export {
        /// Format of the export
        #[arg(long, value_name = "FORM", env = "SOLVERBOX_FORMAT", default_value = "jsonl",
              value_parser = one_of(EXPORT_FORMATS))]
        format: ExportFormat,
        /// File to write instead of standard output
        #[arg(long, value_name = "FILE", env = "SOLVERBOX_OUT")]
        out: Option<PathBuf>,
    },
    /// Delete questions that have been answered
    Delete {
        /// Job IDs, or their first digits
        #[arg(value_name = "ID", required_unless_present_any = ["older_than_days", "all"])]
        ids: Vec<String>,
        /// Delete questions asked more than DAYS days ago
        #[arg(long, value_name = "DAYS", conflicts_with = "ids",
              value_parser = count(0, limits::HISTORY_DAYS_MAX))]
        older_than_days: Option<u32>,
        /// Delete all answered questions
        #[arg(long, conflicts_with_all = ["ids", "older_than_days"])]
        all: bool,
    },
}
