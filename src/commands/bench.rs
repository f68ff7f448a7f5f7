//! `solverbox bench`: the speed of this model on this machine, by batch and context, compared with
//! the memory's bandwidth.
//!
//! Measures single passes with the engine directly, then complete questions through the desk. Has
//! the engine to itself. `report` formats the results.

mod bandwidth;
mod loads;
mod plot;
mod report;

use std::path::PathBuf;

use super::progress_bar::ProgressBar;
use super::{Loading, OutputFormat, interrupt};
use crate::engine::bench::{Effort, PassTimer, timed};
use crate::model::memory::{kv_bytes, per_token};
use crate::model::newfile::{NewFile, check_other};
use crate::model::plan::PlanRequirements;
use crate::types::error::Error;
use crate::types::limits;
use crate::types::plan::{KvType, Plan};
use loads::{Length, Loads};

/// Batch sizes measured: those at which kernels switch algorithms.
const BATCHES: &[u32] = &[1, 2, 3, 4, 6, 8, 12, 16];
/// Prefill slices measured, in tokens.
const SLICES: &[u32] = &[16, 32, 64, limits::UBATCH_TOKENS];
/// Tokens in the context before a measured pass.
const DEPTHS: &[u32] = &[0, 1_024, 4_096];
/// Approximate size of an SVG file in bytes.
const SVG_BYTES: u64 = 16 << 10;

/// The extent of the measurements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// Everything, three times or more: minutes on a board.
    Full,
    /// Enough to notice a fault: seconds on a PC.
    Quick,
}

impl Extent {
    fn batches(self) -> &'static [u32] {
        match self {
            Extent::Full => BATCHES,
            Extent::Quick => &[1, 4, 8],
        }
    }

    fn slices(self) -> &'static [u32] {
        match self {
            Extent::Full => SLICES,
            Extent::Quick => &SLICES[3..],
        }
    }

    fn depths(self) -> &'static [u32] {
        match self {
            Extent::Full => DEPTHS,
            Extent::Quick => &DEPTHS[..2],
        }
    }

    fn effort(self) -> Effort {
        match self {
            Extent::Full => Effort { passes: 9, seconds: 10.0 },
            Extent::Quick => Effort { passes: 3, seconds: 2.0 },
        }
    }

    fn length(self) -> Length {
        match self {
            Extent::Full => Length { answer_tokens: 48, stream_tokens: 192, rounds: 3 },
            Extent::Quick => Length { answer_tokens: 16, stream_tokens: 48, rounds: 1 },
        }
    }
}

/// The options of `bench`.
#[derive(Debug)]
pub struct BenchOptions {
    /// The model to measure.
    pub loading: Loading,
    /// How much to measure.
    pub extent: Extent,
    /// Form of the results.
    pub output: OutputFormat,
    /// File for the plot, if one is wanted.
    pub svg: Option<PathBuf>,
}

/// A measured pass over the weights.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Pass {
    /// Tokens in the context before the pass.
    depth: u32,
    /// Tokens decoded: one each of as many sequences, or all of one prompt.
    tokens: u32,
    /// Median time of several passes.
    seconds: f64,
}

impl Pass {
    fn tokens_per_second(&self) -> f64 {
        f64::from(self.tokens) / self.seconds
    }
}

/// The results of all measurements.
#[derive(Debug)]
struct BenchResult {
    extent: Extent,
    plan: Plan,
    /// Weights a pass reads, in bytes.
    weights_bytes: u64,
    /// Part of the KV cache a pass reads per token in it, in bytes.
    kv_bytes: u64,
    /// Bandwidth of the memory, in bytes/s.
    read_bytes_per_second: f64,
    /// Passes with one token per sequence; the sequences share the context before it.
    decode: Vec<Pass>,
    /// Passes with several tokens of one prompt.
    prefill: Vec<Pass>,
    loads: Loads,
}

impl BenchResult {
    /// Returns the share of the memory's bandwidth a pass used. Cells shared by sequences count
    /// once, because they need to be read once.
    fn share(&self, pass: &Pass) -> f64 {
        let bytes = self.weights_bytes + self.kv_bytes * u64::from(pass.depth);
        bytes as f64 / pass.seconds / self.read_bytes_per_second
    }
}

/// Measures, and prints the results.
///
/// # Errors
/// Errors of the model and of the plot's file.
pub fn run(options: &BenchOptions) -> Result<(), Error> {
    interrupt::leave_nothing_behind()?;
    let (mut weights_bytes, mut kv_by_type) = (0, [0; 2]);
    let mut plan = options.loading.plan_by(|header| {
        weights_bytes = per_token(header, &[], KvType::F16, 0).weights_bytes;
        kv_by_type = [KvType::F16, KvType::Q8_0].map(|kv| kv_bytes(header, kv, 1));
        let required = options.loading.required;
        PlanRequirements {
            sequences: required.sequences.or(Some(limits::SEQUENCES_MAX)),
            ..required
        }
    })?;
    // The results must not depend on earlier questions.
    plan.prefixes = None;
    // Checked before minutes are spent on a plot that cannot be written.
    let svg = options.svg.as_ref().map(|file| {
        check_other(&plan.model.path, file)?;
        NewFile::create(file, SVG_BYTES)
    });
    let svg = svg.transpose()?;
    let extent = options.extent;
    let depths = extent.depths().len() * (extent.batches().len() + extent.slices().len());
    let mut bar =
        BenchProgress { bar: ProgressBar::start("measurements"), done: 0, total: depths as u64 };
    bar.total += loads::COUNT;
    let read_bytes_per_second = bandwidth::bytes_per_second(plan.threads)?;
    let [decode, prefill] = timed(&plan, |bench| passes(bench, &plan, extent, &mut bar))?;
    let loads = loads::measure(&plan, extent.length(), || bar.step())?;
    drop(bar);
    let kv_bytes = if plan.kv == KvType::F16 { kv_by_type[0] } else { kv_by_type[1] };
    let measured = BenchResult {
        extent,
        plan,
        weights_bytes,
        kv_bytes,
        read_bytes_per_second,
        decode,
        prefill,
        loads,
    };
    if let Some(mut file) = svg {
        file.write(report::svg(&measured).as_bytes())?;
        file.keep()?;
    }
    super::print(&match options.output {
        OutputFormat::Text => report::tables(&measured),
        OutputFormat::Json => report::json(&measured),
    })
}

struct BenchProgress {
    bar: ProgressBar,
    done: u64,
    total: u64,
}

impl BenchProgress {
    fn step(&mut self) {
        self.done += 1;
        self.bar.show(self.done, self.total);
    }
}

/// Measures the passes that fit the context and the number of sequences.
fn passes(
    bench: &mut PassTimer,
    plan: &Plan,
    extent: Extent,
    bar: &mut BenchProgress,
) -> Result<[Vec<Pass>; 2], Error> {
    let (mut decode, mut prefill) = (Vec::new(), Vec::new());
    for &depth in extent.depths() {
        let fits = |tokens: u32| depth + tokens <= plan.context_tokens;
        if fits(1) {
            bench.fill(depth)?;
        }
        for &tokens in extent.batches() {
            if fits(tokens) && tokens <= plan.sequences {
                let seconds = bench.side_by_side(tokens, extent.effort())?;
                decode.push(Pass { depth, tokens, seconds });
            }
            bar.step();
        }
        for &tokens in extent.slices() {
            if fits(tokens) {
                let seconds = bench.slice(tokens, extent.effort())?;
                prefill.push(Pass { depth, tokens, seconds });
            }
            bar.step();
        }
    }
    Ok([decode, prefill])
}
