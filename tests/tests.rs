//! The suite's contents page; each topic is a file beside this one.
