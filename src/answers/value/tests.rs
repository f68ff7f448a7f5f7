//! Answers that are the same, answers that are not, and what must hold of any text at all.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use super::*;

/// Each line is one answer in several spellings.
#[rustfmt::skip]
const SAME: &[&[&str]] = &[
    // Integers.
    &["5", "+5", "05", "005", "5.", "5.0", "5.00", "$5$", "\\(5\\)", "\\[5\\]", "$$5$$", " 5 ", "5 ", "５", "{5}"],
    &["0", "-0", "00", "0.0", "0/7", "000"],
    &["-3", "−3", "－3", "–3", "- 3", "-3.0", "\\text{-3}", "-03"],
    &["1234567", "1,234,567", "1\\,234\\,567", "1{,}234{,}567", "1 234 567", "1，234，567", "1{,}234{,}567.00"],
    &["12345678901234567890123456789012345678901234567890", "012345678901234567890123456789012345678901234567890", "+12345678901234567890123456789012345678901234567890"],
    // Decimals and powers of ten.
    &["1/2", "0.5", ".5", "0.50", "0.500000", "5e-1", "5 \\times 10^{-1}"],
    &["1200", "1.2 \\times 10^{3}", "1.2\\cdot 10^3", "1.2e3", "1.2E+3", "1,200", "1.2×10^3"],
    &["-1/8", "-0.125", "-.125", "-12.5e-2"],
    // Fractions.
    &["1/2", "\\frac{1}{2}", "\\dfrac{1}{2}", "\\tfrac{1}{2}", "\\cfrac{1}{2}", "\\frac12", "\\frac 1 2", "2/4", "½", "\\frac{2}{4}", "1 / 2", "\\frac{-1}{-2}", "(1/2)", "\\left(\\frac{1}{2}\\right)"],
    &["-1/2", "-\\frac{1}{2}", "\\frac{-1}{2}", "\\frac{1}{-2}", "-\\frac12", "-0.5", "(-1)/2", "-½"],
    &["7/3", "2\\frac{1}{3}", "2\\frac13", "2 \\frac{1}{3}", "2 1/3", "\\frac{7}{3}", "2\\dfrac{1}{3}", "2⅓"],
    &["-7/3", "-2\\frac{1}{3}", "-2 1/3"],
    &["3/4", "\\frac{\\frac{3}{2}}{2}", "\\frac{1.5}{2}", "¾", "0.75"],
    &["100", "\\frac{100}{1}", "100/1", "200/2"],
    // Percent, degrees, money, units.
    &["50", "50\\%", "50%", "50 %", "50％", "50 \\%"],
    &["90", "90^\\circ", "90^{\\circ}", "90°", "90\\degree", "90 degrees", "90度", "90^\\circ ", "90\\text{ degrees}"],
    &["5", "\\$5", "\\$5.00", "€5", "¥5", "￥5", "5 \\text{ dollars}", "5元"],
    &["5", "5 cm", "5\\text{ cm}", "5 \\text{cm}", "5\\,\\text{cm}", "5\\mathrm{~cm}", "5厘米", "5 km/h", "5\\text{ km/h}", "5 square units"],
    &["12", "12 apples", "12个", "12 \\text{ apples}", "12\\text{个苹果}"],
    &["30", "30\\text{ m}^2", "30 cm^2", "30 \\text{ cm}^{2}", "30 平方厘米", "30平方米"],
    &["5", "5\\text{ m}", "5 \\mathrm{m}"],
    &["5", "5\\mathrm{cm^2}", "5\\mathrm{cm}^2", "5 m/s", "5\\text{ m/s}^2", "5 m/s^2", "5€", "\\text{¥}5", "\\text{\\$}5", "**5**", "5 minutes"],
    &["90", "90°C", "90℃", "90^\\circ\\text{C}", "90^\\circ C"],
    &["1000000000000000000", "10^{18}", "1e18", "1 \\times 10^{18}"], &["100", "10^2", "10^{2}", "10²"], &["1/100", "10^{-2}"],
    // What stands before the answer.
    &["3.14", "\\approx 3.14", "≈3.14", "x \\approx 3.14", "x≈3.14"],
    &["(1, 2)", "(x, y) = (1, 2)", "(x,y)=(1,2)", "x \\in (1, 2)", "x∈(1,2)"],
    &["1", "x₁=1", "x_1=1", "答案為1"],
    &["x = 1, y = 2", "y = 2, x = 1", "y=2.0 \\text{ and } x=1", "\\{x=1, y=2\\}"], &["3, 5", "x_1 = 3, x_2 = 5", "x₁=5，x₂=3"],
    &["5", "x = 5", "x=5", "$x = 5$", "\\alpha = 5", "x_1 = 5", "x_{12} = 5", "n=5", "Answer: 5", "answer is 5", "The answer is 5.", "The final answer is 5", "答案是5", "答案是 5。", "答案：5", "答：5", "\\text{Answer: } 5"],
    &["1/2", "x = \\frac{1}{2}", "y=\\frac12", "x = 0.5"],
    &["-3/10", "x = -\\frac{3}{10}", "x=-0.3"],
    // Boxes inside.
    &["5", "\\boxed{5}", "so \\boxed{5}.", "\\fbox{5}", "\\boxed {5}", "\\boxed{4} no, \\boxed{5}", "\\boxed{x = 5}"],
    // Tuples and intervals.
    &["(1, 2)", "(1,2)", "\\left(1, 2\\right)", "(1.0, 4/2)", "（1，2）", "\\left( 1 , 2 \\right)", "\\langle 1, 2\\rangle", "(1;2)", "$(1, 2)$"],
    &["(17, 3)", "(17，3)", "(017, 3)", "\\left(17,\\ 3\\right)"],
    &["[1, 2)", "[1,2)", "\\left[1, 2\\right)", "[1.0,2)"],
    &["(1, (2, 3))", "(1,(2,3))"],
    &["(-\\infty, 3)", "(-\\infty,3)", "\\left(-\\infty, 3\\right)"],
    &["(1, \\infty)", "(1,+\\infty)", "(1, +∞)", "（1，+∞）"],
    &["(1, 234)", "(1,234)"],
    // Sets and lists.
    &["\\{1, 2, 3\\}", "\\{3,2,1\\}", "\\left\\{1, 2, 3\\right\\}", "1, 2, 3", "3, 1, 2", "1; 2; 3", "1, 2 and 3", "1, 2 \\text{ and } 3", "\\lbrace 1,2,3\\rbrace", "1，2，3", "1、2、3"],
    &["1, 2", "1 and 2", "2 or 1", "1或2", "1和2", "x = 1 or x = 2", "x=1, x=2", "x = 1 \\text{ or } x = 2", "\\{2,1\\}", "1 \\text{ and } 2"],
    &["3, -3", "\\pm 3", "±3", "x = \\pm 3", "-3, 3", "\\{-3, 3\\}"],
    &["5", "\\{5\\}", "\\left\\{ 5 \\right\\}"],
    &["1, 234", "\\{1, 234\\}", "234, 1"],
    &["1,234, 5,678", "1234, 5678", "\\{5678, 1234\\}"],
    // Words.
    &["no solution", "\\text{No solution}", "No Solution.", "\\text{no solution}", "NO SOLUTION", "\\textbf{No solution}"],
    &["yes", "Yes", "YES.", "\\text{Yes}", "\\mathrm{yes}"],
    &["A", "(A)", "\\text{A}", "\\textbf{(A)}", "\\mathrm{(A)}", "A.", "\\text{(A)}", "\\mathbf{A}"],
    &["∅", "\\emptyset", "\\varnothing"],
    &["无解", " 无解 ", "\\text{无解}", "无解。"],
    // Formulas.
    &["2\\sqrt{3}", "2 \\sqrt{3}", "2\\sqrt 3", "2\\sqrt3", "2\\cdot\\sqrt{3}", "2 \\times \\sqrt{3}", "2√3", "2*\\sqrt{3}"],
    &["3\\pi", "3 \\pi", "3π", "3 \\cdot \\pi", "$3\\pi$"],
    &["\\frac{\\sqrt{3}}{2}", "\\dfrac{\\sqrt 3}{2}", "\\frac{\\sqrt3}2"],
    &["\\frac{\\pi}{2}", "\\pi/2", "π/2", "\\dfrac{π}{2}", "\\frac\\pi2"], &["\\frac{2\\pi}{3}", "2\\pi/3"], &["\\frac{a+b}{2}", "(a+b)/2"],
    &["x^{\\frac{1}{2}}", "x^\\frac{1}{2}", "x^{1/2}"], &["2\\frac{1}{x}", "2(1/x)"],
    &["x - y", "x-y", "x − y"], &["\\frac{1}{x+1}", "1/(x+1)"], &["3-\\frac{\\pi}{2}", "3-\\pi/2"],
    &["x^2+1", "x^{2} + 1", "x^2 + 1", "$x^2+1$", "x²+1"],
    &["x \\le 3", "x\\leq3", "x ≤ 3", "x \\leqslant 3"],
    &["5x", "5 \\cdot x", "5x "],
    &["\\infty", "∞", "$\\infty$"],
    &["2^{10}", "2^{10} ", "$2^{10}$"],
    &["\\mathbb{R}", "\\mathbb R", "$\\mathbb{R}$"],
];

/// Pairs that must not be taken for each other.
#[rustfmt::skip]
const DIFFERENT: &[(&str, &str)] = &[
    ("5", "-5"), ("5", "50"), ("5", "0.5"), ("0.3", "1/3"), ("0.333", "1/3"), ("1/2", "2"), ("1/2", "1/3"),
    ("1.5", "15"), ("12", "21"), ("12", "3 \\times 4"), 
    ("5", "5x"), ("5", "5x^2"), ("2", "2\\sqrt{3}"), ("3", "3\\pi"), ("3", "3i"), ("5", "5y"), ("3", "3 \\sin x"),
    ("2", "\\sqrt{2}"), ("7", "7 \\mod 3"), ("5", "5 and 6"), ("5", "5!"), ("1", "1/x"), ("1/2", "1/2x"),
    ("(1, 2)", "(2, 1)"), ("(1, 2)", "[1, 2]"), ("(1, 2)", "[1, 2)"), ("(1, 2)", "\\{1, 2\\}"), ("(1, 2)", "(1, 2, 3)"),
    ("\\{1, 2\\}", "\\{1, 3\\}"), ("\\{1, 2\\}", "1"), ("1, 2", "12"), ("1,234", "1, 234"), ("1,23", "123"),
    ("1,2345", "12345"), ("x = 5", "x = -5"), ("x > 5", "5"), ("x \\ge 5", "x > 5"), ("x", "X"), ("A", "B"), ("A", "a"),
    ("yes", "no"), ("no solution", "0"), ("x+1", "x-1"), ("\\sqrt{2}", "\\sqrt{3}"), ("x_{12}", "x_1 2"),
    ("5/0", "5"), ("\\frac{1}{0}", "0"), ("\\frac{a}{b}", "\\frac{b}{a}"), ("3 feet 4 inches", "3"), ("10:30", "10"),
    ("\\pm 3", "3"), ("1.2.3", "1.2"), ("1e", "1"), ("1e3x", "1000"), ("2 + 3i", "2"), ("m = n = 5", "5"),
    ("2\\frac{1}{3}", "2/3"), ("-2\\frac{1}{3}", "-5/3"), ("23", "2 3"), ("\\text{A}", "\\text{B}"), ("π", "3.14"), ("±x", "x"),
    ("7^2", "7"), ("10^2", "10"), ("10^2", "10^3"), ("x=2^{3}", "2"), ("\\frac{1}{2}^2", "1/2"), ("5xy", "5"), ("3ab", "3cd"),
    ("1/xy", "1"), ("5pi", "5"), ("5 pi", "5"), ("5 million", "5"), ("5 hundred", "5"), ("5万", "5"), ("5亿", "5万"), ("5负", "5"),
    ("5 minus x", "5"), ("2\\mathrm{e}^{x}+y", "2"), ("5\\mathrm{i}", "5"), ("3\\text{ if }x>y", "3"), ("5 x", "5"),
    ("x=1, y=2", "x=2, y=1"), ("x=1, y=2", "1, 2"), ("3{,}14", "314"), ("1{,}5", "15"), ("a-b", "A-B"), ("-x", "-X"),
    ("\\sqrt{1}2", "\\sqrt{12}"), ("x^{1}2", "x^12"), ("\\frac{\\pi}{2}x", "\\pi/(2x)"), ("\\frac{1}{2x}", "1/2x"),
    ("\\frac{a+b}{2}", "a+b/2"), ("\\frac{a}{b+c}", "a/b+c"), ("2\\frac{1}{x}", "21/x"), ("x^\\frac{1}{2}", "x^1/2"), ("1/\\frac{a}{b}", "1/a/b"), ("90°x", "90"), ("50%x", "50"),
    ("12345678901234567890123456789012345678901234567890", "12345678901234567890123456789012345678901234567891"),
];

#[test]
fn the_same_answer_in_other_writing_is_the_same() {
    let mut wrong = Vec::new();
    for spellings in SAME {
        let first = Value::parse(spellings[0]);
        let others = spellings.iter().map(|spelling| (spelling, Value::parse(spelling)));
        wrong.extend(others.filter(|(_, value)| value.is_none() || *value != first));
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(SAME.iter().map(|spellings| spellings.len()).sum::<usize>() >= 150);
}

#[test]
fn different_answers_are_different() {
    let same = |(one, other): &&(&str, &str)| Value::parse(one) == Value::parse(other);
    let wrong: Vec<_> = DIFFERENT.iter().filter(same).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Pairs of answers, one a line: S for the same or D for different, then both.
const PAIRS: &str = include_str!("../../../tests/data/answers/pairs.tsv");
/// Answers of contest problems: S with the same in another form, D with what a slip would give.
const CONTEST: &str = include_str!("../../../tests/data/answers/contest.tsv");

/// Returns the pairs of a list that are judged wrongly, and their number, for S and for D.
fn judged(list: &str) -> ([Vec<&str>; 2], [usize; 2]) {
    let (mut wrong, mut count) = ([Vec::new(), Vec::new()], [0, 0]);
    for line in list.lines() {
        let [kind, one, other] = line.split('\t').collect::<Vec<_>>()[..] else {
            panic!("{line}");
        };
        let kind_at = usize::from(kind == "D");
        count[kind_at] += 1;
        let [one, other] = [one, other].map(|text| Value::parse(text).expect(line));
        if one.is_same(&other) != (kind == "S") || one.is_same(&other) != other.is_same(&one) {
            wrong[kind_at].push(line);
        }
    }
    (wrong, count)
}

#[test]
fn hard_pairs_are_judged_rightly() {
    let ([missed, merged], [same, different]) = judged(PAIRS);
    assert!(missed.is_empty() && merged.is_empty(), "{missed:#?} {merged:#?}");
    assert!(same >= 250 && different >= 140, "{same} {different}");
}

#[test]
fn contest_answers_in_another_form_are_recognised_and_slips_are_not() {
    let ([missed, merged], [same, different]) = judged(CONTEST);
    assert!(merged.is_empty(), "{merged:#?}");
    assert!(missed.len() * 100 <= same * 5, "{missed:#?}");
    assert!(same >= 340 && different >= 500, "{same} {different}");
}

#[test]
fn being_the_same_needs_no_order_and_groups_are_the_same_all() {
    let values = ["5", "x=5", "y=5", "5 cm", "5 kg", "\\boxed{5}", "7"];
    let values: Vec<Value> = values.iter().map(|text| Value::parse(text).unwrap()).collect();
    let groups = groups(&values);
    assert_eq!(groups, [vec![0, 1, 3, 5], vec![2, 4], vec![6]]);
}

#[test]
fn a_comparison_takes_two_milliseconds_at_most() {
    let start = std::time::Instant::now();
    let mut pairs = 0_u32;
    for line in PAIRS.lines().chain(CONTEST.lines()) {
        let mut answers = line.split('\t').skip(1).map(|text| Value::parse(text).unwrap());
        let _ = answers.next().unwrap().is_same(&answers.next().unwrap());
        pairs += 1;
    }
    let each = start.elapsed() / pairs;
    assert!(each < std::time::Duration::from_millis(2), "{each:?}");
}

#[test]
fn an_answer_is_shown_so_that_it_can_be_read_again() {
    let all = SAME.iter().copied().flatten().copied();
    let listed = PAIRS.lines().chain(CONTEST.lines()).flat_map(|line| line.split('\t').skip(1));
    let mut wrong = Vec::new();
    for text in all.chain(DIFFERENT.iter().flat_map(|&(one, other)| [one, other])).chain(listed) {
        let value = Value::parse(text).unwrap();
        let again = Value::parse(&value.to_string());
        if again.as_ref() != Some(&value) {
            wrong.push((text, value, again));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn aimes_answers_are_the_integers_from_000_to_999() {
    for n in 0..1000 {
        let value = Value::parse(&n.to_string());
        assert_eq!(value.as_ref().unwrap().to_string(), n.to_string());
        for spelling in [
            format!("{n:03}"),
            format!("\\boxed{{{n:03}}}"),
            format!("${n:03}$"),
            format!("\\text{{{n}}}"),
            format!("{n}."),
            format!("{n}^\\circ"),
            format!("m+n = {n}").replace("m+n", "m"),
            format!("\\mathbf{{{n:03}}}"),
        ] {
            assert_eq!(Value::parse(&spelling), value, "{spelling}");
        }
        assert_ne!(Value::parse(&(n + 1).to_string()), value);
    }
}

#[test]
fn an_empty_text_is_not_an_answer() {
    for text in ["", " ", "$$", "\\boxed{}", "\\boxed{ }", ".", ",", "\\,", "\\left.", "\\text{}"] {
        assert_eq!(Value::parse(text), None, "{text}");
    }
    assert_eq!(of_reply("\\boxed{1} and \\boxed{2"), Value::parse("1"));
}

#[test]
fn the_last_complete_box_counts() {
    let cases = [
        ("so \\boxed{391}.", Some("391")),
        ("\\boxed{1} then \\boxed{ 2 }", Some("2")),
        ("\\boxed{\\frac{1}{2}}", Some("\\frac{1}{2}")),
        ("\\boxed{\\{1, 2\\}}", Some("\\{1, 2\\}")),
        ("\\boxed{7} and \\boxed{8", Some("7")),
        ("\\boxed {7}, \\fbox{8}", Some("8")),
        ("\\boxed{}", Some("")),
        ("\\boxed{5} and so \\boxed{}", Some("5")),
        ("\\boxed 5 is it", Some("5")),
        ("\\boxed{839\n</think>\n\nThe sum is 8", Some("839")),
        ("**Final Answer**\n\\boxed{83", None),
        ("\\framebox[2cm]{5}", Some("5")),
        ("\\boxed{答案}", Some("答案")),
        ("a box {1} and \\unboxed{2}", None),
        ("no box", None),
        ("\\boxed{", None),
        ("", None),
    ];
    for (text, expected) in cases {
        assert_eq!(boxed(text), expected, "{text}");
    }
}

/// Generates the parts of answers.
struct RandomAnswers(ChaCha8Rng);

impl RandomAnswers {
    fn below(&mut self, n: u32) -> u32 {
        self.0.next_u32() % n
    }

    fn of<'t>(&mut self, list: &[&'t str]) -> &'t str {
        list[self.below(list.len() as u32) as usize]
    }

    /// A rational in one of its writings.
    fn spelled(&mut self, top: i128, bottom: i128) -> String {
        let times = i128::from(self.below(9)) + 1;
        let (top, bottom) = (top * times, bottom * times);
        match self.below(5) {
            0 => format!("{top}/{bottom}"),
            1 => format!("\\frac{{{top}}}{{{bottom}}}"),
            2 => format!("\\dfrac{{{}}}{{{}}}", -top, -bottom),
            3 => format!("{} {top} / {bottom}", if top < 0 { "" } else { "+" }),
            _ => format!("\\left(\\tfrac{{{top}}}{{{bottom}}}\\right)"),
        }
    }

    /// The same text in other clothes.
    fn dressed(&mut self, text: &str) -> String {
        match self.below(6) {
            0 => format!("${text}$"),
            1 => format!("\\boxed{{{text}}}"),
            2 => format!("x = {text}"),
            3 => format!(" {text}. "),
            4 => text.chars().map(|c| if c.is_ascii_digit() { wide(c) } else { c }).collect(),
            _ => format!("\\left({text}\\right)"),
        }
    }
}

fn wide(c: char) -> char {
    char::from_u32(c as u32 - '0' as u32 + '０' as u32).unwrap()
}

fn draws(seed: u64) -> RandomAnswers {
    RandomAnswers(ChaCha8Rng::seed_from_u64(seed))
}

#[test]
fn a_number_is_equal_to_itself_in_any_writing_and_to_no_other() {
    let mut draw = draws(1);
    for _ in 0..3000 {
        let (top, bottom) = (i128::from(draw.below(2000)) - 1000, i128::from(draw.below(60)) + 1);
        let value = Value::parse(&format!("{top}/{bottom}")).unwrap();
        let spelled = draw.spelled(top, bottom);
        let dressed = draw.dressed(&spelled);
        assert_eq!(Value::parse(&dressed), Some(value.clone()), "{dressed}");
        let (other_top, other_bottom) = (i128::from(draw.below(2000)) - 1000, 7);
        if other_top * bottom != top * other_bottom {
            let other = draw.spelled(other_top, other_bottom);
            assert_ne!(Value::parse(&other), Some(value), "{other}, {dressed}");
        }
    }
}

#[test]
fn sets_have_no_order_and_tuples_have() {
    let mut draw = draws(2);
    for _ in 0..500 {
        let mut parts: Vec<String> =
            (0..2 + draw.below(4)).map(|i| format!("{}", 7 * i + draw.below(7))).collect();
        let straight = parts.join(", ");
        parts.reverse();
        let reverse = parts.join(",\\ ");
        let set = |inside: &str| Value::parse(&format!("\\{{{inside}\\}}")).unwrap();
        let tuple = |inside: &str| Value::parse(&format!("({inside})")).unwrap();
        assert_eq!(set(&straight), set(&reverse));
        assert_ne!(tuple(&straight), tuple(&reverse), "{straight}");
        assert_ne!(tuple(&straight), set(&straight));
    }
}

#[test]
fn any_text_is_normalised_without_panic_and_in_time() {
    const PIECES: [&str; 44] = [
        "\\frac",
        "{",
        "}",
        "(",
        ")",
        "[",
        "]",
        "\\{",
        "\\}",
        "\\left",
        "\\right",
        ".",
        ",",
        "1",
        "23",
        "000",
        "-",
        "+",
        "/",
        "\\text{",
        "\\sqrt",
        "^",
        "_",
        "=",
        "x",
        " ",
        "\\,",
        "\\",
        "$",
        "%",
        "°",
        "½",
        "±",
        "和",
        " or ",
        "，",
        "５",
        "e9",
        "×10^",
        "\\boxed{",
        "\u{E002}",
        "9999999999999999999",
        "答案是",
        "\\pm",
    ];
    let mut draw = draws(3);
    for _ in 0..4000 {
        let text: String = (0..draw.below(120)).map(|_| draw.of(&PIECES)).collect();
        let _ = Value::parse(&text).map(|value| value.to_string());
        let _ = of_reply(&text);
    }
    let start = std::time::Instant::now();
    for piece in PIECES {
        let _ = Value::parse(&piece.repeat(100_000 / piece.len()));
        let _ = Value::parse(&piece.repeat(PARSED_BYTES_MAX / piece.len()));
        let _ = of_reply(&piece.repeat(100_000 / piece.len()));
    }
    assert!(start.elapsed().as_secs() < 20, "{:?}", start.elapsed());
}
