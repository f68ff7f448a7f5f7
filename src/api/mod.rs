//! The JSON shapes of requests and replies, shared by the HTTP API, the serial protocol and
//! `solve`.
//!
//! `fields` reads typed fields of a JSON object, `ask` turns a request into a question, `json`
//! writes jobs, votes, figures and errors, `modes` the modes, and `client` asks a running solverbox
//! over HTTP. HTTP status codes and request routing belong to `http`; line lengths and checksums to
//! `console`.

pub mod ask;
pub mod client;
pub(crate) mod fields;
pub mod json;
pub(crate) mod modes;
