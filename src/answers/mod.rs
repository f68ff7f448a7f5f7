//! What an answer is, when two mean the same, and which one wins: pure functions over text.
//!
//! The engine's self-test, the desk's votes and the workshop's grading all ask here, so that the
//! three never disagree about a value. Nothing here does I/O; it imports `types` alone.

pub mod score;
pub mod value;
pub mod vote;
