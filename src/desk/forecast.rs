//! When a question would be answered if it were asked now, for a person who has not asked yet.
//!
//! A part of the desk's state, which takes a snapshot of its queue and its estimates; the rest is
//! computed from that without the state's lock. No job is made. Forecasts are reused for a moment,
//! and take a small part of a core at most, because anybody may ask for them.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::estimate::{Estimates, Eta, Pending};
use super::fair_queue::FairQueue;
use super::state::DeskState;
use crate::answers::vote::Tally;
use crate::types::error::{Error, Kind};
use crate::types::job::{AttemptId, Client, JobId, Question};
use crate::types::limits;

/// When a question would be answered.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Forecast {
    /// When the answer would be expected, in seconds from now.
    pub eta: Eta,
    /// The place in the queue: 1 for the next to start, 0 if it would start at once.
    pub place: usize,
}

/// What a forecast depends on besides the queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForecastKey {
    client: Client,
    mode: String,
    attempts: u32,
    budget_tokens: u32,
}

impl ForecastKey {
    /// Returns the key of a question of `client`.
    pub fn new(client: Client, question: &Question) -> ForecastKey {
        ForecastKey {
            client,
            mode: question.mode.name.clone(),
            attempts: question.attempts,
            budget_tokens: question.budget_tokens,
        }
    }
}

/// The latest forecasts, and the computing time that is left for more.
pub struct Forecasts {
    kept: VecDeque<(ForecastKey, Instant, Forecast)>,
    left: Duration,
    counted: Instant,
}

impl Default for Forecasts {
    fn default() -> Forecasts {
        let (kept, left) = (VecDeque::new(), limits::FORECAST_BURST);
        Forecasts { kept, left, counted: Instant::now() }
    }
}

impl Forecasts {
    /// Returns a forecast that is still fresh, or makes one with `compute`.
    ///
    /// # Errors
    /// `busy` if forecasts have taken too much time lately; the error of `compute`.
    pub fn get(
        &mut self,
        key: ForecastKey,
        compute: impl FnOnce() -> Result<Forecast, Error>,
    ) -> Result<Forecast, Error> {
        let begun = Instant::now();
        let is_fresh = |at: Instant| begun - at < limits::ESTIMATE_PAUSE;
        let known = self.kept.iter().find(|(known, at, _)| *known == key && is_fresh(*at));
        if let Some((_, _, forecast)) = known {
            return Ok(*forecast);
        }
        let back = begun.saturating_duration_since(self.counted) / limits::ESTIMATE_PAUSE_TIMES;
        self.left = (self.left + back).min(limits::FORECAST_BURST);
        self.counted = begun;
        if self.left.is_zero() {
            return Err(Error::new(
                Kind::Busy,
                "too many estimates were asked for lately",
                "Ask again in a few seconds.",
            ));
        }
        let forecast = compute()?;
        self.left = self.left.saturating_sub(begun.elapsed());
        self.kept.retain(|(known, at, _)| *known != key && is_fresh(*at));
        self.kept.truncate(limits::FORECASTS_KEPT - 1);
        self.kept.push_front((key, begun, forecast));
        Ok(forecast)
    }
}

/// The queue with the question at its place, and what is known of lengths and speeds.
pub struct Prospect {
    estimates: Estimates,
    slots: usize,
    queue: FairQueue,
    /// The unfinished jobs and, at the end, the question.
    pending: Vec<Pending>,
    job: JobId,
}

impl DeskState {
    /// Takes a snapshot of the queue as if `client` had just asked `question`.
    pub fn prospect(&self, client: Client, question: &Question) -> Prospect {
        // The number that the job would get, so that its estimate will draw the same lengths.
        let job = JobId(self.last_job.0 + 1);
        let mut pending: Vec<Pending> =
            self.jobs.iter().map(|(id, job)| job.pending(*id)).collect();
        let needed = match question.is_voted() {
            true => Tally::new(question.attempts).still_needed(),
            false => question.attempts,
        };
        pending.push(Pending {
            job,
            client,
            mode: question.mode.clone(),
            budget_tokens: question.budget_tokens,
            generated: vec![0; question.attempts as usize],
            needed: needed as usize,
        });
        let mut queue = self.queue.clone();
        for waiting in self.jobs.values().filter(|job| !self.queued.contains(&job.id)) {
            for number in waiting.running() {
                queue.add(waiting.client, AttemptId { job: waiting.id, number });
            }
        }
        for number in 0..question.attempts {
            queue.add(client, AttemptId { job, number });
        }
        Prospect { estimates: self.estimates.clone(), slots: self.slots, queue, pending, job }
    }
}

impl Prospect {
    /// Computes the forecast. Takes as long as [`Estimates::etas`].
    pub fn forecast(mut self) -> Forecast {
        self.queue.assign();
        let place = match self.queue.has_slot(self.job) {
            true => 0,
            false => self.queue.waiting().iter().position(|job| *job == self.job).unwrap_or(0) + 1,
        };
        let etas = self.estimates.etas(self.slots, &self.pending);
        let eta = etas.last().copied().unwrap_or_else(|| unreachable!("the question is pending"));
        Forecast { eta, place }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::job::{Role, Turn};
    use crate::types::mode::Modes;

    fn key(client: u8) -> ForecastKey {
        let turn = Turn { role: Role::User, text: "1+1?".into() };
        let mode = Modes::built_in().find("math").unwrap();
        ForecastKey::new(Client::of("test", &[client]), &Question::new(mode, vec![turn], 1))
    }

    #[test]
    fn a_forecast_is_reused_and_a_crowd_is_held_back_once_it_took_its_share() {
        let forecast = Forecast { eta: Eta { seconds: 1.0, low: 1.0, high: 1.0 }, place: 0 };
        let mut forecasts = Forecasts::default();
        assert_eq!(forecasts.get(key(0), || Ok(forecast)).unwrap(), forecast);
        assert_eq!(forecasts.get(key(0), || panic!("it is fresh")).unwrap(), forecast);
        // As if a long queue had taken all of it.
        forecasts.left = Duration::ZERO;
        forecasts.counted = Instant::now() + Duration::from_secs(60);
        assert_eq!(forecasts.get(key(1), || panic!("too soon")).unwrap_err().kind, Kind::Busy);
        assert!(forecasts.get(key(0), || panic!("it is fresh")).is_ok());
        for client in 0..=u8::MAX {
            forecasts.left = limits::FORECAST_BURST;
            forecasts.get(key(client), || Ok(forecast)).unwrap();
        }
        assert!(forecasts.kept.len() <= limits::FORECASTS_KEPT);
    }
}
