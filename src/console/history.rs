//! The lines typed before, to walk through with the arrows up and down.
//!
//! The console's session adds each line that was sent. Bounded in lines and in bytes, the oldest go
//! first. It lives as long as its terminal's session: nothing of it is written to disk.

use std::collections::VecDeque;

/// Lines typed before, and where in them a person is.
#[derive(Debug)]
pub struct Past {
    /// The oldest first.
    lines: VecDeque<String>,
    bytes: usize,
    lines_max: usize,
    bytes_max: usize,
    /// Steps back from the line being typed, which is 0.
    steps: usize,
    /// The line being typed, kept while others are looked at.
    typed: String,
}

impl Past {
    /// Makes an empty past of at most `lines_max` lines and `bytes_max` bytes together.
    pub fn new(lines_max: usize, bytes_max: usize) -> Past {
        let (lines, typed) = (VecDeque::new(), String::new());
        Past { lines, bytes: 0, lines_max, bytes_max, steps: 0, typed }
    }

    /// Keeps a line and ends the walk.
    ///
    /// Blank ones, the one that was kept last and those that exceed all room are not kept.
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

    /// Steps back and returns the line there, or nothing at the oldest.
    ///
    /// `typed` is what stands on the terminal; at the first step it is kept. What was made of a
    /// line of the past is forgotten.
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

    /// Steps forward and returns the line there, in the end the one that was being typed; nothing
    /// if that stands there already.
    pub fn down(&mut self) -> Option<&str> {
        self.steps = self.steps.checked_sub(1)?;
        self.here()
    }

    /// Forgets where the walk was and the line kept for its end, as when a line is given up.
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
