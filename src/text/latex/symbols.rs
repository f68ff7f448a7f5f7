//! What LaTeX's commands and environments stand for: tables, looked up by name.
//!
//! The scanner asks which commands take arguments and which environments there are, the parser
//! what to write. The signs are those of the Unicode standard under the names LaTeX, amsmath and
//! amssymb give them. A name that is not here is left as it is written.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::letters::Font;
use super::row::{Class, Gap};

/// What a command is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Stands for one sign.
    Sign(Class, &'static str),
    /// A function that is written with its own name.
    Function,
    /// A function or an operator whose limits stand below and above it.
    Limits(Class, &'static str),
    Space(Gap),
    /// Says only how something is to look: nothing is written.
    Nothing,
    /// Its argument is not shown.
    Hidden,
    /// Only its argument is shown.
    Shown,
    /// Its second argument is shown.
    SecondShown,
    Text,
    Font(Font),
    /// A mark over one letter, or a word where there are more.
    Accent(char, &'static str),
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
    /// Two arguments: what stands over (or under) a sign, and the sign.
    Stacked,
    /// An arrow with a note.
    Arrow(&'static str),
    Substack,
    /// `{a \over b}`
    Over,
    /// `{n \choose k}`
    Choose,
    Left,
    Right,
    Middle,
    Begin,
    End,
    Newline,
    Intertext,
}

impl Kind {
    /// Returns whether what follows the name belongs to it.
    pub fn takes_arguments(self) -> bool {
        !matches!(
            self,
            Kind::Sign(..)
                | Kind::Function
                | Kind::Limits(..)
                | Kind::Space(_)
                | Kind::Nothing
                | Kind::Over
                | Kind::Choose
                | Kind::Newline
        )
    }

    /// Returns whether models write it outside of formulas too, in the middle of a sentence.
    pub fn stands_bare(self) -> bool {
        !matches!(
            self,
            Kind::Hidden
                | Kind::Tag
                | Kind::Over
                | Kind::Choose
                | Kind::Middle
                | Kind::Begin
                | Kind::End
                | Kind::Newline
                | Kind::Intertext
        )
    }
}

/// What an environment is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Environment {
    /// Formulas one below the other; the argument some have is `wide`.
    Layout { wide: bool },
    /// Rows and cells within a formula.
    Grid(Grid),
}

/// How rows and cells are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grid {
    /// Between two brackets, unless one stands before it already.
    Matrix(&'static str, &'static str),
    /// As a matrix in brackets; what follows its name says how columns are set.
    Array,
    Cases,
}

/// Names and signs in turn, by class.
const SIGNS: &[(Class, &str)] = &[
    (
        Class::Sign,
        "alpha α beta β gamma γ delta δ epsilon ε varepsilon ε zeta ζ eta η theta θ vartheta ϑ
        iota ι kappa κ varkappa ϰ lambda λ mu μ nu ν xi ξ omicron ο pi π varpi ϖ rho ρ varrho ϱ
        sigma σ varsigma ς tau τ upsilon υ phi φ varphi φ chi χ psi ψ omega ω
        Gamma Γ Delta Δ Theta Θ Lambda Λ Xi Ξ Pi Π Sigma Σ Upsilon Υ Phi Φ Psi Ψ Omega Ω
        infty ∞ hbar ℏ ell ℓ imath ı jmath ȷ wp ℘ aleph ℵ beth ℶ emptyset ∅
        varnothing ∅ prime ′ degree ° top ⊤ bot ⊥ square □ Box □ blacksquare ■ qed ∎
        bigstar ★ checkmark ✓ complement ∁ eth ð",
    ),
    (
        Class::Letter,
        "ldots … dots … dotsc … dotso … cdots ⋯ dotsb ⋯ dotsm ⋯ dotsi ⋯ vdots ⋮ ddots ⋱
        backslash \\ pounds £ euro € yen ¥ clubsuit ♣ diamondsuit ♦ heartsuit ♥ spadesuit ♠
        textdollar $ textbackslash \\ dollar $",
    ),
    (
        Class::Prefix,
        "neg ¬ lnot ¬ forall ∀ exists ∃ nexists ∄ angle ∠ measuredangle ∡ sphericalangle ∢
        triangle △ vartriangle △ nabla ∇ partial ∂ surd √ odot ⊙",
    ),
    (
        Class::Bin,
        "pm ± mp ∓ times × div ÷ cdot · ast * star ⋆ circ ∘ bullet • cap ∩ cup ∪ uplus ⊎
        sqcap ⊓ sqcup ⊔ vee ∨ wedge ∧ lor ∨ land ∧ setminus ∖ smallsetminus ∖ oplus ⊕ ominus ⊖
        otimes ⊗ oslash ⊘ dagger † ddagger ‡ amalg ⨿ wr ≀ diamond ⋄ ltimes ⋉ rtimes ⋊
        bigtriangleup △ bigtriangledown ▽ triangledown ▽ bigcirc ◯ veebar ⊻",
    ),
    (
        Class::Rel,
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
        Class::Wide,
        "implies ⟹ impliedby ⟸ iff ⟺ Rightarrow ⇒ Leftarrow ⇐ Leftrightarrow ⇔ longrightarrow ⟶
        longleftarrow ⟵ Longrightarrow ⟹ Longleftarrow ⟸ longleftrightarrow ⟷
        Longleftrightarrow ⟺ longmapsto ⟼ mid | therefore ∴ because ∵ nRightarrow ⇏",
    ),
    (Class::Between, "bmod mod mod mod"),
    (
        Class::Open,
        "lbrace { lbrack [ lparen ( langle ⟨ lfloor ⌊ lceil ⌈ lvert | lVert ‖ llbracket ⟦
        lgroup ( ulcorner ⌜",
    ),
    (
        Class::Close,
        "rbrace } rbrack ] rparen ) rangle ⟩ rfloor ⌋ rceil ⌉ rvert | rVert ‖ rrbracket ⟧
        rgroup ) urcorner ⌝",
    ),
    (Class::Bar, "vert | Vert ‖"),
    (Class::Punct, "colon : comma ,"),
];

/// Names and operators in turn.
const BIG: &str = "sum ∑ prod ∏ coprod ∐ int ∫ iint ∬ iiint ∭ oint ∮ oiint ∯ bigcup ⋃ bigcap ⋂
    bigvee ⋁ bigwedge ⋀ bigoplus ⨁ bigotimes ⨂ bigodot ⨀ bigsqcup ⨆ biguplus ⨄ smallint ∫";

/// Names of each kind.
const NAMES: &[(Kind, &str)] = &[
    (
        Kind::Function,
        "sin cos tan cot sec csc sinh cosh tanh coth arcsin arccos arctan arccot arg deg det dim exp
        hom ker lg ln log gcd lcm sgn Re Im",
    ),
    (Kind::Space(Gap::Hard), "space enspace thinspace medspace thickspace nobreakspace"),
    (Kind::Space(Gap::Wide), "quad qquad hfill hfil"),
    (
        Kind::Nothing,
        "displaystyle textstyle scriptstyle scriptscriptstyle limits nolimits displaylimits nonumber
        notag big Big bigg Bigg bigl Bigl biggl Biggl bigr Bigr biggr Biggr bigm Bigm biggm Biggm
        hline toprule midrule bottomrule centering noindent allowbreak nobreak negthinspace
        negmedspace negthickspace mathstrut strut relax boldmath rm bf it sf tt cal mit normalsize
        small large Large LARGE huge Huge tiny footnotesize bfseries itshape",
    ),
    (
        Kind::Hidden,
        "label color phantom hphantom vphantom vspace hspace mspace kern cline pagecolor",
    ),
    (
        Kind::Shown,
        "smash mathop mathrel mathbin mathord mathopen mathclose mathpunct mathinner ensuremath
        llap rlap mathllap mathrlap mathclap",
    ),
    (Kind::SecondShown, "textcolor colorbox raisebox"),
    (
        Kind::Text,
        "text textbf textit textrm textsf texttt textnormal textsc textup textmd mbox hbox emph",
    ),
    (
        Kind::Font(Font::Plain),
        "mathrm mathbf mathit mathsf mathtt mathnormal boldsymbol bm pmb symbf symup",
    ),
    (Kind::Font(Font::DoubleStruck), "mathbb Bbb mathds"),
    (Kind::Font(Font::Script), "mathcal mathscr"),
    (Kind::Font(Font::Fraktur), "mathfrak frak"),
    (Kind::Accent('\u{20D7}', "vec"), "vec overrightarrow"),
    (Kind::Accent('\u{20D6}', "overleftarrow"), "overleftarrow"),
    (Kind::Accent('\u{20E1}', "overleftrightarrow"), "overleftrightarrow"),
    (Kind::Accent('\u{302}', "hat"), "hat widehat"),
    (Kind::Accent('\u{303}', "tilde"), "tilde widetilde"),
    (Kind::Accent('\u{304}', "bar"), "bar"),
    (Kind::Accent('\u{305}', "overline"), "overline"),
    (Kind::Accent('\u{306}', "breve"), "breve"),
    (Kind::Accent('\u{307}', "dot"), "dot"),
    (Kind::Accent('\u{308}', "ddot"), "ddot"),
    (Kind::Accent('\u{20DB}', "dddot"), "dddot"),
    (Kind::Accent('\u{30A}', "ring"), "mathring"),
    (Kind::Accent('\u{30C}', "check"), "check"),
    (Kind::Accent('\u{301}', "acute"), "acute"),
    (Kind::Accent('\u{300}', "grave"), "grave"),
    (Kind::Accent('\u{311}', "arc"), "overarc wideparen overparen"),
    (Kind::Accent('\u{338}', "cancel"), "cancel bcancel xcancel"),
    (Kind::Underline, "underline"),
    (Kind::Brace, "underbrace overbrace"),
    (Kind::Fraction, "frac dfrac tfrac cfrac nicefrac sfrac"),
    (Kind::Binomial, "binom dbinom tbinom"),
    (Kind::Root, "sqrt"),
    (Kind::Boxed, "boxed fbox framebox"),
    (Kind::Modulus, "pmod"),
    (Kind::Operator, "operatorname"),
    (Kind::Tag, "tag"),
    (Kind::Not, "not"),
    (Kind::Stacked, "stackrel overset underset"),
    (Kind::Arrow("→"), "xrightarrow"),
    (Kind::Arrow("←"), "xleftarrow"),
    (Kind::Arrow("⟹"), "xRightarrow"),
    (Kind::Arrow("⟺"), "xLeftrightarrow"),
    (Kind::Substack, "substack"),
    (Kind::Over, "over"),
    (Kind::Choose, "choose"),
    (Kind::Left, "left"),
    (Kind::Right, "right"),
    (Kind::Middle, "middle"),
    (Kind::Begin, "begin"),
    (Kind::End, "end"),
    (Kind::Newline, "newline cr"),
    (Kind::Intertext, "intertext shortintertext"),
    (Kind::Limits(Class::Word, "lim"), "lim"),
    (Kind::Limits(Class::Word, "max"), "max"),
    (Kind::Limits(Class::Word, "min"), "min"),
    (Kind::Limits(Class::Word, "sup"), "sup"),
    (Kind::Limits(Class::Word, "inf"), "inf"),
    (Kind::Limits(Class::Word, "lim sup"), "limsup"),
    (Kind::Limits(Class::Word, "lim inf"), "liminf"),
    (Kind::Limits(Class::Word, "arg max"), "argmax"),
    (Kind::Limits(Class::Word, "arg min"), "argmin"),
    (Kind::Limits(Class::Word, "Pr"), "Pr"),
];

/// Environments that set formulas one below the other.
const LAYOUTS: &str = "align align* aligned equation equation* gather gather* gathered multline
    multline* multlined split eqnarray eqnarray* flalign flalign* displaymath";
/// Those that have an argument.
const WIDE_LAYOUTS: &str = "alignat alignat* alignedat xalignat";

static KINDS: LazyLock<HashMap<&'static str, Kind>> = LazyLock::new(|| entries().collect());

fn entries() -> impl Iterator<Item = (&'static str, Kind)> {
    let signs = SIGNS.iter().flat_map(|(class, signs)| {
        pairs(signs).map(|(name, sign)| (name, Kind::Sign(*class, sign)))
    });
    let big = pairs(BIG).map(|(name, sign)| (name, Kind::Limits(Class::Big, sign)));
    let named =
        NAMES.iter().flat_map(|(kind, names)| names.split_whitespace().map(|name| (name, *kind)));
    signs.chain(big).chain(named)
}

/// Returns all names, each as often as it is in a table.
#[cfg(test)]
pub fn names() -> impl Iterator<Item = &'static str> {
    entries().map(|(name, _)| name)
}

fn pairs(text: &'static str) -> impl Iterator<Item = (&'static str, &'static str)> {
    let mut words = text.split_whitespace();
    std::iter::from_fn(move || Some((words.next()?, words.next()?)))
}

/// Returns what a command is, by its name without the backslash.
pub fn kind(name: &str) -> Option<Kind> {
    KINDS.get(name).copied()
}

/// Returns what an environment is, by its name.
pub fn environment(name: &str) -> Option<Environment> {
    if LAYOUTS.split_whitespace().any(|layout| layout == name) {
        return Some(Environment::Layout { wide: false });
    }
    if WIDE_LAYOUTS.split_whitespace().any(|layout| layout == name) {
        return Some(Environment::Layout { wide: true });
    }
    Some(Environment::Grid(match name {
        "matrix" | "pmatrix" | "bmatrix" | "smallmatrix" => Grid::Matrix("[", "]"),
        "Bmatrix" => Grid::Matrix("{", "}"),
        "vmatrix" => Grid::Matrix("|", "|"),
        "Vmatrix" => Grid::Matrix("‖", "‖"),
        "array" => Grid::Array,
        "cases" | "dcases" | "cases*" | "rcases" => Grid::Cases,
        _ => return None,
    }))
}

/// Returns the sign for one that is struck out by `\not`.
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
