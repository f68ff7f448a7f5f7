//! `solverbox history`: the action on the journal.

use crate::cli::HistoryAction;
use crate::commands::history::{Action, Deleted};

impl From<HistoryAction> for Action {
    fn from(flags: HistoryAction) -> Action {
        match flags {
            HistoryAction::List { limit } => Action::List(limit),
            HistoryAction::Show { id } => Action::Show(id),
            HistoryAction::Export { format, out } => Action::Export(format, out),
            HistoryAction::Delete { older_than_days: Some(days), .. } => {
                Action::Delete(Deleted::OlderThanDays(days))
            }
            HistoryAction::Delete { all: true, .. } => Action::Delete(Deleted::All),
            HistoryAction::Delete { ids, .. } => Action::Delete(Deleted::Jobs(ids)),
        }
    }
}
