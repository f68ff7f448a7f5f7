//! A row of a formula: joins rendered pieces with the blanks and parentheses they need.
//!
//! The parser adds the pieces. A row knows the left neighbour of a piece and waits for its right
//! one: `1/2` alone, `(1/2)x` before a factor. It knows no commands.

/// The role of a piece among its neighbours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PieceClass {
    Letter,
    /// A letter produced by a command: a blank after it may only end the command's name.
    Sign,
    Number,
    /// The name of a function.
    Word,
    /// An operator with its limits, which applies to what follows.
    Big,
    Text,
    Bin,
    Rel,
    /// A relation, always surrounded by blanks.
    Wide,
    /// A word that relates two sides, such as `mod`.
    Between,
    /// A sign before its operand.
    Prefix,
    /// A sign after its operand.
    Postfix,
    Open,
    Close,
    /// An expression in its own parentheses.
    Group,
    Root,
    Bar,
    Punct,
    Slash,
    Fraction,
}

impl PieceClass {
    /// Returns whether it multiplies an adjacent factor.
    fn is_factor(self) -> bool {
        use PieceClass::{
            Big, Close, Fraction, Group, Letter, Number, Open, Prefix, Root, Sign, Word,
        };
        matches!(
            self,
            Letter | Sign | Number | Word | Big | Prefix | Open | Close | Group | Root | Fraction
        )
    }

    fn is_operator(self) -> bool {
        use PieceClass::{Between, Bin, Punct, Rel, Slash, Wide};
        matches!(self, Bin | Rel | Wide | Between | Slash | Punct)
    }
}

/// The separator of two pieces, weakest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Gap {
    None,
    /// An alignment mark, `&`.
    Column,
    /// A blank in the source.
    Soft,
    /// A blank that the source asks for.
    Hard,
    /// Two blanks, as for `\quad`.
    Wide,
    /// A line break between the two pieces.
    Break,
}

/// How tightly a text binds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bind {
    /// One number, name or parenthesis.
    Atom,
    /// Factors without an operator between them.
    Product,
    /// A minus before a product.
    Signed,
    Loose,
}

/// A rendered part of a formula.
#[derive(Clone, Debug)]
pub struct RowPiece {
    pub class: PieceClass,
    pub text: String,
    /// The text to use if something is attached on its right, where that differs.
    pub joined: Option<String>,
    pub bind: Bind,
    /// Whether a command produced it, so that a blank after it may only end the name.
    pub named: bool,
    /// Whether a blank followed the name.
    pub spaced: bool,
    /// Whether an explicit blank precedes it, or follows it.
    pub lead: bool,
    pub trail: bool,
}

impl RowPiece {
    /// Makes a piece from one symbol or name.
    pub fn new(class: PieceClass, text: impl Into<String>) -> RowPiece {
        let text = text.into();
        let bind = if class.is_operator() { Bind::Loose } else { Bind::Atom };
        let (joined, named, spaced, lead, trail) = (None, false, false, false, false);
        RowPiece { class, text, joined, bind, named, spaced, lead, trail }
    }

    /// Returns the text to use if something is attached on its right.
    pub fn into_joined(self) -> String {
        self.joined.unwrap_or(self.text)
    }
}

/// The left neighbour of a row.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum RowStart {
    Fresh,
    /// An operand: an operator that begins the row applies to it.
    Continued,
    /// After an opening bracket.
    Opened,
}

/// The layout of a row.
#[derive(Clone, Copy)]
pub struct RowLayout {
    /// Omits blanks around operators: in exponents, indices and limits.
    pub tight: bool,
    /// The text of a line break.
    pub breaks: &'static str,
    /// Whether indices and exponents after the row belong to an outer piece.
    pub alone: bool,
}

/// A row under construction.
pub struct FormulaRow {
    text: String,
    last: Option<RowPiece>,
    gap: Gap,
    setting: RowLayout,
    start: RowStart,
    lead: bool,
    pieces: usize,
    parentheses: usize,
    /// Whether anything but factors is outside parentheses.
    loose: bool,
    /// Whether it begins with a minus.
    signed: bool,
    /// Whether it begins with a `d` or `∂`.
    differential: bool,
    first: Option<PieceClass>,
}

impl FormulaRow {
    /// Makes an empty row.
    pub fn new(setting: RowLayout, start: RowStart) -> FormulaRow {
        FormulaRow {
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

    /// Separates the previous piece from the next one.
    pub fn gap(&mut self, gap: Gap) {
        self.gap = self.gap.max(gap);
    }

    /// Returns the class of the first piece.
    pub fn first(&self) -> Option<PieceClass> {
        self.first
    }

    /// Returns the class of the next piece's left neighbour.
    pub fn left(&self) -> Option<PieceClass> {
        let before = match self.start {
            RowStart::Fresh => None,
            RowStart::Continued => Some(PieceClass::Text),
            RowStart::Opened => Some(PieceClass::Open),
        };
        self.last.as_ref().map(|piece| piece.class).or(before)
    }

    /// Appends a piece, with a blank before it if needed.
    pub fn push(&mut self, mut piece: RowPiece) {
        if piece.text.is_empty() {
            return;
        }
        if piece.lead {
            self.gap(Gap::Hard);
        }
        if piece.class == PieceClass::Postfix && self.postfix(&piece) {
            return;
        }
        let (left, soft) = (self.left(), self.gap <= Gap::Soft);
        self.adapt(&mut piece, left);
        let space = self.space(left, &piece);
        self.weigh(&piece, space);
        if let Some(last) = self.last.take() {
            let glued =
                space.is_empty() && (piece.class.is_factor() || piece.class == PieceClass::Text);
            let factor = last.class == PieceClass::Fraction && soft && piece.class.is_factor();
            let mixed = piece.class == PieceClass::Close || piece.class == PieceClass::Bar;
            let joins = !mixed && (glued || factor) || piece.class == PieceClass::Slash;
            self.text.push_str(&if joins { last.into_joined() } else { last.text });
        } else if self.start == RowStart::Fresh {
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

    /// Attaches a postfix sign such as `!`.
    fn postfix(&mut self, piece: &RowPiece) -> bool {
        let Some(last) = self.last.as_mut().filter(|_| self.gap <= Gap::Soft) else { return false };
        last.text = last.joined.take().unwrap_or_else(|| std::mem::take(&mut last.text));
        last.text.push_str(&piece.text);
        if last.class == PieceClass::Fraction {
            last.class = PieceClass::Group;
        }
        self.gap = Gap::None;
        true
    }

    /// Adapts a piece to its left neighbour.
    fn adapt(&mut self, piece: &mut RowPiece, left: Option<PieceClass>) {
        use PieceClass::{Bin, Close, Fraction, Group, Letter, Number, Root, Sign, Slash, Word};
        let operand = left.is_some_and(|left| {
            left.is_factor()
                && !matches!(left, PieceClass::Open | PieceClass::Prefix | PieceClass::Big)
                || matches!(left, PieceClass::Text | PieceClass::Bar | PieceClass::Postfix)
        });
        if matches!(piece.text.as_str(), "±" | "∓") && !operand {
            (piece.class, piece.spaced) = (PieceClass::Prefix, false);
        }
        if piece.named && matches!(piece.class, Bin | PieceClass::Rel) && !self.setting.tight {
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

    /// Returns the text in front of a piece.
    fn space(&self, left: Option<PieceClass>, piece: &RowPiece) -> &'static str {
        let Some(left) = left else { return "" };
        let blank = match self.gap {
            Gap::Break => return self.setting.breaks,
            _ if piece.class == PieceClass::Punct => false,
            Gap::Wide | Gap::Hard if left == PieceClass::Open => false,
            Gap::Wide if !self.setting.tight => return "  ",
            Gap::Wide | Gap::Hard => true,
            Gap::Soft => self.keeps_blank(left, piece),
            Gap::Column => !piece.class.is_operator() || self.needs_blank(left, piece),
            Gap::None => self.needs_blank(left, piece),
        };
        if blank { " " } else { "" }
    }

    /// Returns whether a blank of the source is shown.
    fn keeps_blank(&self, left: PieceClass, piece: &RowPiece) -> bool {
        use PieceClass::{Close, Group, Letter, Open, Prefix, Root, Sign, Word};
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
    fn needs_blank(&self, left: PieceClass, piece: &RowPiece) -> bool {
        use PieceClass::{Bar, Between, Big, Close, Fraction, Group, Open, Prefix, Root, Text};
        use PieceClass::{Wide, Word};
        let right = piece.class;
        match (left, right) {
            (Open | Prefix, _) | (_, Close) => false,
            (Between, _) | (_, Between) => true,
            // Otherwise its index reads as an exponent.
            (_, Root) if left.is_factor() => !piece.text.starts_with(['√', '∛', '∜']),
            (Wide, _) | (_, Wide) => !self.setting.tight,
            (Big, _) => !right.is_operator(),
            (Word, Open | Group | Bar | Fraction) => false,
            (Word, _) => right.is_factor() || right == Text,
            (_, Word | Big) => left.is_factor(),
            _ => false,
        }
    }

    /// Updates how tightly the row binds.
    fn weigh(&mut self, piece: &RowPiece, space: &str) {
        let class = piece.class;
        if class == PieceClass::Close {
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
        if class == PieceClass::Open {
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
    pub fn into_piece(mut self) -> RowPiece {
        let mut bind = self.bind();
        let trail = self.gap >= Gap::Hard && self.gap < Gap::Break;
        let alone = self.pieces == 1;
        let Some(last) = self.last.take() else { return RowPiece::new(PieceClass::Letter, "") };
        let class = if alone { last.class } else { PieceClass::Letter };
        let joined = last.joined.map(|joined| format!("{}{joined}", self.text));
        self.text.push_str(&last.text);
        if bind != Bind::Atom && (is_enclosed(&self.text) || is_call(&self.text)) {
            bind = Bind::Atom;
        }
        let (named, spaced, lead) = (false, false, self.lead);
        RowPiece { class, text: self.text, joined, bind, named, spaced, lead, trail }
    }
}

fn loosens(class: PieceClass) -> bool {
    class.is_operator()
        || matches!(
            class,
            PieceClass::Word | PieceClass::Big | PieceClass::Text | PieceClass::Fraction
        )
}

/// Returns whether a text is the `d` of `dx`, `d²y` or `∂x`.
fn is_differential(piece: &RowPiece) -> bool {
    let mut signs = piece.text.chars();
    matches!(signs.next(), Some('d' | '∂')) && signs.all(|c| "²³⁴ⁿ".contains(c))
}

/// Encloses a text in parentheses unless it already is.
pub fn enclosed(text: &str) -> String {
    if is_enclosed(text) { text.to_string() } else { format!("({text})") }
}

/// Returns whether the first parenthesis closes at the end of the text.
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

/// Returns whether a text is a function's value, such as `f(x)` or `sin(2x)`.
fn is_call(text: &str) -> bool {
    let Some(open) = text.find('(') else { return false };
    let (name, rest) = text.split_at(open);
    let letters = name.chars().filter(|c| c.is_ascii_alphabetic()).count();
    let is_name = letters == name.chars().count() && letters > 2 || matches!(name, "f" | "g" | "h");
    is_name && is_enclosed(rest)
}
