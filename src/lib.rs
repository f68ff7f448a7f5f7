//! solverbox: an offline solver box in one file.
//!
//! The rooms, and the one direction in which they may import each other, are in ARCHITECTURE.md:
//!
//! ```text
//! types · answers · text · random ← model · store · engine ← desk ← api ← http · console
//!     ← commands ← cli, config ← wiring ← main
//! ```

#[forbid(unsafe_code)]
pub mod answers;
#[forbid(unsafe_code)]
pub mod api;
#[forbid(unsafe_code)]
pub mod cli;
#[forbid(unsafe_code)]
pub mod commands;
#[forbid(unsafe_code)]
pub mod config;
#[forbid(unsafe_code)]
pub mod console;
#[forbid(unsafe_code)]
pub mod desk;
pub mod engine;
#[forbid(unsafe_code)]
pub mod http;
#[forbid(unsafe_code)]
pub mod model;
#[forbid(unsafe_code)]
pub mod random;
#[forbid(unsafe_code)]
pub mod store;
#[forbid(unsafe_code)]
pub mod text;
#[forbid(unsafe_code)]
pub mod types;
#[forbid(unsafe_code)]
pub mod wiring;
