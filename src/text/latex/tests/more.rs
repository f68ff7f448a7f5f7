//! More of what models write: marks over several letters, tables, lists, units, chemistry.
//!
//! The table continues the one in tests/cases.rs.

/// A source and its text.
pub const CASES: &[(&str, &str)] = &[
    // Bars over matrices keep the matrices' brackets.
    (r"\(\left\| \begin{pmatrix} 1 & 2 \\ 3 & 4 \end{pmatrix} \right\|_2\)", "‖[1 2; 3 4]‖₂"),
    (r"\(\left\lVert \begin{bmatrix} 3 \\ 4 \end{bmatrix} \right\rVert\)", "‖[3; 4]‖"),
    (r"\(\left\|\begin{matrix} 1 & 2 \\ 3 & 4 \end{matrix}\right\|\)", "‖1 2; 3 4‖"),
    (r"\(\|\begin{pmatrix} 3 \\ 4 \end{pmatrix}\|\)", "‖[3; 4]‖"),
    (r"\(\left|\begin{pmatrix} a & b \\ c & d \end{pmatrix}\right|\)", "|[a b; c d]|"),
    (r"\(\left|\begin{array}{cc} a & b \\ c & d \end{array}\right|\)", "|a b; c d|"),
    (r"\(\norm{\begin{pmatrix} 3 \\ 4 \end{pmatrix}}\)", "‖[3; 4]‖"),
    (r"\(f(\begin{pmatrix} 1 \\ 2 \end{pmatrix})\)", "f([1; 2])"),
    (
        r"\(\left[\begin{array}{cc|c} 1 & 2 & 3 \\ 4 & 5 & 6 \end{array}\right]\)",
        "[1 2 | 3; 4 5 | 6]",
    ),
    // Cases end visibly.
    (
        r"\(\text{Let } f(x) = \begin{cases} 1 & x > 0, \\ 0 & \text{else}, \end{cases} \text{ for } x \in S\)",
        "Let f(x) = { 1 if x > 0; 0 else } for x ∈ S",
    ),
    (
        r"\[ f = \begin{cases} 1 & x > 0 \\ 2 & x < 0 \end{cases} + g \]",
        "f = { 1 if x > 0; 2 if x < 0 } + g",
    ),
    (
        r"\(\begin{cases} \text{if } n = 1: & 5 \\ \text{if } n > 1: & 2n \end{cases}\)",
        "{ if n = 1: 5; if n > 1: 2n }",
    ),
    (
        r"\(\begin{cases} n/2 & \text{even} \\ 3n & \text{for odd } n \end{cases}\)",
        "{ n/2 if even; 3n for odd n }",
    ),
    (
        r"\(\begin{cases} 3x & - & 2y & = & 7 \\ x & + & y & = & 4 \end{cases}\)",
        "{ 3x - 2y = 7; x + y = 4 }",
    ),
    (
        r"\(\left\{\begin{array}{ll} x, & x > 0 \\ -x, & x \le 0 \end{array}\right.\)",
        "{ x if x > 0; -x if x ≤ 0 }",
    ),
    (r"\(\left.\begin{array}{l} a \\ b \end{array}\right\} \Rightarrow c\)", "{ a; b } ⇒ c"),
    // Dollars in the text of a formula.
    (r"$x = 1 \text{ if $y > 0$}$ and $z^2$", "x = 1 if y > 0 and z²"),
    (r"$\text{the $n$ with $n \le x$}$.", "the n with n ≤ x."),
    (r"$\text{costs \$5}$ or $x$", "costs $5 or x"),
    (r"\(\text{costs $5 and $6}\)", "costs $5 and $6"),
    (r"\(\text{it is \(x^2\) here} + y^2\)", r"it is x² here + y²"),
    (r"$\text{a $b", "$a $b"),
    // Signs and names.
    (r"\(\bold{v} + \mho\)", "v + ℧"),
    (r"\(\LaTeX\)", "LaTeX"),
    ("\\LaTeX is set", "LaTeX is set"),
    (r"see \S 3 and \S+ or \S matches", r"see § 3 and \S+ or \S matches"),
    (r"\(x \in \R\)", "x ∈ ℝ"),
    (r"\(\cancelto{0}{x} + 1\)", "(x→0) + 1"),
    (r"\(\cancel{xy}\)", "x̸y̸"),
    (r"\(a \equiv b \pod{7}\)", "a ≡ b (7)"),
    (r"\(\abs{x} + \floor{y}\)", "|x| + ⌊y⌋"),
    (r"\(\dv{y}{x}\)", "dy/dx"),
    (r"\(A \xrightarrow[g]{f} B\)", "A →(f; g) B"),
    (r"\(a\hskip 5pt b\kern 3mu c\mkern-2mu d\)", "a b c d"),
    (r"\(\genfrac{}{}{}{}{a}{b}\)", "a/b"),
    (r#"\(\text{Erd\H{o}s and M\"obius}\)"#, "Erdo\u{30B}s and Mo\u{308}bius"),
    (r"\section*{Solution} of", "Solution of"),
    // Units and chemistry.
    (r"\(\SI{5}{cm} = \qty{50}{mm}\)", "5 cm = 50 mm"),
    (r"\(\ang{30}\)", "30°"),
    (r"\(\ce{2H2 + O2 -> 2H2O}\)", "2H₂ + O₂ → 2H₂O"),
    (r"\(\ce{SO4^2-}\), \(\ce{Na+}\), \(\ce{Ca(OH)2}\)", "SO₄²⁻, Na⁺, Ca(OH)₂"),
    (r"\(\ce{^{14}_{6}C}\)", "¹⁴₆C"),
    (r"\ce{H2O} boils", "H₂O boils"),
    // Marks over several letters.
    (r"\(\overline{AB} = 5\)", "A̅B̅ = 5"),
    (r"\(\overline{A \cup B}\)", "A̅∪̅B̅"),
    (r"\(\overline{z_1}\)", "z̅₁̅"),
    (r"\(0.\overline{142857}\)", "0.1̅4̅2̅8̅5̅7̅"),
    (r"\(\overline{\hat{x}y}\)", "x̂̅y̅"),
    (r"\(\overline{\log x}\)", "overline(log x)"),
    (r"\(\overline{ab}^2\)", "a̅b̅²"),
    (r"\(\underline{AB}\)", "A̲B̲"),
    (r"\(x = \underline{\hspace{2cm}}\)", "x = ____"),
    (r"\(x = \underline{\qquad}\)", "x = ____"),
    (r"\(x = \rule{1cm}{0.4pt}\)", "x = ____"),
    (r"\(\underbrace{1+1}_{n \text{ times}} + 2\)", "(1+1: n times) + 2"),
    (r"\(\overbrace{a+b}^{=c}\)", "(a+b =c)"),
    (r"\(\underbrace{99\cdots9}_{n} \cdot 2\)", "(99⋯9: n) · 2"),
    (r"\(\underbrace{x}\)", "x"),
    // Binomials and tags.
    (r"\(\left(\begin{array}{c} n \\ k \end{array}\right)\)", "C(n, k)"),
    (r"\(\left(\begin{matrix} n+1 \\ 2 \end{matrix}\right)\)", "C(n+1, 2)"),
    (r"\(\left(\begin{array}{c} x \\ y \end{array}\right)\)", "(x; y)"),
    (r"\(\genfrac{(}{)}{0pt}{}{n}{k}\)", "C(n, k)"),
    (r"\[ x = 1 \tag{1} \]", "x = 1  (1)"),
    (r"\[ \tag{2} x = 1 \]", "(2)  x = 1"),
    (r"\[ x = 1 \tag*{[A]} \]", "x = 1  [A]"),
    // Tables: one line a row, columns under each other.
    (
        r"\[ \begin{array}{ccc} & 1 & 2 \\ + & 3 & 14 \\ \hline & 4 & 26 \end{array} \]",
        "  1  2\n+ 3 14\n------\n  4 26",
    ),
    (
        r"\[ \begin{array}{|l|c|} \hline x & \overline{AB} \\ \hline 10 & 2 \\ \hline \end{array} \]",
        "x  | A̅B̅\n10 | 2",
    ),
    (
        "Here \\begin{tabular}{|c|c|} \\hline Day & Sales \\\\ \\hline Monday & $x^2$ \\\\ \\hline \\end{tabular} is",
        "Here \nDay    | Sales\nMonday | x²\nis",
    ),
    (
        r"\[\begin{array}{|c|c|} \multicolumn{2}{|c|}{\text{Sum}} \\ a & b \end{array}\]",
        "Sum\na | b",
    ),
    // Lists and blocks of text.
    (
        "Do:\n\\begin{enumerate}\n\\item Find $x^2$.\n\\item Stop.\n\\end{enumerate}\nDone",
        "Do:\n1. Find x².\n2. Stop.\nDone",
    ),
    ("\\begin{itemize}\n  \\item[(a)] one\n  \\item two\n\\end{itemize}", "  (a) one\n  - two\n"),
    ("\\begin{center}\nx\n\\end{center}\ny", "x\ny"),
    (r"an \item alone \end{enumerate}", r"an \item alone \end{enumerate}"),
];
