//! Tables of LaTeX's commands and environments, by name.
//!
//! The scanner looks up which commands take arguments and which environments exist, the parser how
//! to render them. The symbols are those of the Unicode standard, under their names in LaTeX,
//! amsmath and amssymb. An unknown name is output unchanged.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::letters::Font;
use super::row::{Gap, PieceClass};
use super::signs;

/// The kind of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommandKind {
    /// A symbol rendered as this text.
    Sign(PieceClass, &'static str),
    /// A function rendered by its own name.
    Function,
    /// A function or an operator with limits below and above it.
    Limits(PieceClass, &'static str),
    Space(Gap),
    /// A layout command, rendered as nothing.
    Nothing,
    /// A command whose argument is not shown.
    Hidden,
    /// A command of which only the argument is shown.
    Shown,
    /// A command of which only the second argument is shown.
    SecondShown,
    /// A command of which only the third argument is shown.
    ThirdShown,
    /// A command with two arguments that are not shown.
    HiddenPair,
    /// A command followed by a length, which is not shown.
    Length,
    /// A line to write on.
    Rule,
    Text,
    /// The number of a formula, in parentheses.
    Reference,
    /// An expression struck out, and its value.
    CancelTo,
    /// A chemical formula in the notation of mhchem.
    Chemistry,
    /// A fraction or binomial between given delimiters.
    Genfrac,
    /// A number and its unit.
    Quantity,
    Angle,
    /// A derivative with this differential.
    Derivative(&'static str),
    /// Indices in front of a symbol.
    Prescript,
    /// Indices at the sides of an operator.
    Sideset,
    /// An argument between two delimiters.
    Between(&'static str, &'static str),
    /// A modulus without `mod`.
    Pod,
    Font(Font),
    /// An accent over one letter, or a word for longer arguments.
    Accent(char, &'static str),
    /// A line over, under or through all letters.
    Line(char, &'static str),
    Underline,
    Brace,
    Fraction,
    Binomial,
    Root,
    Boxed,
    Modulus,
    Operator,
    Tag,
    Not,
    /// A symbol stacked over (or under) another, in two arguments.
    Stacked,
    /// An arrow with a label.
    Arrow(&'static str),
    Substack,
    /// The infix fraction, `{a \over b}`.
    Over,
    /// The infix binomial, `{n \choose k}`.
    Choose,
    /// Two lines, `{a \atop b}`.
    Atop,
    Left,
    Right,
    Middle,
    Begin,
    End,
    Newline,
    Intertext,
}

impl CommandKind {
    /// Returns whether the text after the name belongs to the command.
    pub fn takes_arguments(self) -> bool {
        !matches!(
            self,
            CommandKind::Sign(..)
                | CommandKind::Function
                | CommandKind::Limits(..)
                | CommandKind::Space(_)
                | CommandKind::Nothing
                | CommandKind::Over
                | CommandKind::Choose
                | CommandKind::Atop
                | CommandKind::Rule
                | CommandKind::Newline
        )
    }

    /// Returns whether models also use it outside formulas, in the middle of a sentence.
    pub fn stands_bare(self) -> bool {
        !matches!(
            self,
            CommandKind::Hidden
                | CommandKind::Tag
                | CommandKind::Over
                | CommandKind::Choose
                | CommandKind::Atop
                | CommandKind::HiddenPair
                | CommandKind::Length
                | CommandKind::Middle
                | CommandKind::Begin
                | CommandKind::End
                | CommandKind::Newline
                | CommandKind::Intertext
        )
    }
}

/// The kind of an environment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Environment {
    /// Stacked formulas; `wide` if the environment takes an argument.
    Layout { wide: bool },
    /// Rows and cells within a formula.
    Grid(Grid),
    /// Items of a list.
    List { numbered: bool },
    /// A block of text, of which only the content is shown.
    Block,
}

/// How rows and cells are rendered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grid {
    /// Between two brackets, unless one already precedes it.
    Matrix(&'static str, &'static str),
    /// Between the brackets around it, or square ones.
    Plain,
    /// As a matrix or a table; the text after its name gives the column alignment.
    Array,
    /// As a table whose cells are text.
    Table,
    /// Lines below an operator.
    Stack,
    Cases,
}

/// Pairs of a name and its symbol, by class.
const SIGNS: &[(PieceClass, &str)] = &[
    (
        PieceClass::Sign,
        "alpha α beta β gamma γ delta δ epsilon ε varepsilon ε zeta ζ eta η theta θ vartheta ϑ
        iota ι kappa κ varkappa ϰ lambda λ mu μ nu ν xi ξ omicron ο pi π varpi ϖ rho ρ varrho ϱ
        sigma σ varsigma ς tau τ upsilon υ phi φ varphi φ chi χ psi ψ omega ω
        Gamma Γ Delta Δ Theta Θ Lambda Λ Xi Ξ Pi Π Sigma Σ Upsilon Υ Phi Φ Psi Ψ Omega Ω
        infty ∞ hbar ℏ ell ℓ imath ı jmath ȷ wp ℘ aleph ℵ beth ℶ emptyset ∅
        varnothing ∅ prime ′ degree ° top ⊤ bot ⊥ square □ Box □ blacksquare ■ qed ∎
        bigstar ★ checkmark ✓ complement ∁ eth ð",
    ),
    (
        PieceClass::Letter,
        "ldots … dots … dotsc … dotso … cdots ⋯ dotsb ⋯ dotsm ⋯ dotsi ⋯ vdots ⋮ ddots ⋱
        backslash \\ pounds £ euro € yen ¥ clubsuit ♣ diamondsuit ♦ heartsuit ♥ spadesuit ♠
        textdollar $ textbackslash \\ dollar $",
    ),
    (
        PieceClass::Prefix,
        "neg ¬ lnot ¬ forall ∀ exists ∃ nexists ∄ angle ∠ measuredangle ∡ sphericalangle ∢
        triangle △ vartriangle △ nabla ∇ partial ∂ surd √ odot ⊙",
    ),
    (
        PieceClass::Bin,
        "pm ± mp ∓ times × div ÷ cdot · ast * star ⋆ circ ∘ bullet • cap ∩ cup ∪ uplus ⊎
        sqcap ⊓ sqcup ⊔ vee ∨ wedge ∧ lor ∨ land ∧ setminus ∖ smallsetminus ∖ oplus ⊕ ominus ⊖
        otimes ⊗ oslash ⊘ dagger † ddagger ‡ amalg ⨿ wr ≀ diamond ⋄ ltimes ⋉ rtimes ⋊
        bigtriangleup △ bigtriangledown ▽ triangledown ▽ bigcirc ◯ veebar ⊻",
    ),
    (
        PieceClass::Rel,
        "le ≤ leq ≤ leqslant ≤ ge ≥ geq ≥ geqslant ≥ lt < gt > ne ≠ neq ≠ equiv ≡ sim ∼ simeq ≃
        approx ≈ cong ≅ propto ∝ ll ≪ gg ≫ lll ⋘ ggg ⋙ prec ≺ succ ≻ preceq ≼ succeq ≽ doteq ≐
        triangleq ≜ coloneqq ≔ eqqcolon ≕ asymp ≍ in ∈ notin ∉ ni ∋ subset ⊂ subseteq ⊆ supset ⊃
        supseteq ⊇ subsetneq ⊊ supsetneq ⊋ nsubseteq ⊈ nsupseteq ⊉ sqsubseteq ⊑ sqsupseteq ⊒
        perp ⊥ parallel ∥ nparallel ∦ nmid ∤ vdash ⊢ dashv ⊣ models ⊨ vDash ⊨ Vdash ⊩ nless ≮
        ngtr ≯ nleq ≰ ngeq ≱ ncong ≇ lesssim ≲ gtrsim ≳ bowtie ⋈ frown ⌢ smile ⌣ thicksim ∼
        thickapprox ≈ to → rightarrow → leftarrow ← gets ← leftrightarrow ↔ mapsto ↦ uparrow ↑
        downarrow ↓ updownarrow ↕ Uparrow ⇑ Downarrow ⇓ nearrow ↗ searrow ↘ swarrow ↙ nwarrow ↖
        hookrightarrow ↪ hookleftarrow ↩ rightharpoonup ⇀ rightleftharpoons ⇌ nrightarrow ↛
        nleftarrow ↚ rightsquigarrow ⇝ leadsto ⇝ twoheadrightarrow ↠ upharpoonright ↾",
    ),
    (
        PieceClass::Wide,
        "implies ⟹ impliedby ⟸ iff ⟺ Rightarrow ⇒ Leftarrow ⇐ Leftrightarrow ⇔ longrightarrow ⟶
        longleftarrow ⟵ Longrightarrow ⟹ Longleftarrow ⟸ longleftrightarrow ⟷
        Longleftrightarrow ⟺ longmapsto ⟼ mid | therefore ∴ because ∵ nRightarrow ⇏",
    ),
    (PieceClass::Between, "bmod mod mod mod"),
    (
        PieceClass::Open,
        "lbrace { lbrack [ lparen ( langle ⟨ lfloor ⌊ lceil ⌈ lvert | lVert ‖ llbracket ⟦
        lgroup ( ulcorner ⌜",
    ),
    (
        PieceClass::Close,
        "rbrace } rbrack ] rparen ) rangle ⟩ rfloor ⌋ rceil ⌉ rvert | rVert ‖ rrbracket ⟧
        rgroup ) urcorner ⌝",
    ),
    (PieceClass::Bar, "vert | Vert ‖"),
    (PieceClass::Punct, "colon : comma ,"),
];

/// Pairs of a name and its operator.
const BIG: &str = "sum ∑ prod ∏ coprod ∐ int ∫ iint ∬ iiint ∭ oint ∮ oiint ∯ bigcup ⋃ bigcap ⋂
    bigvee ⋁ bigwedge ⋀ bigoplus ⨁ bigotimes ⨂ bigodot ⨀ bigsqcup ⨆ biguplus ⨄ smallint ∫";

/// Names of each kind.
const NAMES: &[(CommandKind, &str)] = &[
    (
        CommandKind::Function,
        "sin cos tan cot sec csc sinh cosh tanh coth arcsin arccos arctan arccot arg deg det dim exp
        hom ker lg ln log gcd lcm sgn Re Im",
    ),
    (CommandKind::Space(Gap::Hard), "space enspace thinspace medspace thickspace nobreakspace"),
    (CommandKind::Space(Gap::Wide), "quad qquad hfill hfil"),
    (
        CommandKind::Nothing,
        "displaystyle textstyle scriptstyle scriptscriptstyle limits nolimits displaylimits nonumber
        notag big Big bigg Bigg bigl Bigl biggl Biggl bigr Bigr biggr Biggr bigm Bigm biggm Biggm
        hline toprule midrule bottomrule centering noindent allowbreak nobreak negthinspace
        negmedspace negthickspace mathstrut strut relax boldmath rm bf it sf tt cal mit normalsize
        small large Large LARGE huge Huge tiny footnotesize bfseries itshape",
    ),
    (
        CommandKind::Hidden,
        "label color phantom hphantom vphantom vspace hspace mspace cline pagecolor",
    ),
    (
        CommandKind::Shown,
        "smash mathop mathrel mathbin mathord mathopen mathclose mathpunct mathinner ensuremath
        llap rlap mathllap mathrlap mathclap",
    ),
    (CommandKind::SecondShown, "textcolor colorbox raisebox"),
    (
        CommandKind::Text,
        "text textbf textit textrm textsf texttt textnormal textsc textup textmd mbox hbox emph",
    ),
    (
        CommandKind::Font(Font::Plain),
        "mathrm mathbf mathit mathsf mathtt mathnormal boldsymbol bm pmb symbf symup",
    ),
    (CommandKind::Font(Font::DoubleStruck), "mathbb Bbb mathds"),
    (CommandKind::Font(Font::Script), "mathcal mathscr"),
    (CommandKind::Font(Font::Fraktur), "mathfrak frak"),
    (CommandKind::Accent('\u{20D7}', "vec"), "vec overrightarrow"),
    (CommandKind::Accent('\u{20D6}', "overleftarrow"), "overleftarrow"),
    (CommandKind::Accent('\u{20E1}', "line"), "overleftrightarrow"),
    (CommandKind::Accent('\u{302}', "hat"), "hat widehat"),
    (CommandKind::Accent('\u{303}', "tilde"), "tilde widetilde"),
    (CommandKind::Line('\u{304}', "bar"), "bar"),
    (CommandKind::Line('\u{305}', "overline"), "overline"),
    (CommandKind::Accent('\u{306}', "breve"), "breve"),
    (CommandKind::Accent('\u{307}', "dot"), "dot"),
    (CommandKind::Accent('\u{308}', "ddot"), "ddot"),
    (CommandKind::Accent('\u{20DB}', "dddot"), "dddot"),
    (CommandKind::Accent('\u{30A}', "ring"), "mathring"),
    (CommandKind::Accent('\u{30C}', "check"), "check"),
    (CommandKind::Accent('\u{301}', "acute"), "acute"),
    (CommandKind::Accent('\u{300}', "grave"), "grave"),
    (CommandKind::Accent('\u{311}', "arc"), "overarc wideparen overparen"),
    (CommandKind::Line('\u{338}', "cancel"), "cancel bcancel xcancel"),
    (CommandKind::Underline, "underline"),
    (CommandKind::Brace, "underbrace overbrace"),
    (CommandKind::Fraction, "frac dfrac tfrac cfrac nicefrac sfrac"),
    (CommandKind::Binomial, "binom dbinom tbinom"),
    (CommandKind::Root, "sqrt"),
    (CommandKind::Boxed, "boxed fbox framebox"),
    (CommandKind::Modulus, "pmod"),
    (CommandKind::Operator, "operatorname"),
    (CommandKind::Tag, "tag"),
    (CommandKind::Not, "not"),
    (CommandKind::Stacked, "stackrel overset underset"),
    (CommandKind::Arrow("→"), "xrightarrow"),
    (CommandKind::Arrow("←"), "xleftarrow"),
    (CommandKind::Arrow("⟹"), "xRightarrow"),
    (CommandKind::Arrow("⟺"), "xLeftrightarrow"),
    (CommandKind::Substack, "substack"),
    (CommandKind::Over, "over"),
    (CommandKind::Choose, "choose"),
    (CommandKind::Left, "left"),
    (CommandKind::Right, "right"),
    (CommandKind::Middle, "middle"),
    (CommandKind::Begin, "begin"),
    (CommandKind::End, "end"),
    (CommandKind::Newline, "newline cr"),
    (CommandKind::Intertext, "intertext shortintertext"),
    (CommandKind::Limits(PieceClass::Word, "lim"), "lim"),
    (CommandKind::Limits(PieceClass::Word, "max"), "max"),
    (CommandKind::Limits(PieceClass::Word, "min"), "min"),
    (CommandKind::Limits(PieceClass::Word, "sup"), "sup"),
    (CommandKind::Limits(PieceClass::Word, "inf"), "inf"),
    (CommandKind::Limits(PieceClass::Word, "lim sup"), "limsup"),
    (CommandKind::Limits(PieceClass::Word, "lim inf"), "liminf"),
    (CommandKind::Limits(PieceClass::Word, "arg max"), "argmax"),
    (CommandKind::Limits(PieceClass::Word, "arg min"), "argmin"),
    (CommandKind::Limits(PieceClass::Word, "Pr"), "Pr"),
];

/// Environments that stack formulas.
const LAYOUTS: &str = "align align* aligned equation equation* gather gather* gathered multline
    multline* multlined split eqnarray eqnarray* flalign flalign* displaymath math subequations
    dmath dmath* empheq";
/// Environments that take an argument.
const WIDE_LAYOUTS: &str = "alignat alignat* alignedat xalignat";

/// Environments of text of which only the content is shown.
const BLOCKS: &str = "center document flushleft flushright quote quotation abstract proof theorem
    lemma proposition corollary definition remark example problem solution exercise claim";

static KINDS: LazyLock<HashMap<&'static str, CommandKind>> = LazyLock::new(|| entries().collect());

fn entries() -> impl Iterator<Item = (&'static str, CommandKind)> {
    let signs = SIGNS.iter().chain(signs::SIGNS).flat_map(|(class, signs)| {
        pairs(signs).map(|(name, sign)| (name, CommandKind::Sign(*class, sign)))
    });
    let big = pairs(BIG).map(|(name, sign)| (name, CommandKind::Limits(PieceClass::Big, sign)));
    let named = NAMES
        .iter()
        .chain(signs::NAMES)
        .flat_map(|(kind, names)| names.split_whitespace().map(|name| (name, *kind)));
    signs.chain(big).chain(named)
}

/// Returns all names in all tables, with repetitions.
#[cfg(test)]
pub fn names() -> impl Iterator<Item = &'static str> {
    entries().map(|(name, _)| name)
}

fn pairs(text: &'static str) -> impl Iterator<Item = (&'static str, &'static str)> {
    let mut words = text.split_whitespace();
    std::iter::from_fn(move || Some((words.next()?, words.next()?)))
}

/// Looks up a command by its name without the backslash.
pub fn kind(name: &str) -> Option<CommandKind> {
    KINDS.get(name).copied()
}

/// Looks up an environment by its name.
pub fn environment(name: &str) -> Option<Environment> {
    if LAYOUTS.split_whitespace().any(|layout| layout == name) {
        return Some(Environment::Layout { wide: false });
    }
    if WIDE_LAYOUTS.split_whitespace().any(|layout| layout == name) {
        return Some(Environment::Layout { wide: true });
    }
    Some(match name {
        "enumerate" => Environment::List { numbered: true },
        "itemize" | "description" => Environment::List { numbered: false },
        name if BLOCKS.split_whitespace().any(|block| block == name) => Environment::Block,
        name => Environment::Grid(grid(name.trim_end_matches('*'))?),
    })
}

fn grid(name: &str) -> Option<Grid> {
    Some(match name {
        "matrix" | "smallmatrix" => Grid::Plain,
        "pmatrix" | "bmatrix" | "psmallmatrix" | "bsmallmatrix" => Grid::Matrix("[", "]"),
        "Bmatrix" | "Bsmallmatrix" => Grid::Matrix("{", "}"),
        "vmatrix" | "vsmallmatrix" => Grid::Matrix("|", "|"),
        "Vmatrix" | "Vsmallmatrix" => Grid::Matrix("‖", "‖"),
        "array" | "darray" => Grid::Array,
        "tabular" | "longtable" => Grid::Table,
        "subarray" => Grid::Stack,
        "cases" | "dcases" | "rcases" | "drcases" => Grid::Cases,
        _ => return None,
    })
}

/// Returns the symbol for one negated by `\not`.
pub fn negated(sign: &str) -> Option<&'static str> {
    Some(match sign {
        "=" => "≠",
        "<" => "≮",
        ">" => "≯",
        "≤" => "≰",
        "≥" => "≱",
        "≡" => "≢",
        "∼" => "≁",
        "≈" => "≉",
        "≅" => "≇",
        "∈" => "∉",
        "∋" => "∌",
        "⊂" => "⊄",
        "⊃" => "⊅",
        "⊆" => "⊈",
        "⊇" => "⊉",
        "∃" => "∄",
        "∥" => "∦",
        "|" => "∤",
        "→" => "↛",
        "⇒" => "⇏",
        _ => return None,
    })
}
