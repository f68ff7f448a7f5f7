//! The box's vocabulary: plain types every other room speaks.
//!
//! Nothing here does I/O, starts threads or imports another room of ours; that is what lets every
//! layer use it (tests/tidy.rs checks).

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
