//! What can be asked of the box: `GET /api/modes`.
//!
//! The page shows it before a question is asked. `routes` calls it; everybody may read it.

use super::App;
use super::reply::Reply;
use crate::api::modes;

/// Answers `GET /api/modes` with the modes in the order in which they are shown.
pub fn modes(app: &App) -> Reply {
    Reply::json(200, &modes::list(&app.modes, &app.facts.plan))
}
