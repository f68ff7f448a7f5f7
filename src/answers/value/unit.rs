//! Units behind a number: a closed list, so that no other word is taken for one.
//!
//! A number with a unit is the same as one without, and different from one with another unit.
//! Nothing is converted: 1 m and 100 cm are different answers.

use super::token::{MathToken, Symbol};

/// Units, each with its other names; the first stands for all.
const UNITS: &[&[&str]] = &[
    &["mm", "millimeter", "millimetre", "毫米"],
    &["cm", "centimeter", "centimetre", "厘米"],
    &["dm", "decimeter", "decimetre", "分米"],
    &["m", "meter", "metre", "米"],
    &["km", "kilometer", "kilometre", "千米", "公里"],
    &["nm"],
    &["in", "inch", "inche", "英寸"],
    &["ft", "foot", "feet", "英尺"],
    &["yd", "yard", "码"],
    &["mi", "mile", "英里"],
    &["mg", "milligram", "毫克"],
    &["g", "gram", "克"],
    &["kg", "kilogram", "千克", "公斤"],
    &["t", "ton", "tonne", "吨"],
    &["lb", "pound", "磅"],
    &["oz", "ounce", "盎司"],
    &["ml", "mL", "milliliter", "millilitre", "毫升"],
    &["l", "L", "liter", "litre", "升"],
    &["gal", "gallon", "加仑"],
    &["quart"],
    &["pint"],
    &["cup"],
    &["tablespoon"],
    &["teaspoon"],
    &["ms", "millisecond", "毫秒"],
    &["s", "sec", "second", "秒", "秒钟"],
    &["min", "minute", "分钟"],
    &["h", "hr", "hour", "小时", "时"],
    &["day", "天", "日"],
    &["week", "周", "星期"],
    &["month", "个月", "月"],
    &["year", "yr", "年", "岁"],
    &["decade"],
    &["century", "centurie", "世纪"],
    &["mph"],
    &["kph"],
    &["rpm"],
    &["Hz"],
    &["kHz"],
    &["MHz"],
    &["GHz"],
    &["W", "watt", "瓦"],
    &["kW", "kilowatt"],
    &["kWh"],
    &["J", "joule", "焦耳"],
    &["kJ"],
    &["N", "newton", "牛顿", "牛"],
    &["Pa", "pascal"],
    &["kPa"],
    &["mol", "mole"],
    &["V", "volt"],
    &["A", "amp", "ampere"],
    &["K", "kelvin"],
    &["KB", "kB"],
    &["MB"],
    &["GB"],
    &["bit"],
    &["byte"],
    &["°", "degree", "deg", "度"],
    &["rad", "radian", "弧度"],
    &["%", "percent", "percentage"],
    &["$", "dollar", "USD", "buck", "美元"],
    &["cent", "¢"],
    &["€", "euro", "欧元"],
    &["£"],
    &["¥", "yuan", "元", "块钱"],
    &["rupee"],
    &["penny", "pennie", "pence"],
    &["nickel"],
    &["dime"],
    &["角"],
    &["acre"],
    &["hectare", "公顷"],
    &["mm^2", "平方毫米"],
    &["cm^2", "平方厘米"],
    &["dm^2", "平方分米"],
    &["m^2", "平方米"],
    &["km^2", "平方千米", "平方公里"],
    &["cm^3", "立方厘米"],
    &["dm^3", "立方分米"],
    &["m^3", "立方米"],
    &["km/h", "千米/时", "千米每小时", "公里每小时"],
    &["m/s", "米每秒"],
    &["m/min", "米每分", "米每分钟"],
    &["apple", "苹果"],
    &["orange"],
    &["banana"],
    &["pear"],
    &["peach", "peache"],
    &["student", "学生"],
    &["person", "people", "人"],
    &["boy", "男生"],
    &["girl", "女生"],
    &["child", "children", "kid"],
    &["man", "men"],
    &["woman", "women"],
    &["marble"],
    &["coin"],
    &["book"],
    &["pencil"],
    &["pen"],
    &["cookie"],
    &["ball"],
    &["card"],
    &["ticket"],
    &["car"],
    &["tree"],
    &["flower"],
    &["bird"],
    &["cat"],
    &["dog"],
    &["chicken"],
    &["cow"],
    &["sheep"],
    &["egg"],
    &["cake"],
    &["slice"],
    &["piece"],
    &["box", "boxe"],
    &["bag"],
    &["bottle"],
    &["game"],
    &["page"],
    &["question"],
    &["problem"],
    &["team"],
    &["player"],
    &["teacher"],
    &["worker"],
    &["house"],
    &["room"],
    &["chair"],
    &["table"],
    &["seat"],
    &["stamp"],
    &["sticker"],
    &["toy"],
    &["candy", "candie"],
    &["dot"],
    &["square"],
    &["triangle"],
    &["circle"],
    &["rectangle"],
    &["cube"],
    &["tile"],
    &["line"],
    &["side"],
    &["edge"],
    &["face"],
    &["vertex", "vertice"],
    &["diagonal"],
    &["region"],
    &["digit"],
    &["letter"],
    &["word"],
    &["row"],
    &["column"],
    &["vote"],
    &["leg"],
    &["lap"],
    &["trip"],
    &["fish"],
    &["member"],
    &["guest"],
    &["passenger"],
    &["customer"],
    &["shirt"],
    &["hat"],
    &["shoe"],
    &["pair"],
];
/// Nouns that only say what was counted.
const COUNTED: &str = " unit way solution integer value element possibility possibilitie \
    arrangement number time \
    triple tuple quadruple permutation combination subset function outcome choice point step \
        term factor divisor zero \
    root set case sequence color colour position move type kind object item different ordered \
        possible distinct \
    total total. such positive consecutive more older left ";
/// Chinese measure words, which may be followed by what was counted.
const MEASURES: &str = "个只本名位张头件种次条块棵辆页组对双支枝台颗倍步场";
/// Letters that are units in text or in a quotient.
const LETTERS: &str = "mshgLlNJWVAtK";

/// Splits a unit off the end: the index of its first token and its canonical name, "" for a counted
/// noun. The longest that leaves a number is the caller's to find: all are returned, longest first.
pub fn endings(tokens: &[MathToken]) -> Vec<(usize, String)> {
    (1..tokens.len()).filter_map(|at| Some((at, name(&tokens[at..])?))).collect()
}

/// Returns the canonical name of tokens that are a unit.
fn name(tokens: &[MathToken]) -> Option<String> {
    let is_quotient = tokens.iter().any(|t| t.is('/'));
    let mut name = String::new();
    let mut power = "";
    let mut at = 0;
    while at < tokens.len() {
        let token = &tokens[at];
        at += 1;
        match &token.symbol {
            Symbol::Word(word) => match word.as_str() {
                "square" | "sq" if at < tokens.len() => power = "^2",
                "cubic" if at < tokens.len() => power = "^3",
                "squared" => name.push_str("^2"),
                "cubed" => name.push_str("^3"),
                "per" if !name.is_empty() => name.push('/'),
                "C" | "F" if name == "°" => name.push_str(word),
                "of" | "the" | "each" | "a" | "an" => return None,
                word => {
                    let known = of_word(word, token.as_text || is_quotient, token.spaced)?;
                    if !name.is_empty() && !name.ends_with('/') && !known.is_empty() {
                        name.push(' ');
                    }
                    name.push_str(known);
                    if !known.is_empty() {
                        name.push_str(std::mem::take(&mut power));
                    }
                }
            },
            Symbol::Letter(letter) if is_quotient && LETTERS.contains(letter.as_str()) => {
                name.push_str(letter)
            }
            Symbol::Letter(letter) if name == "°" && matches!(letter.as_str(), "C" | "F") => {
                name.push_str(letter)
            }
            Symbol::Sign(sign @ ('%' | '°' | '$' | '€' | '£' | '¥')) if name.is_empty() => {
                name.push(*sign)
            }
            Symbol::Sign('/') if !name.is_empty() => name.push('/'),
            Symbol::Sign('×') if !name.is_empty() => {}
            Symbol::Sign('^') => {
                let (digits, after) = exponent(&tokens[at..])?;
                at += after;
                if name.is_empty() {
                    return None;
                }
                name.push_str(&format!("^{digits}"));
            }
            Symbol::Sign('.') if at == tokens.len() && !name.is_empty() => {}
            _ => return None,
        }
    }
    Some(name)
}

/// Reads a unit's exponent; returns it with the number of its tokens.
fn exponent(tokens: &[MathToken]) -> Option<(String, usize)> {
    let (inside, length) = match tokens.first()? {
        open if open.is('{') => {
            let end = tokens.iter().position(|t| t.is('}'))?;
            (&tokens[1..end], end + 1)
        }
        _ => (&tokens[..1], 1),
    };
    let (minus, digit) = match inside {
        [digit] => ("", digit),
        [minus, digit] if minus.is('-') => ("-", digit),
        _ => return None,
    };
    let digit = digit.whole().filter(|d| matches!(*d, "1" | "2" | "3"))?;
    Some((format!("{minus}{digit}"), length))
}

/// Returns the canonical name of a word, "" if it only says what was counted.
fn of_word(word: &str, as_text: bool, spaced: bool) -> Option<&'static str> {
    let find = |word: &str| UNITS.iter().find(|names| names.contains(&word)).map(|names| names[0]);
    if word.chars().count() == 1 && word.is_ascii() {
        return find(word).filter(|_| as_text && LETTERS.contains(word));
    }
    if let Some(known) = find(word) {
        // 5in may be 5·i·n.
        return Some(known).filter(|_| spaced || as_text || word != "in");
    }
    let lower = word.to_lowercase();
    let singular = lower.strip_suffix('s').unwrap_or(&lower);
    if let Some(known) = find(&lower).or_else(|| find(singular)) {
        return Some(known);
    }
    let is_counted = [lower.as_str(), singular].iter().any(|w| COUNTED.contains(&format!(" {w} ")));
    let is_measure = word.starts_with(|c| MEASURES.contains(c));
    (is_counted || is_measure).then_some("")
}
