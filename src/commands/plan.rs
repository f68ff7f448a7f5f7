//! `solverbox plan`: a model's memory use on a board, what fits, and the expected speed, from the
//! file's header alone.
//!
//! The plan is the one `serve` and `solve` make before they load, also for boards other than this
//! machine. Loads nothing and never uses the engine.

use serde_json::{Value, json};

use super::{Loading, OutputFormat};
use crate::model::Header;
use crate::model::adapter::AdapterFile;
use crate::model::available::available;
use crate::model::memory::{kv_bytes, per_token};
use crate::model::plan::{Judged, Planner, sequences};
use crate::types::boards::{BOARDS, Board, PerToken};
use crate::types::error::Error;
use crate::types::memory::{Bound, MIB, Room};
use crate::types::plan::{KvType, Plan};

/// Numbers of sequences for which the largest context is listed.
const LISTED_SEQUENCES: [u32; 5] = [1, 2, 4, 8, 16];

/// The options of `plan`.
#[derive(Debug)]
pub struct PlanOptions {
    /// The model and what is required of it.
    pub loading: Loading,
    /// The board to plan for; `None` for this machine.
    pub board: Option<&'static Board>,
    /// Memory to plan for; `None` for what this machine has available now.
    pub room: Option<Room>,
    /// Form of the results.
    pub output: OutputFormat,
}

/// Everything that is printed.
struct PlanReport {
    header: Header,
    board: Option<&'static Board>,
    plan: Plan,
    room: Room,
    fits: bool,
    /// Largest context in f16 and in q8_0, for each of [`LISTED_SEQUENCES`].
    largest: Vec<(u32, [Option<u32>; 2])>,
    /// Cost of a token in an empty context, and in one half full.
    costs: [PerToken; 2],
}

/// Prints the plan, whether it fits or not.
///
/// # Errors
/// `no_memory` after printing, if the model does not fit; errors of the file.
pub fn run(options: &PlanOptions) -> Result<(), Error> {
    let file = options.loading.find()?;
    let (header, adapters) = options.loading.open(&file)?;
    let room = options.room.clone().unwrap_or_else(available);
    let planner = Planner::new(&header, &adapters, options.loading.required)?;
    let Judged { plan, refusal } = planner.judge(&room);
    let largest =
        |count| (count, [KvType::F16, KvType::Q8_0].map(|kv| planner.largest(kv, count, &room)));
    let report = PlanReport {
        board: options.board,
        fits: refusal.is_none(),
        largest: LISTED_SEQUENCES.map(largest).into(),
        costs: costs(&header, &adapters, &plan),
        plan,
        room,
        header,
    };
    super::print(&match options.output {
        OutputFormat::Text => text(&report),
        OutputFormat::Json => format!("{}\n", object(&report)),
    })?;
    refusal.map_or(Ok(()), Err)
}

fn costs(header: &Header, adapters: &[AdapterFile], plan: &Plan) -> [PerToken; 2] {
    let half = u64::from(plan.context_tokens / 2);
    [0, half].map(|filled| per_token(header, adapters, plan.kv, filled))
}

fn text(report: &PlanReport) -> String {
    let plan = &report.plan;
    let board = report.board.map_or(String::new(), |board| format!(" ({})", board.about));
    let (name, kv) = (plan.model.name(), plan.kv.name());
    let each = plan.context_tokens / plan.sequences;
    let shared = match plan.sequences {
        1 => String::new(),
        n => format!(", shared by {}: {} each", sequences(n), grouped(u64::from(each))),
    };
    let context = grouped(u64::from(plan.context_tokens));
    [
        format!("model     {name}\n"),
        format!("kernels   {}{board}, {} threads\n", plan.kernels.name, plan.threads),
        format!("context   {context} tokens in {kv}{shared}\n\n"),
        memory_table(report),
        format!("\n{}\n", verdict(report)),
        largest_table(report),
        speed_table(report),
        match report.header.is_known_exactly() {
            true => String::new(),
            false => "\nan estimate: exact only for Qwen2, Qwen3 and Llama\n".to_string(),
        },
    ]
    .concat()
}

fn memory_table(report: &PlanReport) -> String {
    let memory = &report.plan.memory;
    let mut rows = vec![format!("{:<28}{:>12}\n", "memory", "MiB")];
    let mut row = |what: &str, bytes: u64, note: &str| {
        let mib = bytes as f64 / MIB as f64;
        let line = format!("{what:<28}{:>12}   {note}", decimal(mib));
        rows.push(format!("{}\n", line.trim_end()));
    };
    for (kind, bytes) in &memory.weights {
        row(&format!("weights, {kind}"), *bytes, "");
    }
    if memory.repacked_head_bytes > 0 {
        let note = "a second copy of the embedding, repacked";
        row("output head, repacked", memory.repacked_head_bytes, note);
    }
    if memory.adapter_bytes > 0 {
        row("adapters", memory.adapter_bytes, "");
    }
    let token = kv_bytes(&report.header, report.plan.kv, 1);
    row("KV cache", memory.kv_bytes, &format!("{} bytes per token", grouped(token)));
    row("compute buffers", memory.compute_bytes, "");
    let rows_note = format!("for {}", sequences(report.plan.sequences));
    row("logits and sampling", memory.logits_bytes, &rows_note);
    row("vocabulary", memory.vocabulary_bytes, "");
    row("program", memory.program_bytes, "");
    let gb = |bytes: u64| format!("{:.2} GB", bytes as f64 / 1e9);
    row("while answering", memory.running_bytes(), &gb(memory.running_bytes()));
    row("while loading, at most", memory.loading_bytes, &gb(memory.loading_bytes));
    rows.concat()
}

/// The line that says whether the model fits.
fn verdict(report: &PlanReport) -> String {
    let needed = grouped(report.plan.memory.total_bytes().div_ceil(MIB));
    let word = if report.fits { "fits" } else { "does not fit" };
    match report.room.bound {
        Bound::Unknown => format!("{word}: {needed} MiB ({})", report.room.bound),
        _ => {
            let there = grouped(report.room.bytes / MIB);
            format!("{word}: {needed} of {there} MiB ({})", report.room.bound)
        }
    }
}

fn largest_table(report: &PlanReport) -> String {
    let mut lines = vec![format!(
        "\n{:<20}{:>12}{:>12}{:>12}{:>12}\n",
        "largest context", "f16", "each", "q8_0", "each"
    )];
    for (count, contexts) in &report.largest {
        let cells = contexts.map(|context| match context {
            Some(tokens) => (grouped(u64::from(tokens)), grouped(u64::from(tokens / count))),
            None => ("none".into(), "".into()),
        });
        let [(f16, f16_each), (q8_0, q8_0_each)] = cells;
        let line =
            format!("{:<20}{f16:>12}{f16_each:>12}{q8_0:>12}{q8_0_each:>12}", sequences(*count));
        lines.push(format!("{}\n", line.trim_end()));
    }
    lines.concat()
}

fn speed_table(report: &PlanReport) -> String {
    let [empty, half] = report.costs;
    let mut lines =
        vec![format!("\n{:<22}{:>10}{:>12}\n", "tokens/s, one attempt", "empty", "half full")];
    for board in BOARDS {
        let [first, later] = [empty, half].map(|cost| board.tokens_per_second(cost));
        lines.push(format!("{:<22}{first:>10.1}{later:>12.1}\n", board.about));
    }
    let giga = |number: u64| number as f64 / 1e9;
    lines.push(format!(
        "a token reads {:.3} GB of weights, and {:.3} GB of the cache when that is half full\n",
        giga(empty.weights_bytes),
        giga(half.kv_bytes)
    ));
    lines.extend(BOARDS.iter().map(|board| formula(board, empty.weights)));
    lines.concat()
}

/// The line that shows how a board's speed was computed.
fn formula(board: &Board, weights: u64) -> String {
    let fed = format!("{:.1} GB/s / GB per token", board.bytes_per_second / 1e9);
    let formula = if board.weights_per_second.is_finite() {
        let (rate, weights) = (board.weights_per_second / 1e9, weights as f64 / 1e9);
        format!("the smaller of {fed} and {rate:.1} G weights/s / {weights:.2} G weights per token")
    } else {
        fed
    };
    format!("{}: {formula}\n", board.about)
}

fn object(report: &PlanReport) -> Value {
    let PlanReport { plan, room, .. } = report;
    let memory = &plan.memory;
    let weights: serde_json::Map<String, Value> =
        memory.weights.iter().map(|(kind, bytes)| (kind.to_string(), json!(bytes))).collect();
    let largest = report.largest.iter().map(|(count, [f16, q8_0])| {
        json!({"sequences": count, "f16_context_tokens": f16, "q8_0_context_tokens": q8_0})
    });
    let [empty, half] = report.costs;
    let speeds = BOARDS.iter().map(|board| {
        json!({
            "board": board.name,
            "tokens_per_second": board.tokens_per_second(empty),
            "half_full_tokens_per_second": board.tokens_per_second(half),
        })
    });
    json!({
        "model": plan.model.name(),
        "fits": report.fits,
        "kernels": plan.kernels.name,
        "board": report.board.map(|board| board.name),
        "threads": plan.threads,
        "context_tokens": plan.context_tokens,
        "sequences": plan.sequences,
        "kv": plan.kv.name(),
        "weights_bytes": weights,
        "repacked_head_bytes": memory.repacked_head_bytes,
        "adapter_bytes": memory.adapter_bytes,
        "kv_bytes_per_token": kv_bytes(&report.header, plan.kv, 1),
        "kv_bytes": memory.kv_bytes,
        "compute_bytes": memory.compute_bytes,
        "logits_bytes": memory.logits_bytes,
        "vocabulary_bytes": memory.vocabulary_bytes,
        "program_bytes": memory.program_bytes,
        "running_bytes": memory.running_bytes(),
        "loading_bytes": memory.loading_bytes,
        "total_bytes": memory.total_bytes(),
        "available_bytes": (room.bound != Bound::Unknown).then_some(room.bytes),
        "available_by": room.bound.to_string(),
        "largest": largest.collect::<Vec<_>>(),
        "read_bytes_per_token": empty.weights_bytes,
        "half_full_read_bytes_per_token": half.weights_bytes + half.kv_bytes,
        "speed": speeds.collect::<Vec<_>>(),
    })
}

/// Formats a number with commas between thousands.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Formats a number with one decimal.
fn decimal(number: f64) -> String {
    let tenths = (number * 10.0).round() as u64;
    format!("{}.{}", grouped(tenths / 10), tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_in_thousands() {
        let written = [0, 999, 1000, 40_960, 1_234_567].map(grouped);
        assert_eq!(written, ["0", "999", "1,000", "40,960", "1,234,567"]);
        assert_eq!((decimal(1564.62).as_str(), decimal(0.04).as_str()), ("1,564.6", "0.0"));
    }
}
