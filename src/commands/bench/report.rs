//! Formats the results of `bench`: tables, one JSON object, a chart.

use std::fmt::Write;

use serde_json::{Value, json};

use super::loads::LoadResult;
use super::plot::{self, Labels, Series};
use super::{BenchResult, Extent, Pass};
use crate::types::error::printable;
use crate::types::plan::Drafts;

/// Returns the results as tables.
pub fn tables(m: &BenchResult) -> String {
    let plan = &m.plan;
    let giga = |bytes: f64| bytes / 1e9;
    let mut out = format!(
        "model     {}\nkernels   {}, {} threads, {} for up to {} tokens\n",
        printable(&plan.model.name()),
        plan.kernels.name,
        plan.threads,
        plan.decode_threads,
        crate::types::limits::SMALL_PASS_TOKENS
    );
    let _ = writeln!(
        out,
        "memory    bandwidth {:.1} GB/s; a pass reads {:.3} GB of weights and {:.1} KB per token \
         in the context",
        giga(m.read_bytes_per_second),
        giga(m.weights_bytes as f64),
        m.kv_bytes as f64 / 1e3
    );
    let heads = |sizes: &[u32]| sizes.iter().map(|size| format!("{size:>9}")).collect::<String>();
    let _ = write!(out, "\n{:<30}{}\n", "decode, tokens/s by batch", heads(m.extent.batches()));
    for &depth in m.extent.depths() {
        let rate = |pass: &Pass| format!("{:.1}", pass.tokens_per_second());
        row(&mut out, &place(depth), m.extent.batches(), &at(&m.decode, depth), rate);
        let share = |pass: &Pass| format!("{:.0} %", 100.0 * m.share(pass));
        row(&mut out, "  of the memory's speed", m.extent.batches(), &at(&m.decode, depth), share);
    }
    let _ = write!(out, "\n{:<30}{}\n", "prompts, tokens/s by slice", heads(m.extent.slices()));
    for &depth in m.extent.depths() {
        let rate = |pass: &Pass| format!("{:.1}", pass.tokens_per_second());
        row(&mut out, &place(depth), m.extent.slices(), &at(&m.prefill, depth), rate);
    }
    let _ = write!(out, "\n{:<30}{:>9}{:>9}{:>9}\n", "questions", "tokens/s", "seconds", "first s");
    for (drafts, load) in &m.loads.streams {
        let words = if *drafts == Drafts::Auto { "with drafts" } else { "without drafts" };
        load_row(&mut out, &format!("one stream, {words}"), load);
    }
    for load in &m.loads.attempts {
        load_row(&mut out, &counted(load.count, "attempt"), load);
    }
    for load in &m.loads.clients {
        load_row(&mut out, &counted(load.count, "client"), load);
    }
    let notes = notes(m).into_iter().map(|note| format!("{note}\n"));
    if notes.len() > 0 { out + "\n" + &notes.collect::<String>() } else { out }
}

/// Returns the results as one line of JSON.
pub fn json(m: &BenchResult) -> String {
    let plan = &m.plan;
    let pass = |pass: &Pass, what: &str| {
        json!({
            "depth_tokens": pass.depth,
            what: pass.tokens,
            "seconds": pass.seconds,
            "tokens_per_second": pass.tokens_per_second(),
        })
    };
    let decode = m.decode.iter().map(|one| {
        let mut object = pass(one, "batch");
        object["share_of_read_speed"] = m.share(one).into();
        object
    });
    let load = |load: &LoadResult, what: &str, value: Value| {
        json!({
            what: value,
            "tokens": load.tokens,
            "seconds": load.seconds,
            "tokens_per_second": load.tokens_per_second(),
            "first_token_seconds": load.first_token_seconds,
        })
    };
    let streams = m.loads.streams.iter().map(|(drafts, one)| {
        let name = if *drafts == Drafts::Auto { "auto" } else { "off" };
        load(one, "drafts", name.into())
    });
    let counted = |loads: &[LoadResult], what: &str| {
        loads.iter().map(|one| load(one, what, one.count.into())).collect::<Vec<_>>()
    };
    let object = json!({
        "model": plan.model.name(),
        "form": if m.extent == Extent::Full { "full" } else { "quick" },
        "kernels": plan.kernels.name,
        "threads": plan.threads,
        "decode_threads": plan.decode_threads,
        "context_tokens": plan.context_tokens,
        "sequences": plan.sequences,
        "kv": plan.kv.name(),
        "weights_bytes": m.weights_bytes,
        "kv_bytes_per_token": m.kv_bytes,
        "read_bytes_per_second": m.read_bytes_per_second,
        "decode": decode.collect::<Vec<_>>(),
        "prefill": m.prefill.iter().map(|one| pass(one, "slice_tokens")).collect::<Vec<_>>(),
        "streams": streams.collect::<Vec<_>>(),
        "attempts": counted(&m.loads.attempts, "attempts"),
        "clients": counted(&m.loads.clients, "clients"),
        "notes": notes(m),
    });
    format!("{object}\n")
}

/// Returns the chart of decode throughput, with a line for each depth.
pub fn svg(m: &BenchResult) -> String {
    let plan = &m.plan;
    let depths = m.extent.depths().iter().map(|&depth| (depth, at(&m.decode, depth)));
    let series = depths.filter(|(_, passes)| !passes.is_empty()).map(|(depth, passes)| Series {
        name: place(depth),
        points: passes
            .iter()
            .map(|pass| (f64::from(pass.tokens), pass.tokens_per_second()))
            .collect(),
    });
    let title =
        format!("{}, {}, {} threads", plan.model.name(), plan.kernels.name, plan.decode_threads);
    let labels = Labels { title: &title, x: "sequences in one batch", y: "tokens/s" };
    let marks: Vec<f64> = m.extent.batches().iter().map(|&batch| f64::from(batch)).collect();
    plot::svg(&labels, &marks, &series.collect::<Vec<_>>())
}

/// Notes on what did not fit and on what needs an explanation.
fn notes(m: &BenchResult) -> Vec<String> {
    let (context, sequences) = (m.plan.context_tokens, m.plan.sequences);
    let fits = |depth: u32, tokens: u32| depth + tokens <= context;
    let mut notes = Vec::new();
    for &depth in m.extent.depths() {
        let sizes = m.extent.batches().iter().chain(m.extent.slices());
        if sizes.clone().any(|&tokens| !fits(depth, tokens)) {
            let most = sizes.filter(|&&tokens| !fits(depth, tokens)).max().unwrap_or(&0);
            notes.push(format!(
                "not measured: {depth} tokens and a pass of {most} do not fit the context of \
                 {context} tokens"
            ));
        }
    }
    if m.extent.batches().iter().any(|&batch| batch > sequences) {
        notes.push(format!("not measured: batches of more than the {sequences} sequences planned"));
    }
    if m.decode.iter().any(|pass| m.share(pass) > 1.0) {
        notes.push("more than 100 %: the CPU's caches hold what is read".into());
    }
    notes
}

fn at(passes: &[Pass], depth: u32) -> Vec<Pass> {
    passes.iter().filter(|pass| pass.depth == depth).copied().collect()
}

fn place(depth: u32) -> String {
    if depth == 0 { "nothing before".into() } else { format!("{depth} tokens before") }
}

fn counted(count: u32, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

fn row(
    out: &mut String,
    name: &str,
    sizes: &[u32],
    passes: &[Pass],
    cell: impl Fn(&Pass) -> String,
) {
    let of = |size: &u32| passes.iter().find(|pass| pass.tokens == *size);
    let cells = sizes.iter().map(|size| of(size).map_or("-".to_string(), &cell));
    let cells: String = cells.map(|cell| format!("{cell:>9}")).collect();
    let _ = writeln!(out, "{name:<30}{cells}");
}

fn load_row(out: &mut String, name: &str, load: &LoadResult) {
    let (rate, seconds) = (load.tokens_per_second(), load.seconds);
    let _ = writeln!(out, "{name:<30}{rate:>9.1}{seconds:>9.2}{:>9.3}", load.first_token_seconds);
}
