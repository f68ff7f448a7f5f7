//! What the box was used for, hour by hour: counts of the ended jobs, without questions or clients.
//!
//! Read from the journal, so that a restart loses nothing of it; what was deleted does not count.

use std::collections::BTreeMap;
use std::time::SystemTime;

use rusqlite::{Connection, params};
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::write::millis;
use crate::types::answer::Figures;

const HOUR_MS: i64 = 60 * 60 * 1000;

/// The jobs of one mode that ended in one hour.
#[derive(Clone, Debug, PartialEq)]
pub struct UsageHour {
    /// Hours from 1970 to the beginning of this one.
    pub hour: u64,
    /// Name of the mode.
    pub mode: String,
    /// Number of the jobs.
    pub jobs: u32,
    /// Tokens that they generated.
    pub tokens: u64,
    /// Seconds that the box worked on them, from the prompt to the last token.
    pub seconds: f64,
}

/// Jobs counted so far, by hour and mode.
#[derive(Debug, Default)]
pub struct Usage {
    hours: BTreeMap<(i64, String), (u32, u64, f64)>,
    /// The end and the number of the last job that was read.
    last: Option<(i64, i64)>,
}

/// The part of a stored question that is counted.
#[derive(Deserialize)]
struct QuestionMode {
    mode: ModeName,
}

#[derive(Deserialize)]
struct ModeName {
    name: String,
}

impl Usage {
    /// Counts the next jobs that ended since `since`, at most `most`; returns whether there may be
    /// more. A damaged job is left out.
    ///
    /// # Errors
    /// SQLite's.
    pub fn count(
        &mut self,
        from: &Connection,
        since: SystemTime,
        most: u32,
    ) -> rusqlite::Result<bool> {
        // In the order of the index of ends.
        let sql = "SELECT ended_ms, number, question, outcome FROM job
             WHERE ended_ms IS NOT NULL AND (ended_ms, number) > (?1, ?2)
             ORDER BY ended_ms, number LIMIT ?3";
        let mut statement = from.prepare_cached(sql)?;
        let (ended_ms, number) = self.last.unwrap_or((millis(since) - 1, i64::MAX));
        let mut rows = statement.query(params![ended_ms, number, most])?;
        let mut read = 0;
        while let Some(row) = rows.next()? {
            let ended_ms = row.get(0)?;
            (read, self.last) = (read + 1, Some((ended_ms, row.get(1)?)));
            let (question, outcome): (String, String) = (row.get(2)?, row.get(3)?);
            self.add(ended_ms, &question, &outcome);
        }
        Ok(read == most)
    }

    fn add(&mut self, ended_ms: i64, question: &str, outcome: &str) {
        let question = serde_json::from_str::<QuestionMode>(question);
        let outcome = serde_json::from_str::<(IgnoredAny, Figures)>(outcome);
        let (Ok(question), Ok((_, figures))) = (question, outcome) else { return };
        let hour = (ended_ms.div_euclid(HOUR_MS), question.mode.name);
        let (jobs, tokens, seconds) = self.hours.entry(hour).or_default();
        *jobs += 1;
        *tokens += u64::from(figures.completion_tokens);
        *seconds += figures.prompt_seconds + figures.decode_seconds;
    }

    /// Returns the counts, in the order of hours and then of modes' names.
    pub fn hours(self) -> Vec<UsageHour> {
        let hour = |((hour, mode), (jobs, tokens, seconds)): ((i64, String), _)| UsageHour {
            hour: hour.max(0).cast_unsigned(),
            mode,
            jobs,
            tokens,
            seconds,
        };
        self.hours.into_iter().map(hour).collect()
    }
}
