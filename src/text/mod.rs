//! Mathematics as text: LaTeX rendered with Unicode letters, and lines wrapped to a width.
//!
//! Pure and incremental: text goes in as it is generated and comes out as soon as its form is
//! certain. Consoles and `solve` show answers through it. It knows no terminal and no job; it
//! imports `types` alone.

pub mod latex;
pub mod wrap;
