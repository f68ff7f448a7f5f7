//! What an answer is, when two mean the same, and which one wins: pure functions over text.
//!
//! The engine's self-test, the desk's votes and the workshop's grading share these rules, so that
//! they never disagree about a value. Nothing here does I/O; it imports `types` alone.

pub mod score;
pub mod value;
pub mod vote;
