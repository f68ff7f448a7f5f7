//! The history of typed lines, browsed with the arrows up and down.
//!
//! The session adds each submitted line. Bounded in lines and in bytes; the oldest are dropped
//! first. It lives as long as its terminal's session: nothing of it is written to disk.

use std::collections::VecDeque;

/// The submitted lines, and the position while browsing.
#[derive(Debug)]
pub struct LineHistory {
    /// The lines, oldest first.
    lines: VecDeque<String>,
    bytes: usize,
    lines_max: usize,
    bytes_max: usize,
    /// Steps back from the line being typed; 0 is that line.
    steps: usize,
    /// The line being typed, saved while browsing.
    typed: String,
}

impl LineHistory {
    /// Makes an empty history of at most `lines_max` lines and `bytes_max` bytes in total.
    pub fn new(lines_max: usize, bytes_max: usize) -> LineHistory {
        let (lines, typed) = (VecDeque::new(), String::new());
        LineHistory { lines, bytes: 0, lines_max, bytes_max, steps: 0, typed }
    }

    /// Adds a line and stops browsing.
    ///
    /// Blank lines, repetitions of the last one and lines larger than the bound are not added.
    pub fn add(&mut self, line: &str) {
        self.end_walk();
        let again = self.lines.back().is_some_and(|last| last == line);
        if line.trim().is_empty() || again || line.len() > self.bytes_max {
            return;
        }
        self.lines.push_back(line.to_string());
        self.bytes += line.len();
        while self.lines.len() > self.lines_max || self.bytes > self.bytes_max {
            self.bytes -= self.lines.pop_front().map_or(0, |oldest| oldest.len());
        }
    }

    /// Steps back and returns that line; `None` at the oldest.
    ///
    /// `typed` is the line on the terminal, saved at the first step. Edits of a history line are
    /// dropped.
    pub fn up(&mut self, typed: &str) -> Option<&str> {
        if self.steps == self.lines.len() {
            return None;
        }
        if self.steps == 0 {
            typed.clone_into(&mut self.typed);
        }
        self.steps += 1;
        self.here()
    }

    /// Steps forward and returns that line, finally the one being typed; `None` if that is already
    /// shown.
    pub fn down(&mut self) -> Option<&str> {
        self.steps = self.steps.checked_sub(1)?;
        self.here()
    }

    /// Stops browsing and drops the saved line, as when a line is abandoned.
    pub fn end_walk(&mut self) {
        self.steps = 0;
        self.typed = String::new();
    }

    fn here(&self) -> Option<&str> {
        if self.steps == 0 {
            return Some(&self.typed);
        }
        self.lines.get(self.lines.len() - self.steps).map(String::as_str)
    }
}

#[cfg(test)]
mod tests;
