//! `solverbox bench`: how fast this model is on this machine, by batch and context, beside what the
//! memory's speed allows.
//!
//! First single passes, for which it asks the engine directly; then whole questions through the
//! desk. A workshop command: it has the box to itself. `report` words what was measured.

mod bandwidth;
mod loads;
mod plot;
mod report;

use std::path::PathBuf;

use super::progress_bar::ProgressBar;
use super::{Loading, OutputFormat, interrupt};
use crate::engine::bench::{Bench, Effort, timed};
use crate::model::memory::{kv_bytes, per_token};
use crate::model::newfile::{NewFile, check_other};
use crate::model::plan::Wishes;
use crate::types::error::Error;
use crate::types::limits;
use crate::types::plan::{KvType, Plan};
use loads::{Length, Loads};

/// Sequences side by side that are measured: where kernels change their ways.
const BATCHES: &[u32] = &[1, 2, 3, 4, 6, 8, 12, 16];
/// Tokens of a prompt in one pass that are measured.
const SLICES: &[u32] = &[16, 32, 64, limits::UBATCH_TOKENS];
/// Tokens that are in the context already.
const DEPTHS: &[u32] = &[0, 1_024, 4_096];
/// Bytes of an SVG file, about.
const SVG_BYTES: u64 = 16 << 10;

/// How much is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// All of it, three times or more: minutes on a board.
    Full,
    /// Enough to see whether something is wrong.
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

/// What is to be measured, and how it is shown.
#[derive(Debug)]
pub struct BenchOptions {
    /// The model.
    pub loading: Loading,
    /// How much.
    pub extent: Extent,
    /// What is printed.
    pub output: OutputFormat,
    /// A file for the plot.
    pub svg: Option<PathBuf>,
}

/// A pass that was timed.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Pass {
    /// Tokens before it.
    depth: u32,
    /// Tokens it decoded: of as many sequences, or of one prompt.
    tokens: u32,
    /// The median of several.
    seconds: f64,
}

impl Pass {
    fn tokens_per_second(&self) -> f64 {
        f64::from(self.tokens) / self.seconds
    }
}

/// All that was measured.
#[derive(Debug)]
struct BenchResult {
    extent: Extent,
    plan: Plan,
    /// Bytes of weights a pass reads.
    weights_bytes: u64,
    /// Bytes of the cache it reads for each token in it.
    kv_bytes: u64,
    /// Bytes the machine reads in a second.
    read_bytes_per_second: f64,
    /// A token each of several sequences, which share what is before it.
    decode: Vec<Pass>,
    /// Several tokens of one prompt.
    prefill: Vec<Pass>,
    loads: Loads,
}

impl BenchResult {
    /// Returns which share of what the memory can be read at a pass has read. Cells that sequences
    /// share count once: no more need be read.
    fn share(&self, pass: &Pass) -> f64 {
        let bytes = self.weights_bytes + self.kv_bytes * u64::from(pass.depth);
        bytes as f64 / pass.seconds / self.read_bytes_per_second
    }
}

/// Measures and prints what came of it.
///
/// # Errors
/// Those of the model and of the plot's file.
pub fn run(options: &BenchOptions) -> Result<(), Error> {
    interrupt::leave_nothing_behind()?;
    let (mut weights_bytes, mut kv_by_type) = (0, [0; 2]);
    let mut plan = options.loading.plan_by(|header| {
        weights_bytes = per_token(header, &[], KvType::F16, 0).weights_bytes;
        kv_by_type = [KvType::F16, KvType::Q8_0].map(|kv| kv_bytes(header, kv, 1));
        let wishes = options.loading.wishes;
        Wishes { sequences: wishes.sequences.or(Some(limits::SEQUENCES_MAX)), ..wishes }
    })?;
    // What is measured shall not depend on what was asked before.
    plan.prefixes = None;
    // Before minutes are spent on what cannot be written.
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

/// Times the passes that fit into the context and have sequences enough.
fn passes(
    bench: &mut Bench,
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
