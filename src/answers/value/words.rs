//! Answers in words: what says the same, in English and Chinese.

/// Lists of phrases that mean the same, the first of which stands for all.
const SAME: &[&[&str]] = &[
    &[
        "\\emptyset",
        "no solution",
        "no solutions",
        "there is no solution",
        "there are no solutions",
        "empty set",
        "empty",
        "null set",
        "none",
        "no such solution",
        "no solution exists",
        "no solutions exist",
        "无解",
        "空集",
        "方程无解",
    ],
    &[
        "no real solution",
        "no real solutions",
        "no real roots",
        "there are no real solutions",
        "there is no real solution",
        "no real root",
        "无实数解",
        "无实数根",
        "没有实数根",
    ],
    &["does not exist", "dne", "not exist", "doesn't exist", "不存在"],
    &["undefined", "not defined", "无意义"],
    &[
        "infinitely many",
        "infinitely many solutions",
        "infinite solutions",
        "infinite",
        "infinity many",
        "there are infinitely many",
        "there are infinitely many solutions",
        "无穷多",
        "无数个",
        "无穷多个",
        "无穷多解",
        "有无穷多个",
    ],
    &[
        "\\mathbb{R}",
        "reals",
        "all real numbers",
        "all reals",
        "real numbers",
        "all real x",
        "every real number",
        "the set of all real numbers",
        "set of all real numbers",
        "set of real numbers",
        "全体实数",
        "所有实数",
        "实数集",
        "任意实数",
    ],
    &[
        "\\mathbb{Z}",
        "integers",
        "all integers",
        "set of integers",
        "整数集",
        "所有整数",
        "全体整数",
    ],
    &["\\infty", "infinity", "positive infinity", "无穷大", "正无穷"],
    &["yes", "是", "是的"],
    &["no", "否", "不是"],
    &["true", "正确", "对"],
    &["false", "错误", "错"],
    &["even", "偶函数"],
    &["odd", "奇函数"],
    &["impossible", "not possible", "不可能"],
];

/// Numbers that are often spelled, from 0.
const NUMBERS: [&str; 21] = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
    "twenty",
];

/// Returns the digits of a number's word, as in "seven".
pub fn digits(word: &str) -> Option<String> {
    let word = word.to_lowercase();
    NUMBERS.iter().position(|number| *number == word).map(|number| number.to_string())
}

/// Returns what stands for a phrase: itself unless it has a synonym.
pub fn canonical(phrase: &str) -> String {
    let group = SAME.iter().find(|group| group.contains(&phrase));
    group.map_or(phrase, |group| group[0]).to_string()
}
