//! Cuts the source of a formula into LaTeX's tokens, one at a time.
//!
//! The parser reads them. A run of blanks is one token, and so is a number: what takes a single
//! digit puts the rest back. Nothing is judged here and nothing is lost.

/// The bytes an optional argument may have; what is longer is no argument.
const OPTIONAL_BYTES_MAX: usize = 64;

/// One token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Token<'a> {
    /// A backslash and letters, by the letters.
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

/// The source and how far it is read.
#[derive(Clone)]
pub struct Tokens<'a> {
    source: &'a str,
    pub at: usize,
}

impl<'a> Tokens<'a> {
    /// Begins to read.
    pub fn new(source: &'a str) -> Tokens<'a> {
        Tokens { source, at: 0 }
    }

    /// Returns what is not read yet.
    pub fn rest(&self) -> &'a str {
        &self.source[self.at..]
    }

    /// Returns what was read since a place.
    pub fn since(&self, place: usize) -> &'a str {
        &self.source[place..self.at]
    }

    /// Returns the next token without reading it.
    pub fn peek(&self) -> Option<Token<'a>> {
        self.clone().next()
    }

    /// Reads past blanks.
    pub fn skip_blanks(&mut self) {
        self.at += self.length(|byte| b" \t\n\r".contains(&byte));
    }

    /// Reads past a character if it is the next one.
    pub fn accept(&mut self, c: char) -> bool {
        let is_next = self.rest().starts_with(c);
        self.at += if is_next { c.len_utf8() } else { 0 };
        is_next
    }

    /// Reads an optional argument, if one comes, and returns what is between its brackets.
    pub fn optional(&mut self) -> Option<&'a str> {
        let inner = self.rest().strip_prefix('[')?;
        let end = inner.bytes().take(OPTIONAL_BYTES_MAX).position(|byte| byte == b']')?;
        self.at += end + 2;
        Some(&inner[..end])
    }

    /// Reads a name in braces, if one comes.
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

    /// Reads a group in braces as it is, up to its closing brace or the end.
    pub fn skip_group(&mut self) {
        let mut depth = 0_usize;
        for token in self.by_ref() {
            match token {
                Token::Open => depth += 1,
                Token::Close => depth = depth.saturating_sub(1),
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

    fn number(&mut self) -> Token<'a> {
        let from = self.at;
        self.at += self.length(|byte| byte.is_ascii_digit());
        let mut rest = self.rest().bytes();
        if rest.next() == Some(b'.') && rest.next().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
            self.at += self.length(|byte| byte.is_ascii_digit());
        }
        Token::Number(self.since(from))
    }

    fn escaped(&mut self) -> Token<'a> {
        let Some(c) = self.rest().chars().next() else { return Token::Other('\\') };
        if !c.is_ascii_alphabetic() {
            self.at += c.len_utf8();
            return Token::Escape(c);
        }
        let from = self.at;
        self.at += self.length(|byte| byte.is_ascii_alphabetic());
        Token::Command(self.since(from))
    }
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        let c = self.rest().chars().next()?;
        if c.is_ascii_digit() {
            return Some(self.number());
        }
        self.at += c.len_utf8();
        Some(match c {
            '\\' => self.escaped(),
            '{' => Token::Open,
            '}' => Token::Close,
            '^' => Token::Raise,
            '_' => Token::Lower,
            '\'' => Token::Prime,
            '&' => Token::Cell,
            ' ' | '\t' | '\n' | '\r' => {
                self.at += self.length(|byte| b" \t\n\r".contains(&byte));
                Token::Blank
            }
            c => Token::Other(c),
        })
    }
}
