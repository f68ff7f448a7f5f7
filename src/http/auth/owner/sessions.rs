//! The browsers an owner is signed in with: only the sums of their cookies, in memory alone.
//!
//! A restart signs everybody out, as does a new PIN. A session that does nothing ends by itself.

use std::collections::HashMap;
use std::time::Duration;

use sha2::{Digest, Sha256};

use crate::http::auth::private;
use crate::types::error::Error;
use crate::types::limits::{OWNER_IDLE_MAX, OWNER_SESSIONS_MAX};

/// What looking at a session does to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// The owner does something: the session lasts on from now.
    AsUse,
    /// A page wants to know how things stand: the session ages on.
    Only,
}

/// The sessions there are, by the sums of their tokens, with when they were last used.
#[derive(Default)]
pub struct Sessions(HashMap<[u8; 32], Duration>);

impl Sessions {
    /// Begins a session; returns its token, which is nowhere else.
    ///
    /// # Errors
    /// `internal` where there are no random numbers.
    pub fn begin(&mut self, now: Duration) -> Result<String, Error> {
        self.0.retain(|_, used| is_live(*used, now));
        if self.0.len() >= OWNER_SESSIONS_MAX {
            let oldest = self.0.iter().min_by_key(|(_, used)| **used).map(|(sum, _)| *sum);
            oldest.and_then(|sum| self.0.remove(&sum));
        }
        let token = private::hex(&private::random::<32>()?);
        self.0.insert(sum(&token), now);
        Ok(token)
    }

    /// Returns whether a token's session lasts.
    pub fn has(&mut self, token: &str, look: Look, now: Duration) -> bool {
        let Some(used) = self.0.get_mut(&sum(token)).filter(|used| is_live(**used, now)) else {
            return false;
        };
        if look == Look::AsUse {
            *used = now;
        }
        true
    }

    /// Ends a token's session.
    pub fn end(&mut self, token: &str) {
        self.0.remove(&sum(token));
    }

    /// Ends all.
    pub fn end_all(&mut self) {
        self.0.clear();
    }
}

fn is_live(used: Duration, now: Duration) -> bool {
    now.saturating_sub(used) < OWNER_IDLE_MAX
}

fn sum(token: &str) -> [u8; 32] {
    Sha256::digest(token).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: Duration = Duration::from_secs(1);

    #[test]
    fn a_session_lasts_as_long_as_it_is_used() {
        let mut sessions = Sessions::default();
        let token = sessions.begin(S).unwrap();
        assert!(token.len() == 64 && !sessions.has("", Look::AsUse, S));
        let nearly = OWNER_IDLE_MAX - S;
        assert!(sessions.has(&token, Look::AsUse, S + nearly));
        assert!(sessions.has(&token, Look::Only, S + 2 * nearly), "it was used in between");
        assert!(!sessions.has(&token, Look::AsUse, 3 * S + 2 * nearly), "looking was no use");
        let token = sessions.begin(S).unwrap();
        sessions.end(&token);
        assert!(!sessions.has(&token, Look::AsUse, S));
    }

    #[test]
    fn there_are_so_many_and_the_one_used_longest_ago_makes_room() {
        let mut sessions = Sessions::default();
        let begin = |sessions: &mut Sessions, at: u32| sessions.begin(at * S).unwrap();
        let tokens: Vec<String> = (1..=16).map(|at| begin(&mut sessions, at)).collect();
        assert!(sessions.has(&tokens[0], Look::AsUse, 20 * S));
        begin(&mut sessions, 21);
        let left: Vec<bool> =
            tokens.iter().map(|token| sessions.has(token, Look::Only, 21 * S)).collect();
        assert_eq!(left.iter().filter(|left| **left).count(), 15);
        assert!(left[0] && !left[1]);
        sessions.end_all();
        assert!(!sessions.has(&tokens[5], Look::AsUse, 21 * S));
    }
}
