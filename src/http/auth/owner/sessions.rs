//! The owner's sessions: the SHA-256 of their tokens, in memory only.
//!
//! A restart or a new PIN ends all of them; an idle session expires.

use std::collections::HashMap;
use std::time::Duration;

use sha2::{Digest, Sha256};

use crate::http::auth::private;
use crate::random;
use crate::types::error::Error;
use crate::types::limits::{OWNER_IDLE_MAX, OWNER_SESSIONS_MAX};

/// Whether checking a session renews it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionCheck {
    /// The owner acts: the session is renewed.
    Renew,
    /// A page polls the state: the session keeps ageing.
    Peek,
}

/// The live sessions: the SHA-256 of each token, with the time of its last use.
#[derive(Default)]
pub struct Sessions(HashMap<[u8; 32], Duration>);

impl Sessions {
    /// Begins a session; returns its token, which is stored nowhere.
    ///
    /// # Errors
    /// `internal` if no random bytes are available.
    pub fn begin(&mut self, now: Duration) -> Result<String, Error> {
        self.0.retain(|_, used| is_live(*used, now));
        if self.0.len() >= OWNER_SESSIONS_MAX {
            let oldest = self.0.iter().min_by_key(|(_, used)| **used).map(|(sum, _)| *sum);
            oldest.and_then(|sum| self.0.remove(&sum));
        }
        let token = private::hex(&random::bytes::<32>()?);
        self.0.insert(sum(&token), now);
        Ok(token)
    }

    /// Returns whether a token belongs to a live session.
    pub fn has(&mut self, token: &str, check: SessionCheck, now: Duration) -> bool {
        let Some(used) = self.0.get_mut(&sum(token)).filter(|used| is_live(**used, now)) else {
            return false;
        };
        if check == SessionCheck::Renew {
            *used = now;
        }
        true
    }

    /// Ends the session of a token.
    pub fn end(&mut self, token: &str) {
        self.0.remove(&sum(token));
    }

    /// Ends all sessions, as a new PIN does.
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
        assert!(token.len() == 64 && !sessions.has("", SessionCheck::Renew, S));
        let nearly = OWNER_IDLE_MAX - S;
        assert!(sessions.has(&token, SessionCheck::Renew, S + nearly));
        assert!(sessions.has(&token, SessionCheck::Peek, S + 2 * nearly), "it was used in between");
        assert!(
            !sessions.has(&token, SessionCheck::Renew, 3 * S + 2 * nearly),
            "a lookup does not count as use"
        );
        let token = sessions.begin(S).unwrap();
        sessions.end(&token);
        assert!(!sessions.has(&token, SessionCheck::Renew, S));
    }

    #[test]
    fn at_the_limit_the_least_recently_used_session_is_dropped() {
        let mut sessions = Sessions::default();
        let begin = |sessions: &mut Sessions, at: u32| sessions.begin(at * S).unwrap();
        let tokens: Vec<String> = (1..=16).map(|at| begin(&mut sessions, at)).collect();
        assert!(sessions.has(&tokens[0], SessionCheck::Renew, 20 * S));
        begin(&mut sessions, 21);
        let left: Vec<bool> =
            tokens.iter().map(|token| sessions.has(token, SessionCheck::Peek, 21 * S)).collect();
        assert_eq!(left.iter().filter(|left| **left).count(), 15);
        assert!(left[0] && !left[1]);
        sessions.end_all();
        assert!(!sessions.has(&tokens[5], SessionCheck::Renew, 21 * S));
    }
}
