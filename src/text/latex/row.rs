//! A row of a formula: pieces written one after the other, with blanks and parentheses between them
//! where they are needed.
//!
//! The parser hands pieces over. A row knows what stands to the left of a piece and waits for what
//! comes to its right: `1/2` alone, `(1/2)x` before a factor. It knows no commands.

/// What a piece is to its neighbours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    Letter,
    /// A letter a command stands for: blanks around it only end the command's name.
    Sign,
    Number,
    /// The name of a function.
    Word,
    /// An operator with its limits, which takes what follows.
    Big,
    Text,
    Bin,
    Rel,
    /// A relation that always has blanks around it.
    Wide,
    /// A word that relates two sides, such as `mod`.
    Between,
    /// A sign that belongs to what follows.
    Prefix,
    /// A sign that belongs to what stands before it.
    Postfix,
    Open,
    Close,
    /// Something with its own parentheses around it.
    Group,
    Root,
    Bar,
    Punct,
    Slash,
    Fraction,
}

impl Class {
    /// Returns whether it is a factor where it stands beside another one.
    fn is_factor(self) -> bool {
        use Class::{Big, Close, Fraction, Group, Letter, Number, Open, Prefix, Root, Sign, Word};
        matches!(
            self,
            Letter | Sign | Number | Word | Big | Prefix | Open | Close | Group | Root | Fraction
        )
    }

    fn is_operator(self) -> bool {
        use Class::{Between, Bin, Punct, Rel, Slash, Wide};
        matches!(self, Bin | Rel | Wide | Between | Slash | Punct)
    }
}

/// What separates two pieces, the stronger the later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Gap {
    None,
    /// `&`
    Column,
    /// A blank in the source.
    Soft,
    /// A blank that is meant.
    Hard,
    /// Two blanks.
    Wide,
    /// A new line.
    Break,
}

/// How firmly a text holds together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bind {
    /// One number, name or parenthesis.
    Atom,
    /// Factors without anything between them.
    Product,
    /// A minus before a product.
    Signed,
    Loose,
}

/// A part of a formula, written out.
#[derive(Clone, Debug)]
pub struct Piece {
    pub class: Class,
    pub text: String,
    /// How it is written if something is joined to its right, where that differs.
    pub joined: Option<String>,
    pub bind: Bind,
    /// It came as a command, so that the blank behind it may only end the name.
    pub named: bool,
    /// A blank followed the name.
    pub spaced: bool,
    /// A blank that is meant stands before it, or after it.
    pub lead: bool,
    pub trail: bool,
}

impl Piece {
    /// Makes a piece of one sign or name.
    pub fn new(class: Class, text: impl Into<String>) -> Piece {
        let text = text.into();
        let bind = if class.is_operator() { Bind::Loose } else { Bind::Atom };
        let (joined, named, spaced, lead, trail) = (None, false, false, false, false);
        Piece { class, text, joined, bind, named, spaced, lead, trail }
    }

    /// Returns the text to which something is joined on its right.
    pub fn into_joined(self) -> String {
        self.joined.unwrap_or(self.text)
    }
}

/// What stands to the left of a row.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Start {
    Fresh,
    /// An operand: an operator that comes first relates it to what follows.
    Continued,
    /// An opening bracket.
    Opened,
}

/// How a row is set.
#[derive(Clone, Copy)]
pub struct Setting {
    /// No blanks around operators: in exponents, indices and limits.
    pub tight: bool,
    /// What a new line is written as.
    pub breaks: &'static str,
    /// Indices and exponents that follow belong to somebody else.
    pub alone: bool,
}

/// A row that is being written.
pub struct Row {
    text: String,
    last: Option<Piece>,
    gap: Gap,
    setting: Setting,
    start: Start,
    lead: bool,
    pieces: usize,
    parentheses: usize,
    /// Something but factors stands outside of parentheses.
    loose: bool,
    /// It begins with a minus.
    signed: bool,
    /// It begins with a `d` or `∂`.
    differential: bool,
    first: Option<Class>,
}

impl Row {
    /// Begins a row.
    pub fn new(setting: Setting, start: Start) -> Row {
        Row {
            text: String::new(),
            last: None,
            gap: Gap::None,
            setting,
            start,
            lead: false,
            pieces: 0,
            parentheses: 0,
            loose: false,
            signed: false,
            differential: false,
            first: None,
        }
    }

    /// Separates what stands before from what comes.
    pub fn gap(&mut self, gap: Gap) {
        self.gap = self.gap.max(gap);
    }

    /// Returns the class of the first piece.
    pub fn first(&self) -> Option<Class> {
        self.first
    }

    /// Returns the class of what stands to the left of the next piece.
    pub fn left(&self) -> Option<Class> {
        let before = match self.start {
            Start::Fresh => None,
            Start::Continued => Some(Class::Text),
            Start::Opened => Some(Class::Open),
        };
        self.last.as_ref().map(|piece| piece.class).or(before)
    }

    /// Writes a piece.
    pub fn push(&mut self, mut piece: Piece) {
        if piece.text.is_empty() {
            return;
        }
        if piece.lead {
            self.gap(Gap::Hard);
        }
        if piece.class == Class::Postfix && self.postfix(&piece) {
            return;
        }
        let (left, soft) = (self.left(), self.gap <= Gap::Soft);
        self.adapt(&mut piece, left);
        let space = self.space(left, &piece);
        self.weigh(&piece, space);
        if let Some(last) = self.last.take() {
            let glued = space.is_empty() && (piece.class.is_factor() || piece.class == Class::Text);
            let factor = last.class == Class::Fraction && soft && piece.class.is_factor();
            let mixed = piece.class == Class::Close || piece.class == Class::Bar;
            let joins = !mixed && (glued || factor) || piece.class == Class::Slash;
            self.text.push_str(&if joins { last.into_joined() } else { last.text });
        } else if self.start == Start::Fresh {
            self.lead = self.gap >= Gap::Hard && self.gap < Gap::Break;
        }
        self.text.push_str(space);
        let wide = piece.spaced && !self.setting.tight;
        self.gap = match () {
            () if piece.trail => Gap::Hard,
            () if wide => Gap::Soft,
            () => Gap::None,
        };
        self.last = Some(piece);
    }

    /// Joins a sign such as `!` to what it belongs to.
    fn postfix(&mut self, piece: &Piece) -> bool {
        let Some(last) = self.last.as_mut().filter(|_| self.gap <= Gap::Soft) else { return false };
        last.text = last.joined.take().unwrap_or_else(|| std::mem::take(&mut last.text));
        last.text.push_str(&piece.text);
        if last.class == Class::Fraction {
            last.class = Class::Group;
        }
        self.gap = Gap::None;
        true
    }

    /// Fits a piece to what stands to its left.
    fn adapt(&mut self, piece: &mut Piece, left: Option<Class>) {
        use Class::{Bin, Close, Fraction, Group, Letter, Number, Root, Sign, Slash, Word};
        let operand = left.is_some_and(|left| {
            left.is_factor() && !matches!(left, Class::Open | Class::Prefix | Class::Big)
                || matches!(left, Class::Text | Class::Bar | Class::Postfix)
        });
        if matches!(piece.text.as_str(), "±" | "∓") && !operand {
            (piece.class, piece.spaced) = (Class::Prefix, false);
        }
        if piece.named && matches!(piece.class, Bin | Class::Rel) && !self.setting.tight {
            piece.spaced |= self.gap >= Gap::Soft;
            if piece.spaced && left.is_some() {
                self.gap(Gap::Hard);
            }
        } else {
            piece.spaced = false;
        }
        if piece.class != Fraction || self.gap > Gap::Soft {
            return;
        }
        let before = self.last.as_ref().map_or("", |last| &last.text);
        let encloses = match left {
            Some(Letter | Sign | Close | Group | Root | Word | Slash | Fraction) => true,
            Some(Number) => !piece.text.chars().all(|c| c.is_ascii_digit() || c == '/'),
            Some(Bin) => piece.text.starts_with('-') || before == "÷",
            _ => false,
        };
        if encloses {
            piece.text = enclosed(&piece.text);
            (piece.class, piece.bind, piece.joined) = (Group, Bind::Atom, None);
        } else if left == Some(Number) {
            // A mixed number.
            self.gap(Gap::Hard);
        }
    }

    /// Returns what is written before a piece.
    fn space(&self, left: Option<Class>, piece: &Piece) -> &'static str {
        let Some(left) = left else { return "" };
        let blank = match self.gap {
            Gap::Break => return self.setting.breaks,
            _ if piece.class == Class::Punct => false,
            Gap::Wide | Gap::Hard if left == Class::Open => false,
            Gap::Wide if !self.setting.tight => return "  ",
            Gap::Wide | Gap::Hard => true,
            Gap::Soft => self.keeps_blank(left, piece),
            Gap::Column => !piece.class.is_operator() || self.needs_blank(left, piece),
            Gap::None => self.needs_blank(left, piece),
        };
        if blank { " " } else { "" }
    }

    /// Returns whether a blank of the source is shown.
    fn keeps_blank(&self, left: Class, piece: &Piece) -> bool {
        use Class::{Close, Group, Letter, Open, Prefix, Root, Sign, Word};
        let right = piece.class;
        let is_named = |class| matches!(class, Sign | Root);
        let tight = self.setting.tight && (left.is_operator() || right.is_operator());
        match (left, right) {
            _ if self.needs_blank(left, piece) => true,
            _ if tight => false,
            (_, Close) | (Open | Prefix, _) | (Word, Open | Group) => false,
            (Letter, Letter) => !self.last.as_ref().is_some_and(is_differential),
            _ if is_named(left) || is_named(right) => !(left.is_factor() && right.is_factor()),
            _ => true,
        }
    }

    /// Returns whether two pieces need a blank that is not in the source.
    fn needs_blank(&self, left: Class, piece: &Piece) -> bool {
        use Class::{Bar, Between, Big, Close, Fraction, Group, Open, Prefix, Root, Text};
        use Class::{Wide, Word};
        let right = piece.class;
        match (left, right) {
            (Open | Prefix, _) | (_, Close) => false,
            (Between, _) | (_, Between) => true,
            // Or its index reads as an exponent.
            (_, Root) if left.is_factor() => !piece.text.starts_with(['√', '∛', '∜']),
            (Wide, _) | (_, Wide) => !self.setting.tight,
            (Big, _) => !right.is_operator(),
            (Word, Open | Group | Bar | Fraction) => false,
            (Word, _) => right.is_factor() || right == Text,
            (_, Word | Big) => left.is_factor(),
            _ => false,
        }
    }

    /// Keeps account of how firmly the row holds together.
    fn weigh(&mut self, piece: &Piece, space: &str) {
        let class = piece.class;
        if class == Class::Close {
            self.parentheses = self.parentheses.saturating_sub(1);
        }
        if self.pieces == 0 {
            self.first = Some(class);
            self.signed = piece.text == "-";
            self.differential = is_differential(piece);
            self.loose = !self.signed && loosens(class);
        } else if self.parentheses == 0 {
            self.loose |= !space.is_empty() || loosens(class);
        }
        if class == Class::Open {
            self.parentheses += 1;
        }
        self.pieces += 1;
    }

    fn bind(&self) -> Bind {
        match (self.pieces, &self.last) {
            (1, Some(only)) => only.bind,
            (2, _) if self.differential => Bind::Atom,
            _ if self.loose => Bind::Loose,
            _ if self.signed => Bind::Signed,
            _ => Bind::Product,
        }
    }

    /// Ends the row and returns it as one piece.
    pub fn into_piece(mut self) -> Piece {
        let mut bind = self.bind();
        let trail = self.gap >= Gap::Hard && self.gap < Gap::Break;
        let alone = self.pieces == 1;
        let Some(last) = self.last.take() else { return Piece::new(Class::Letter, "") };
        let class = if alone { last.class } else { Class::Letter };
        let joined = last.joined.map(|joined| format!("{}{joined}", self.text));
        self.text.push_str(&last.text);
        if bind != Bind::Atom && (is_enclosed(&self.text) || is_call(&self.text)) {
            bind = Bind::Atom;
        }
        let (named, spaced, lead) = (false, false, self.lead);
        Piece { class, text: self.text, joined, bind, named, spaced, lead, trail }
    }
}

fn loosens(class: Class) -> bool {
    class.is_operator() || matches!(class, Class::Word | Class::Big | Class::Text | Class::Fraction)
}

/// Returns whether it is the `d` of `dx`, `d²y` or `∂x`.
fn is_differential(piece: &Piece) -> bool {
    let mut signs = piece.text.chars();
    matches!(signs.next(), Some('d' | '∂')) && signs.all(|c| "²³⁴ⁿ".contains(c))
}

/// Puts parentheses around a text that has none around it yet.
pub fn enclosed(text: &str) -> String {
    if is_enclosed(text) { text.to_string() } else { format!("({text})") }
}

/// Returns whether the first parenthesis closes at the end.
fn is_enclosed(text: &str) -> bool {
    let mut depth = 0_usize;
    for (at, c) in text.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 {
            return at > 0 && at + 1 == text.len();
        }
    }
    false
}

/// Returns whether it is a function's value, such as `f(x)` or `sin(2x)`.
fn is_call(text: &str) -> bool {
    let Some(open) = text.find('(') else { return false };
    let (name, rest) = text.split_at(open);
    let letters = name.chars().filter(|c| c.is_ascii_alphabetic()).count();
    let is_name = letters == name.chars().count() && letters > 2 || matches!(name, "f" | "g" | "h");
    is_name && is_enclosed(rest)
}
