//! Tables of the rarer symbols and names; `symbols` has the common ones and looks up both.
//!
//! The names are those of amssymb, textcomp, MathJax and KaTeX, and macros that models take for
//! granted, such as `\R`. A name stands in one of the tables only.

use super::letters::Font;
use super::row::{Gap, PieceClass};
use super::symbols::CommandKind;

/// Pairs of a name and its symbol, by class.
pub const SIGNS: &[(PieceClass, &str)] = &[
    (
        PieceClass::Sign,
        "mho ℧ hslash ℏ digamma ϝ gimel ℷ daleth ℸ Finv Ⅎ Game ⅁ Bbbk 𝕜 lozenge ◊ blacklozenge ⧫
        blacktriangle ▲ blacktriangledown ▼ Diamond ◇ natural ♮ flat ♭ sharp ♯ maltese ✠
        backprime ‵ diagup ╱ diagdown ╲ infin ∞ empty ∅ alef ℵ weierp ℘ thetasym ϑ image ℑ real ℜ
        Alpha Α Beta Β Epsilon Ε Zeta Ζ Eta Η Iota Ι Kappa Κ Mu Μ Nu Ν Omicron Ο Rho Ρ Tau Τ Chi Χ
        varGamma Γ varDelta Δ varTheta Θ varLambda Λ varXi Ξ varPi Π varSigma Σ varUpsilon Υ
        varPhi Φ varPsi Ψ varOmega Ω R ℝ N ℕ Z ℤ Q ℚ C ℂ reals ℝ Reals ℝ natnums ℕ Complex ℂ cnums ℂ
        QED ∎ ohm Ω angstrom Å celsius ℃ degreeCelsius ℃ textdegree ° textmu µ permil ‰",
    ),
    (
        PieceClass::Letter,
        "S § P ¶ sect § copyright © textcopyright © circledR ® textregistered ® texttrademark ™
        textellipsis … textendash – textemdash — textquoteleft ‘ textquoteright ’
        textquotedblleft “ textquotedblright ” textless < textgreater > textbar |
        textasteriskcentered * textasciitilde ~ textasciicircum ^ textunderscore _
        textbraceleft { textbraceright }
        textbullet • textperiodcentered · texteuro € textsterling £ textcent ¢ cent ¢ textyen ¥
        AA Å aa å AE Æ ae æ OE Œ oe œ O Ø o ø ss ß L Ł l ł iddots ⋰ adots ⋰ mathellipsis …
        mathdollar $ mathsterling £ lq ‘ rq ’ cdotp · ldotp . nobreakdash - textnumero №
        female ♀ male ♂ lightning ↯ Checkmark ✓ XSolid ✗ blank ____",
    ),
    (PieceClass::Text, "LaTeX LaTeX TeX TeX LaTeXe LaTeX2ε KaTeX KaTeX AmS AMS slash /"),
    (PieceClass::Prefix, "exist ∃ parallelogram ▱ rectangle ▭ Triangle △ grad ∇"),
    (
        PieceClass::Bin,
        "dag † ddag ‡ dotplus ∔ divideontimes ⋇ circledast ⊛ circledcirc ⊚ circleddash ⊝ boxplus ⊞
        boxminus ⊟ boxtimes ⊠ boxdot ⊡ barwedge ⊼ doublebarwedge ⩞ curlyvee ⋎ curlywedge ⋏ Cap ⋒
        Cup ⋓ doublecap ⋒ doublecup ⋓ intercal ⊺ centerdot · leftthreetimes ⋋ rightthreetimes ⋌
        lhd ⊲ rhd ⊳ unlhd ⊴ unrhd ⊵ triangleleft ◁ triangleright ▷ blacktriangleleft ◀
        blacktriangleright ▶ and ∧ or ∨ bull • plusmn ± sdot · cupdot ⊍",
    ),
    (
        PieceClass::Rel,
        "nsim ≁ backsim ∽ backsimeq ⋍ eqsim ≂ approxeq ≊ fallingdotseq ≒ risingdotseq ≓ circeq ≗
        eqcirc ≖ bumpeq ≏ Bumpeq ≎ doteqdot ≑ Doteq ≑ preccurlyeq ≼ succcurlyeq ≽ curlyeqprec ⋞
        curlyeqsucc ⋟ precsim ≾ succsim ≿ nprec ⊀ nsucc ⊁ npreceq ⋠ nsucceq ⋡ lneq ⪇ gneq ⪈ lneqq ≨
        gneqq ≩ leqq ≦ geqq ≧ eqslantless ⪕ eqslantgtr ⪖ lessgtr ≶ gtrless ≷ lesseqgtr ⋚
        gtreqless ⋛ lnsim ⋦ gnsim ⋧ lessapprox ⪅ gtrapprox ⪆ lessdot ⋖ gtrdot ⋗ nleqslant ≰
        ngeqslant ≱ nleqq ≰ ngeqq ≱ Subset ⋐ Supset ⋑ subseteqq ⫅ supseteqq ⫆ subsetneqq ⫋
        supsetneqq ⫌ varsubsetneq ⊊ varsupsetneq ⊋ nsubseteqq ⊈ sqsubset ⊏ sqsupset ⊐ nvdash ⊬
        nvDash ⊭ nVdash ⊮ nVDash ⊯ Vvdash ⊪ pitchfork ⋔ between ≬ multimap ⊸ varpropto ∝ shortmid ∣
        shortparallel ∥ nshortmid ∤ nshortparallel ∦ owns ∋ isin ∈ sub ⊂ sube ⊆ supe ⊇ coloneq ≔
        colonequals ≔ eqcolon ≕ defeq ≔ dblcolon ∷ ratio : vcentcolon :
        trianglelefteq ⊴ trianglerighteq ⊵ ntriangleleft ⋪ ntriangleright ⋫ ntrianglelefteq ⋬
        ntrianglerighteq ⋭ vartriangleleft ⊲ vartriangleright ⊳ Join ⋈ Perp ⫫ indep ⫫
        curvearrowleft ↶ curvearrowright ↷ circlearrowleft ↺ circlearrowright ↻ leftharpoonup ↼
        leftharpoondown ↽ rightharpoondown ⇁ leftrightharpoons ⇋ rightrightarrows ⇉
        leftleftarrows ⇇ upuparrows ⇈ downdownarrows ⇊ leftrightarrows ⇆ rightleftarrows ⇄
        twoheadleftarrow ↞ looparrowright ↬ looparrowleft ↫ dashrightarrow ⇢ dashleftarrow ⇠ Lsh ↰
        Rsh ↱ nleftrightarrow ↮ Updownarrow ⇕ upharpoonleft ↿ downharpoonright ⇂ downharpoonleft ⇃
        restriction ↾ rightarrowtail ↣ leftarrowtail ↢ leftrightsquigarrow ↭ mapsfrom ↤ rarr →
        larr ← harr ↔ lrarr ↔ uarr ↑ darr ↓",
    ),
    (
        PieceClass::Wide,
        "Rrightarrow ⇛ Lleftarrow ⇚ nLeftarrow ⇍ nLeftrightarrow ⇎ rArr ⇒ Rarr ⇒ lArr ⇐ Larr ⇐
        hArr ⇔ Harr ⇔ lrArr ⇔ longmapsfrom ⟻ Longmapsto ⟾",
    ),
    (PieceClass::Open, "lmoustache ⎰ llcorner ⌞ lang ⟨ lBrace { Lbag ⟅ lbrbrak ❲"),
    (PieceClass::Close, "rmoustache ⎱ lrcorner ⌟ rang ⟩ rBrace } Rbag ⟆ rbrbrak ❳"),
];

/// Names of each kind.
pub const NAMES: &[(CommandKind, &str)] = &[
    (
        CommandKind::Function,
        "arcsec arccsc arsinh arcosh artanh arcsinh arccosh arctanh sech csch cosec tg ctg cotg
        arctg arcctg sh ch th cth tr Tr rank erf Hom Aut Gal Res Var Cov ord curl diag sinc",
    ),
    (CommandKind::Space(Gap::Hard), "enskip smallskip medskip bigskip par linebreak indent"),
    (CommandKind::Space(Gap::Wide), "hrulefill dotfill vfill"),
    (
        CommandKind::Nothing,
        "scriptsize HUGE sl sc em mdseries ttfamily rmfamily sffamily upshape slshape scshape
        normalfont newpage clearpage pagebreak hrule hdashline addlinespace allowdisplaybreaks null
        protect leavevmode nonscript maketitle unboldmath rmdefault displaybreak raggedright",
    ),
    (
        CommandKind::Hidden,
        "rowcolor cellcolor require includegraphics cmidrule cdashline
        thispagestyle pagestyle documentclass usepackage nocite index bibliographystyle",
    ),
    (CommandKind::HiddenPair, "renewcommand newcommand setlength setcounter addtocounter"),
    (
        CommandKind::Shown,
        "mathlarger mathsmaller vcenter bbox num si unit pu vb va vu uwave url",
    ),
    (
        CommandKind::SecondShown,
        "href class cssId htmlClass htmlId htmlStyle style enclose scalebox rotatebox parbox
        texorpdfstring foreignlanguage",
    ),
    (CommandKind::ThirdShown, "multicolumn multirow resizebox fcolorbox"),
    (
        CommandKind::Text,
        "section subsection subsubsection chapter paragraph subparagraph title author caption textsl
        textmedium textquote enquote uline sout st makebox textbb footnote ref cite pageref autoref
        cref",
    ),
    (CommandKind::Reference, "eqref"),
    (CommandKind::Font(Font::Plain), "bold mathbold mathup mathbfit mathbfsf symit symrm mathsfit"),
    (CommandKind::Font(Font::DoubleStruck), "symbb mathbbm"),
    (CommandKind::Font(Font::Script), "symcal symscr"),
    (CommandKind::Font(Font::Fraktur), "symfrak"),
    (CommandKind::Accent('\u{20D6}', "←"), "overleftharpoon"),
    (CommandKind::Accent('\u{20D7}', "vec"), "overrightharpoon Overrightarrow Vec"),
    (CommandKind::Accent('\u{20DC}', "ddddot"), "ddddot"),
    (CommandKind::Accent('\u{30C}', "check"), "widecheck v"),
    (CommandKind::Accent('\u{30B}', "dacute"), "H"),
    (CommandKind::Accent('\u{327}', "cedilla"), "c"),
    (CommandKind::Accent('\u{328}', "ogonek"), "k"),
    (CommandKind::Accent('\u{306}', "breve"), "u"),
    (CommandKind::Line('\u{338}', "cancel"), "hcancel"),
    (CommandKind::Underline, "underbar"),
    (CommandKind::Brace, "underbracket overbracket underparen overgroup undergroup"),
    (CommandKind::Modulus, "Mod"),
    (CommandKind::Pod, "pod"),
    (CommandKind::Operator, "operatornamewithlimits"),
    (CommandKind::Stacked, "overunder"),
    (CommandKind::Arrow("↔"), "xleftrightarrow"),
    (CommandKind::Arrow("↦"), "xmapsto"),
    (CommandKind::Arrow("↪"), "xhookrightarrow"),
    (CommandKind::Arrow("⟸"), "xLeftarrow"),
    (CommandKind::Arrow("⇌"), "xrightleftharpoons xleftrightharpoons"),
    (CommandKind::Arrow("↠"), "xtwoheadrightarrow"),
    (CommandKind::Arrow("="), "xlongequal xequal"),
    (CommandKind::Atop, "atop"),
    (CommandKind::CancelTo, "cancelto"),
    (CommandKind::Chemistry, "ce cf"),
    (CommandKind::Length, "hskip vskip mkern mskip kern"),
    (CommandKind::Rule, "rule fillin"),
    (CommandKind::Genfrac, "genfrac"),
    (CommandKind::Quantity, "SI qty"),
    (CommandKind::Angle, "ang"),
    (CommandKind::Derivative("d"), "dv odv derivative"),
    (CommandKind::Derivative("∂"), "pdv pderivative"),
    (CommandKind::Prescript, "prescript"),
    (CommandKind::Sideset, "sideset"),
    (CommandKind::Between("|", "|"), "abs"),
    (CommandKind::Between("‖", "‖"), "norm"),
    (CommandKind::Between("⌊", "⌋"), "floor"),
    (CommandKind::Between("⌈", "⌉"), "ceil"),
    (CommandKind::Between("{", "}"), "set Set"),
    (CommandKind::Between("|", "⟩"), "ket"),
    (CommandKind::Between("⟨", "|"), "bra"),
    (CommandKind::Between("⟨", "⟩"), "braket ev inner"),
    (CommandKind::Between("(", ")"), "parens"),
    (CommandKind::Limits(PieceClass::Word, "lim sup"), "varlimsup"),
    (CommandKind::Limits(PieceClass::Word, "lim inf"), "varliminf"),
    (CommandKind::Limits(PieceClass::Word, "inj lim"), "injlim varinjlim"),
    (CommandKind::Limits(PieceClass::Word, "proj lim"), "projlim varprojlim"),
];
