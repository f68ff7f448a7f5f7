//! Tokenizes the source of a formula, one LaTeX token at a time.
//!
//! A run of blanks is one token, and so is a number: a caller that takes a single digit puts the
//! rest back. Every byte of the source belongs to a token.

/// Longest optional argument, in bytes.
const OPTIONAL_BYTES_MAX: usize = 64;

/// A token of LaTeX source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LatexToken<'a> {
    /// A backslash and letters; holds the letters.
    Command(&'a str),
    /// A backslash and another character.
    Escape(char),
    Open,
    Close,
    Raise,
    Lower,
    Prime,
    Cell,
    Blank,
    Number(&'a str),
    Other(char),
}

/// A cursor over the source.
#[derive(Clone)]
pub struct LatexTokens<'a> {
    source: &'a str,
    pub at: usize,
}

impl<'a> LatexTokens<'a> {
    /// Makes a cursor at the start of a source.
    pub fn new(source: &'a str) -> LatexTokens<'a> {
        LatexTokens { source, at: 0 }
    }

    /// Returns the unread source.
    pub fn rest(&self) -> &'a str {
        &self.source[self.at..]
    }

    /// Returns the source read since an offset.
    pub fn since(&self, place: usize) -> &'a str {
        &self.source[place..self.at]
    }

    /// Returns the next token without reading it.
    pub fn peek(&self) -> Option<LatexToken<'a>> {
        self.clone().next()
    }

    /// Skips blanks and line ends.
    pub fn skip_blanks(&mut self) {
        self.at += self.length(|byte| b" \t\n\r".contains(&byte));
    }

    /// Skips a character if it is the next one.
    pub fn accept(&mut self, c: char) -> bool {
        let is_next = self.rest().starts_with(c);
        self.at += if is_next { c.len_utf8() } else { 0 };
        is_next
    }

    /// Reads an optional argument, if one follows; returns the text between its brackets.
    pub fn optional(&mut self) -> Option<&'a str> {
        let inner = self.rest().strip_prefix('[')?;
        let end = inner.bytes().take(OPTIONAL_BYTES_MAX).position(|byte| byte == b']')?;
        self.at += end + 2;
        Some(&inner[..end])
    }

    /// Reads a name in braces, if one follows.
    pub fn name(&mut self) -> Option<&'a str> {
        let inner = self.rest().strip_prefix('{')?;
        let end = inner.bytes().take(OPTIONAL_BYTES_MAX).position(|byte| byte == b'}')?;
        let name = &inner[..end];
        if !name.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'*') {
            return None;
        }
        self.at += end + 2;
        Some(name)
    }

    /// Reads a group in braces verbatim, up to its closing brace or the end.
    pub fn skip_group(&mut self) {
        let mut depth = 0_usize;
        for token in self.by_ref() {
            match token {
                LatexToken::Open => depth += 1,
                LatexToken::Close => depth = depth.saturating_sub(1),
                _ => {}
            }
            if depth == 0 {
                return;
            }
        }
    }

    fn length(&self, holds: impl Fn(u8) -> bool) -> usize {
        self.rest().bytes().take_while(|&byte| holds(byte)).count()
    }

    fn number(&mut self) -> LatexToken<'a> {
        let from = self.at;
        self.at += self.length(|byte| byte.is_ascii_digit());
        let mut rest = self.rest().bytes();
        if rest.next() == Some(b'.') && rest.next().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
            self.at += self.length(|byte| byte.is_ascii_digit());
        }
        LatexToken::Number(self.since(from))
    }

    fn escaped(&mut self) -> LatexToken<'a> {
        let Some(c) = self.rest().chars().next() else { return LatexToken::Other('\\') };
        if !c.is_ascii_alphabetic() {
            self.at += c.len_utf8();
            return LatexToken::Escape(c);
        }
        let from = self.at;
        self.at += self.length(|byte| byte.is_ascii_alphabetic());
        LatexToken::Command(self.since(from))
    }
}

impl<'a> Iterator for LatexTokens<'a> {
    type Item = LatexToken<'a>;

    fn next(&mut self) -> Option<LatexToken<'a>> {
        let c = self.rest().chars().next()?;
        if c.is_ascii_digit() {
            return Some(self.number());
        }
        self.at += c.len_utf8();
        Some(match c {
            '\\' => self.escaped(),
            '{' => LatexToken::Open,
            '}' => LatexToken::Close,
            '^' => LatexToken::Raise,
            '_' => LatexToken::Lower,
            '\'' => LatexToken::Prime,
            '&' => LatexToken::Cell,
            ' ' | '\t' | '\n' | '\r' => {
                self.at += self.length(|byte| b" \t\n\r".contains(&byte));
                LatexToken::Blank
            }
            c => LatexToken::Other(c),
        })
    }
}
