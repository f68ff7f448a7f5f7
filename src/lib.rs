//! solverbox: an offline solver box in one file.
//!
//! The rooms, and the one direction in which they may know each other, are in ARCHITECTURE.md:
//! `types ← answers · text ← model · store · engine ← desk ← http · console ← commands ← main, cli, config`.

pub mod answers;
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
