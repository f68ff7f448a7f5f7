//! Tables of notation: which commands only set the layout, which stand for one sign, what Unicode
//! and English call the same. `token` applies them.

/// Commands that only change the layout.
pub(super) const LAYOUT: &str = " left right middle big Big bigg Bigg bigl bigr Bigl Bigr biggl \
    biggr Biggl Biggr \
    bigm displaystyle textstyle scriptstyle scriptscriptstyle limits nolimits mathstrut bf rm it \
        sf tt \
    bfseries em tiny scriptsize footnotesize small normalsize large Large LARGE huge Huge boldmath \
    strut null relax mathopen mathclose mathord mathbin mathrel mathpunct mathinner ensuremath \
    centering noindent par nonumber notag displaylimits unboldmath ";
/// Commands whose braces hold text.
pub(super) const WORDS: &str = " text mathrm mbox textbf textit textrm textnormal operatorname \
    texttt textsf hbox \
    emph textsc textmd textup mathop underline ";
/// Commands whose braces hold a formula in another font, or the answer itself.
pub(super) const FONTS: &str = " mathbf boldsymbol mathit mathsf bm mathtt mathnormal pmb boxed \
    fbox framebox \
    smash mathcal mathscr mathfrak ";
/// Commands whose argument only makes space or colours, and is dropped.
pub(super) const DROPPED: &str =
    " color hspace vspace phantom hphantom vphantom label tag kern mspace ";
/// Commands that stand for signs.
pub(super) const SIGNS: &[(&str, &str)] = &[
    ("quad", " "),
    ("qquad", " "),
    ("thinspace", " "),
    ("enspace", " "),
    ("space", " "),
    ("nobreakspace", " "),
    ("lbrace", "⟨"),
    ("rbrace", "⟩"),
    ("langle", "("),
    ("rangle", ")"),
    ("lbrack", "["),
    ("rbrack", "]"),
    ("lparen", "("),
    ("rparen", ")"),
    ("degree", "°"),
    ("circ", "°"),
    ("times", "×"),
    ("cdot", "×"),
    ("ast", "×"),
    ("bullet", "×"),
    ("div", "÷"),
    ("infty", "∞"),
    ("pi", "π"),
    ("le", "≤"),
    ("leq", "≤"),
    ("leqslant", "≤"),
    ("leqq", "≤"),
    ("ge", "≥"),
    ("geq", "≥"),
    ("geqslant", "≥"),
    ("geqq", "≥"),
    ("ne", "≠"),
    ("neq", "≠"),
    ("approx", "≈"),
    ("simeq", "≈"),
    ("doteq", "≈"),
    ("lt", "<"),
    ("gt", ">"),
    ("pm", "±"),
    ("mp", "∓"),
    ("cup", "∪"),
    ("cap", "∩"),
    ("in", "∈"),
    ("notin", "∉"),
    ("setminus", "∖"),
    ("backslash", "∖"),
    ("dots", "…"),
    ("ldots", "…"),
    ("cdots", "…"),
    ("emptyset", "∅"),
    ("varnothing", "∅"),
    ("mid", "|"),
    ("vert", "|"),
    ("lvert", "|"),
    ("rvert", "|"),
    ("colon", ":"),
    ("equiv", "≡"),
    ("equals", "="),
    ("land", "∧"),
    ("wedge", "∧"),
    ("lor", "∨"),
    ("vee", "∨"),
    ("prime", "'"),
    ("percent", "%"),
    ("to", "→"),
    ("rightarrow", "→"),
    ("implies", "⇒"),
    ("Rightarrow", "⇒"),
    ("therefore", " "),
    ("because", " "),
    ("dollar", "$"),
    ("triangle", "△"),
    ("angle", "∠"),
    ("perp", "⊥"),
    ("parallel", "∥"),
    ("cong", "≅"),
    ("sim", "∼"),
    ("lfloor", "⌊"),
    ("rfloor", "⌋"),
    ("lceil", "⌈"),
    ("rceil", "⌉"),
    ("pounds", "£"),
    ("euro", "€"),
];
/// Other names of commands.
pub(super) const ALIASES: &[(&str, &str)] = &[
    ("dfrac", "frac"),
    ("tfrac", "frac"),
    ("cfrac", "frac"),
    ("nicefrac", "frac"),
    ("sfrac", "frac"),
    ("dbinom", "binom"),
    ("tbinom", "binom"),
    ("bar", "overline"),
    ("asin", "arcsin"),
    ("acos", "arccos"),
    ("atan", "arctan"),
    ("tg", "tan"),
    ("ctg", "cot"),
    ("cosec", "csc"),
    ("arctg", "arctan"),
    ("varphi", "phi"),
    ("varepsilon", "epsilon"),
    ("vartheta", "theta"),
];
/// Words that are functions also without a backslash.
pub(super) const FUNCTIONS: &str = " sin cos tan cot sec csc arcsin arccos arctan sinh cosh tanh \
    ln log lg exp sqrt \
    asin acos atan pi ";
pub(super) const GREEK: &str = " alpha beta gamma delta epsilon zeta eta theta iota kappa lambda \
    mu nu xi rho sigma tau \
    upsilon phi chi psi omega Gamma Delta Theta Lambda Xi Sigma Upsilon Phi Psi Omega ell ";
pub(super) const SUBSCRIPTS: &str = "₀₁₂₃₄₅₆₇₈₉";
pub(super) const SUPERSCRIPTS: &str = "⁰¹²³⁴⁵⁶⁷⁸⁹⁻";
pub(super) const GREEK_SIGNS: &str = "αalpha βbeta γgamma δdelta εepsilon θtheta λlambda μmu \
    ρrho σsigma τtau φphi ωomega \
    Δdelta Σsigma Ωomega ϕphi ";

pub(super) fn is_listed(list: &str, word: &str) -> bool {
    !word.is_empty() && list.contains(&format!(" {word} "))
}

pub(super) fn alias(name: &str) -> &str {
    ALIASES.iter().find(|(known, _)| *known == name).map_or(name, |(_, meant)| meant)
}

/// Fractions that Unicode has as one character.
pub(super) fn vulgar(c: char) -> Option<(u32, u32)> {
    let all = [
        ('½', 1, 2),
        ('⅓', 1, 3),
        ('⅔', 2, 3),
        ('¼', 1, 4),
        ('¾', 3, 4),
        ('⅕', 1, 5),
        ('⅖', 2, 5),
        ('⅗', 3, 5),
        ('⅘', 4, 5),
        ('⅙', 1, 6),
        ('⅚', 5, 6),
        ('⅛', 1, 8),
        ('⅜', 3, 8),
        ('⅝', 5, 8),
        ('⅞', 7, 8),
        ('⅐', 1, 7),
        ('⅑', 1, 9),
        ('⅒', 1, 10),
    ];
    all.iter().find(|(sign, ..)| *sign == c).map(|&(_, top, bottom)| (top, bottom))
}
