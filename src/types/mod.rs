//! Plain data types that every other room uses.
//!
//! Nothing here does I/O, starts a thread or imports another room, so every layer can use it
//! (checked by tests/tidy.rs).

pub mod answer;
pub mod boards;
pub mod error;
pub mod job;
pub mod kernels;
pub mod limits;
pub mod memory;
pub mod mode;
pub mod plan;
pub mod position;
pub mod quantize;
