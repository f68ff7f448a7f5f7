//! solverbox: an offline solver box in one file.
//!
//! The rooms, and the one direction in which they may import each other, are in ARCHITECTURE.md:
//!
//! ```text
//! types · answers · text ← model · store · engine ← desk ← api ← http · console ← commands
//!     ← cli, config ← wiring ← main
//! ```

pub mod answers;
pub mod api;
pub mod cli;
pub mod commands;
pub mod config;
pub mod console;
pub mod desk;
pub mod engine;
pub mod http;
pub mod model;
pub mod store;
pub mod text;
pub mod types;
pub mod wiring;
