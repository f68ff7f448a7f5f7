//! Parsers of flag values: each checks one kind of value and says what is expected instead.
//!
//! Bounds come from `types/limits.rs`. clap puts the flag and the value before these messages.

use clap::builder::{PossibleValue, PossibleValuesParser, RangedU64ValueParser, TypedValueParser};

use crate::types::boards::{BOARDS, Board};
use crate::types::limits;
use crate::types::quantize::Mix;

/// The seeds of an evaluation in the order given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seeds(pub Vec<u64>);

/// Accepts one of a few named values; the help lists each name with its description.
pub(super) fn one_of<T, const N: usize>(
    values: [(&'static str, T, &'static str); N],
) -> impl TypedValueParser<Value = T>
where
    T: Copy + Send + Sync + 'static,
{
    let described = values.map(|(name, _, about)| PossibleValue::new(name).help(about));
    PossibleValuesParser::new(described).map(move |given| {
        let found = values.iter().find(|(name, ..)| *name == given);
        // PossibleValuesParser lets no other name through.
        found.expect("a name from the list").1
    })
}

/// Accepts a whole number from `min` to `max`.
pub(super) fn count(min: u32, max: u32) -> impl TypedValueParser<Value = u32> {
    RangedU64ValueParser::<u32>::new().range(u64::from(min)..=u64::from(max))
}

pub(super) fn board(name: &str) -> Result<&'static Board, String> {
    BOARDS.iter().find(|board| board.name == name).ok_or_else(|| {
        let names: Vec<&str> = BOARDS.iter().map(|board| board.name).collect();
        format!("the known boards are {}", names.join(" and "))
    })
}

/// Reads `4G`, `700M`, `64K` or plain bytes; one K is 1,024 bytes.
pub(super) fn bytes(text: &str) -> Result<u64, String> {
    let (digits, unit) = match text.find(|c: char| !c.is_ascii_digit()) {
        Some(at) => text.split_at(at),
        None => (text, ""),
    };
    let shift = match unit {
        "" => Some(0),
        "K" | "k" => Some(10),
        "M" => Some(20),
        "G" => Some(30),
        _ => None,
    };
    let number = digits.parse::<u64>().ok().zip(shift);
    let bytes = number.and_then(|(number, shift)| number.checked_mul(1 << shift));
    bytes.filter(|&bytes| bytes <= limits::RAM_BYTES_MAX).ok_or_else(|| {
        let max = limits::RAM_BYTES_MAX >> 30;
        format!("a number of bytes is needed, such as 4G, 700M or 4294967296, at most {max}G")
    })
}

pub(super) fn temperature(text: &str) -> Result<f32, String> {
    let max = limits::TEMPERATURE_MAX;
    match text.parse::<f32>() {
        Ok(t) if (0.0..=max).contains(&t) => Ok(t),
        _ => Err(format!("a number from 0 to {max} is needed")),
    }
}

pub(super) fn mix(text: &str) -> Result<Mix, String> {
    let named = |mix: &Mix| mix.name().eq_ignore_ascii_case(text);
    let known = || Mix::ALL.map(Mix::name).join(", ");
    let found = Mix::ALL.into_iter().find(named);
    found.ok_or_else(|| format!("one of these is needed: {}", known()))
}

/// Reads `1-8,12`: numbers and ranges, each seed once.
pub(super) fn seeds(text: &str) -> Result<Seeds, String> {
    let max = limits::EVAL_ATTEMPTS_MAX as usize;
    let bad =
        || format!("numbers and ranges are needed, such as 1-8 or 3,5,9, at most {max} seeds");
    let mut list: Vec<u64> = Vec::new();
    for part in text.split(',').map(str::trim) {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let number = |text: &str| text.trim().parse::<u64>().map_err(|_| bad());
        let (first, last) = (number(first)?, number(last)?);
        if first > last || last - first >= max as u64 {
            return Err(bad());
        }
        list.extend(first..=last);
        if list.len() > max {
            return Err(bad());
        }
    }
    let mut sorted = list.clone();
    sorted.sort_unstable();
    match sorted.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(format!("seed {} is listed twice", pair[0])),
        None => Ok(Seeds(list)),
    }
}
