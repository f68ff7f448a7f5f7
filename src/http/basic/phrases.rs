//! The phrases of the pages without script, in the language that the browser prefers.
//!
//! Fixed texts are in `english` and `chinese`; here are those with numbers in them. What the box
//! itself says of an error is English in either language.

mod chinese;
mod english;

use tiny_http::Request;

use crate::desk::Eta;
use crate::http::preference::weighted;
use crate::http::reply::headers;
use crate::types::error::Kind;

/// A language of the pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    English,
    Chinese,
}

/// The fixed texts of one language.
#[derive(Debug)]
pub struct Phrases {
    pub language: Language,
    /// The language's tag in HTML.
    pub tag: &'static str,
    pub intro: &'static str,
    pub full_page: &'static str,
    pub demo: &'static str,
    pub model_loads: &'static str,
    pub warning: &'static str,
    // Asking.
    pub question: &'static str,
    pub work: &'static str,
    pub own_work: &'static str,
    pub mode: &'static str,
    pub attempts: &'static str,
    pub usual_attempts: &'static str,
    pub ask: &'static str,
    pub no_question: &'static str,
    pub no_work: &'static str,
    pub continued: &'static str,
    // The list.
    pub yours: &'static str,
    pub none_yet: &'static str,
    pub older: &'static str,
    pub is_queued: &'static str,
    pub is_running: &'static str,
    pub is_done: &'static str,
    pub is_stopped: &'static str,
    pub is_failed: &'static str,
    // One question.
    pub ask_another: &'static str,
    pub earlier: &'static str,
    pub waits_for_model: &'static str,
    pub is_next: &'static str,
    pub reads: &'static str,
    pub thinks: &'static str,
    pub answers: &'static str,
    pub is_interrupted: &'static str,
    pub answered: &'static str,
    pub stopped: &'static str,
    pub is_cut_off: &'static str,
    pub value: &'static str,
    pub thinking: &'static str,
    pub first_thinking: &'static str,
    pub keep_open: &'static str,
    pub look_again: &'static str,
    pub answer_now: &'static str,
    pub stop: &'static str,
    pub delete: &'static str,
    pub delete_for_good: &'static str,
    pub go_on: &'static str,
    pub go_on_button: &'static str,
    // Errors.
    pub failed: &'static str,
    pub back: &'static str,
    /// A sentence for each kind of error.
    pub error: fn(Kind) -> &'static str,
    /// The description of a built-in mode in this language, by the English one.
    pub about: fn(&str) -> Option<&'static str>,
}

/// Units in which a time is worded, in seconds.
const UNITS: [(f64, Unit); 3] = [(3600.0, Unit::Hour), (60.0, Unit::Minute), (1.0, Unit::Second)];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    Hour,
    Minute,
    Second,
}

/// An estimate rounded as roughly as it is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct RoughTime {
    about: u64,
    low: u64,
    high: u64,
    /// The smallest time above 0 that is worded.
    step: u64,
    unit: Unit,
}

impl RoughTime {
    fn of(eta: &Eta) -> RoughTime {
        let fits = |(seconds, _): &&(f64, Unit)| *seconds == 1.0 || eta.high >= 1.5 * seconds;
        let (seconds, unit) = *UNITS.iter().find(fits).unwrap_or(&UNITS[2]);
        let units = match unit {
            Unit::Second => 10.0,
            Unit::Minute | Unit::Hour if eta.high > 20.0 * seconds => 5.0,
            Unit::Minute | Unit::Hour => 1.0,
        };
        let rough = |time: f64| (time / (units * seconds)).round().max(0.0) * units;
        let [about, low, high] = [eta.seconds, eta.low, eta.high].map(|time| rough(time) as u64);
        RoughTime { about, low, high, step: units as u64, unit }
    }
}

impl Phrases {
    /// Returns the phrases for the languages that a request accepts.
    pub fn of(request: &Request) -> &'static Phrases {
        Phrases::preferred(headers(request, "Accept-Language"))
    }

    /// Returns the English phrases, for a reply to a request that could not be read.
    pub fn english() -> &'static Phrases {
        &english::PHRASES
    }

    fn preferred<'h>(accepted: impl Iterator<Item = &'h str>) -> &'static Phrases {
        let known = weighted(accepted).filter_map(|(tag, weight)| {
            let language = tag.split('-').next().unwrap_or(tag).to_ascii_lowercase();
            let phrases = match language.as_str() {
                "en" => &english::PHRASES,
                "zh" => &chinese::PHRASES,
                _ => return None,
            };
            (weight > 0.0).then_some((phrases, weight))
        });
        // The first of the most welcome ones.
        let best = known.reduce(|best, next| if next.1 > best.1 { next } else { best });
        best.map_or(&english::PHRASES, |(phrases, _)| phrases)
    }

    /// Phrases how many attempts vote.
    pub fn voting(&self, attempts: u32) -> String {
        match self.language {
            Language::English => format!("{attempts} attempts that vote"),
            Language::Chinese => format!("解 {attempts} 次并表决"),
        }
    }

    /// Phrases a place in the queue, where 1 is the next.
    pub fn place(&self, place: usize) -> String {
        let before = place.saturating_sub(1);
        match self.language {
            _ if before == 0 => self.is_next.into(),
            Language::English if before == 1 => "In line: 1 question is before yours.".into(),
            Language::English => format!("In line: {before} questions are before yours."),
            Language::Chinese => format!("排队中:前面还有 {before} 个问题。"),
        }
    }

    /// Phrases when an answer is expected.
    pub fn expected(&self, eta: &Eta) -> String {
        let RoughTime { about, low, high, step, unit } = RoughTime::of(eta);
        let range = low < high;
        match self.language {
            Language::English => {
                let name = match unit {
                    Unit::Hour => "hour",
                    Unit::Minute => "minute",
                    Unit::Second => "second",
                };
                let counted = |n: u64| format!("{n} {name}{}", if n == 1 { "" } else { "s" });
                match about {
                    0 => format!("Ready in less than {}.", counted(step)),
                    _ if range => format!("Ready in about {} ({low} to {high}).", counted(about)),
                    _ => format!("Ready in about {}.", counted(about)),
                }
            }
            Language::Chinese => {
                let name = match unit {
                    Unit::Hour => "小时",
                    Unit::Minute => "分钟",
                    Unit::Second => "秒",
                };
                match about {
                    0 => format!("不到 {step} {name}就好。"),
                    _ if range => format!("大约还要 {about} {name}({low} 到 {high} {name})。"),
                    _ => format!("大约还要 {about} {name}。"),
                }
            }
        }
    }

    /// Phrases how many of `ended` attempts gave the leading value.
    pub fn agreement(&self, leading: u32, ended: u32) -> String {
        match (self.language, leading) {
            (Language::English, 0) => {
                format!("None of {ended} attempts has an answer that could be compared.")
            }
            (Language::English, 1) => format!("No two of {ended} attempts agree: this is a guess."),
            (Language::English, _) => format!("{leading} of {ended} attempts agree."),
            (Language::Chinese, 0) => format!("{ended} 次解答都没有可以比较的答案。"),
            (Language::Chinese, 1) => format!("{ended} 次解答各不相同:这只是猜测。"),
            (Language::Chinese, _) => format!("{ended} 次解答中有 {leading} 次一致。"),
        }
    }

    /// Phrases how many attempts gave a value.
    pub fn attempts_for(&self, count: u32) -> String {
        match self.language {
            Language::English if count == 1 => "1 attempt".into(),
            Language::English => format!("{count} attempts"),
            Language::Chinese => format!("{count} 次"),
        }
    }

    /// Phrases when the page looks at its job again.
    pub fn refreshes(&self, seconds: u64) -> String {
        match self.language {
            Language::English => format!("This page looks again by itself in {seconds} seconds."),
            Language::Chinese => format!("本页会在 {seconds} 秒后自动刷新。"),
        }
    }
}

#[cfg(test)]
mod tests;
