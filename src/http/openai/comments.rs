//! The comments in a stream below `/v1`, which show the progress of its job; clients ignore them.

use crate::answers::vote::Tally;
use crate::desk::Eta;
use crate::desk::feed::{JobStage, QueueStatus};
use crate::http::stream::{Events, ReaderGone};

/// The state of the job as the stream's comments have reported it.
#[derive(Default)]
pub struct Comments {
    status: Option<QueueStatus>,
    tally: Option<String>,
    /// The last comment about the stage and the votes.
    progress: String,
}

impl Comments {
    /// Sends the job's stage, its place in the queue and its estimate, each if it has changed.
    pub fn queued(&mut self, events: &mut Events, status: QueueStatus) -> Result<(), ReaderGone> {
        let before = self.status.replace(status).and_then(|before| before.eta);
        self.send_progress(events)?;
        match status.eta.filter(|_| status.eta != before) {
            Some(eta) => events.comment(&expected(&eta)),
            None => Ok(()),
        }
    }

    /// Sends the votes so far.
    pub fn voted(&mut self, events: &mut Events, tally: &Tally) -> Result<(), ReaderGone> {
        self.tally = Some(tally.to_string());
        self.send_progress(events)
    }

    fn send_progress(&mut self, events: &mut Events) -> Result<(), ReaderGone> {
        let Some(status) = self.status else { return Ok(()) };
        let progress = match (status.stage, status.place, &self.tally) {
            (JobStage::Running, _, Some(tally)) => format!("running, {tally}"),
            (JobStage::Running, _, None) => "running".into(),
            (JobStage::Waiting, Some(place), _) => format!("place {place}"),
            (JobStage::Waiting, None, _) | (JobStage::Preparing, ..) => "checking".into(),
        };
        if progress != self.progress {
            events.comment(&progress)?;
            self.progress = progress;
        }
        Ok(())
    }
}

/// Formats an estimate: seconds until the job ends, and the bounds that hold in 80 % of cases.
fn expected(eta: &Eta) -> String {
    format!("eta {:.0} {:.0} {:.0}", eta.seconds, eta.low, eta.high)
}
