//! The engine: one thread that owns llama.cpp, the model and the context, and runs attempts.
//!
//! The desk sends orders and hears events; nothing else talks to it, and nothing of llama.cpp
//! leaves the thread. It answers orders between two passes over the weights, so that stopping
//! takes one step at most. It knows no queue, no client and no HTTP.

#[forbid(unsafe_code)]
mod adapter_sets;
#[forbid(unsafe_code)]
mod attempt;
#[forbid(unsafe_code)]
mod batch_builder;
#[forbid(unsafe_code)]
pub mod bench;
#[forbid(unsafe_code)]
mod cells;
mod cpu_features;
mod detokenizer;
mod draft;
#[forbid(unsafe_code)]
pub mod kernels;
#[forbid(unsafe_code)]
mod kv_cache;
mod llama;
#[forbid(unsafe_code)]
pub mod measure;
#[forbid(unsafe_code)]
mod observe;
#[forbid(unsafe_code)]
mod prefix_cache;
#[forbid(unsafe_code)]
pub mod prefix_store;
#[forbid(unsafe_code)]
mod prompt;
#[forbid(unsafe_code)]
mod run_loop;
#[forbid(unsafe_code)]
mod sample;
#[forbid(unsafe_code)]
mod selftest;
#[forbid(unsafe_code)]
mod step_cost;
#[forbid(unsafe_code)]
mod template;
mod thermal;
#[forbid(unsafe_code)]
mod think;
#[forbid(unsafe_code)]
mod utf8;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::Instant;

pub use llama::crash::{arm, jobs_in_batch, read as read_crashed_jobs};
pub use llama::quantize::Quantize;
use llama::{Backend, Context, Model};
pub use observe::{Draw, RunnerUp};
pub use prompt::Prompt;
pub use selftest::{Check, Passed, judge};
pub use template::check as check_template;
pub use thermal::celsius;

pub use crate::types::answer::Token;

use crate::types::answer::{Delta, Figures, Outcome};
use crate::types::error::Error;
use crate::types::job::{AttemptId, Client, JobId, Question};
use crate::types::kernels::SelfTest;
use crate::types::limits;
use crate::types::plan::Plan;

/// What the desk wants.
pub enum Order {
    /// Render and tokenise a question; answered by [`Event::Prepared`].
    Prepare(Asked),
    /// Run an attempt, beside those that run; answered by gains and [`Event::Ended`].
    Start(Box<Start>),
    /// Let an attempt wait for its next turn. It keeps its cells unless others need them.
    Park(AttemptId),
    /// Let a parked attempt go on.
    Resume(AttemptId),
    /// Have a job's attempts end their thinking and answer.
    AnswerNow(JobId),
    /// Forget a job: each of its attempts stops, answered by [`Event::Ended`]; a question that is
    /// not prepared yet will not be.
    Stop(JobId),
}

/// A question to be prepared.
pub struct Asked {
    /// For which job.
    pub job: JobId,
    /// Who asks.
    pub client: Client,
    /// What.
    pub question: Arc<Question>,
}

/// Everything an attempt needs.
pub struct Start {
    /// Which attempt at which job.
    pub attempt: AttemptId,
    /// Who shares room with others.
    pub client: Client,
    /// The question, for sampling, budget and stops.
    pub question: Arc<Question>,
    /// Its prompt.
    pub prompt: Arc<Prompt>,
    /// When it was asked, for the time to the first token.
    pub asked: Instant,
    /// What it had gained when the box was stopped; nothing for one that begins.
    pub written: Vec<Delta>,
}

/// What the desk hears.
pub enum Event {
    /// So many bytes of the model are loaded.
    Loading(u64),
    /// The model is loaded and orders are being answered.
    Ready,
    /// The model could not be loaded; the engine has ended.
    Broken(Error),
    /// A question's prompt, or why it cannot be asked.
    Prepared(JobId, Result<Arc<Prompt>, Error>),
    /// An attempt drew tokens and gained text.
    Gained(AttemptId, Delta),
    /// An attempt ended, with the text that was held back until then; nothing more comes of it.
    Ended(AttemptId, Option<Delta>, Outcome, Figures),
    /// A pass over the weights is done.
    Step(Step),
    /// Nobody has a turn: the engine waits for an order, holding so much.
    Rest(Gauge),
}

/// What a step did for one attempt.
#[derive(Clone, Copy, Debug)]
pub struct Served {
    /// Which.
    pub attempt: AttemptId,
    /// Tokens it went on by, of its prompt or of its text.
    pub tokens: u32,
    /// Tokens it has drawn; none while its prompt is read.
    pub drawn: u32,
}

/// What one pass over the weights did.
pub struct Step {
    /// What it did for each attempt in it.
    pub served: Vec<Served>,
    /// Attempts with a turn that found no room in the cache.
    pub stalled: Vec<AttemptId>,
    /// How long it took, sampling included.
    pub seconds: f64,
    /// How full the engine is, before the attempts that ended in this step give anything back.
    pub gauge: Gauge,
}

/// How full the engine is and what it has done since it started: a few numbers, cheap to take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Gauge {
    /// Attempts it runs, parked ones counted.
    pub attempts: usize,
    /// Cells of the KV cache in all.
    pub cells: usize,
    /// Cells no sequence uses.
    pub cells_free: usize,
    /// Sequences that hold tokens or may.
    pub sequences: usize,
    /// Those of them that no attempt has, kept for questions that begin alike.
    pub sequences_kept: usize,
    /// Passes over the weights so far.
    pub passes: u64,
    /// Tokens decoded along in them as drafts, what fills a pass up counted.
    pub drafted_tokens: u64,
    /// Drafted tokens that were what was drawn, so that they cost no pass of their own.
    pub accepted_tokens: u64,
}

/// The desk's end of the engine. Dropping it ends the engine after the step in progress.
pub struct Engine {
    orders: Option<Sender<Order>>,
    closing: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Engine {
    /// Starts the engine's thread, which begins to load at once, after the self-test if one is
    /// wanted. Each token drawn is also sent to `observer`, which only tests have.
    ///
    /// # Errors
    /// `internal` where no thread can be had.
    pub fn start(
        plan: Plan,
        selftest: SelfTest,
        events: Sender<Event>,
        observer: Option<Sender<Draw>>,
    ) -> Result<Engine, Error> {
        let (orders, inbox) = channel();
        let closing = Arc::new(AtomicBool::new(false));
        let flag = closing.clone();
        let thread = std::thread::Builder::new()
            .name(llama::crash::THREAD.into())
            .stack_size(limits::ENGINE_STACK_BYTES)
            .spawn(move || {
                if let Err(error) = run(&plan, selftest, &inbox, &events, &flag, observer) {
                    // Nobody listens any more where this fails: the desk is closing.
                    let _ = events.send(Event::Broken(error));
                }
            })
            .map_err(|e| Error::internal(format!("cannot start the engine's thread: {e}")))?;
        Ok(Engine { orders: Some(orders), closing, thread: Some(thread) })
    }

    /// Sends an order; it is lost where the engine has ended, as the desk will hear.
    pub fn order(&self, order: Order) {
        if let Some(orders) = &self.orders {
            let _ = orders.send(order);
        }
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.closing.store(true, Ordering::Relaxed);
        self.orders = None;
        if let Some(thread) = self.thread.take() {
            // A panic on that thread was already reported; there is nothing left to save.
            let _ = thread.join();
        }
    }
}

fn run(
    plan: &Plan,
    selftest: SelfTest,
    orders: &Receiver<Order>,
    events: &Sender<Event>,
    closing: &Arc<AtomicBool>,
    observer: Option<Sender<Draw>>,
) -> Result<(), Error> {
    let backend = Backend::start(plan.kernels)?;
    if selftest == SelfTest::Run {
        let began = Instant::now();
        let checks = selftest::run(plan.threads)?;
        judge(&checks)?;
        let millis = began.elapsed().as_millis();
        log::info!("self-test: {} checks passed in {millis} ms", checks.len());
    }
    let (progress, flag, bytes) = (events.clone(), closing.clone(), plan.file_bytes);
    let model = Model::load(&backend, plan, move |share| {
        let loaded = (bytes as f64 * f64::from(share.clamp(0.0, 1.0))) as u64;
        let _ = progress.send(Event::Loading(loaded));
        !flag.load(Ordering::Relaxed)
    })?;
    let context = Context::new(&backend, &model, plan)?;
    let _ = events.send(Event::Ready);
    run_loop::EngineLoop::new(&model, context, plan, events, closing, observer).run(orders);
    Ok(())
}

/// Quantizes a model with llama.cpp's own quantizer, which needs no engine.
///
/// Blocks; `progress` hears tensors done and tensors in all.
///
/// # Errors
/// Those of [`Quantize::run`]; `internal` where llama.cpp cannot be started.
pub fn quantize(what: &Quantize<'_>, progress: impl FnMut(u64, u64)) -> Result<(), Error> {
    let _backend = Backend::start(kernels::choose(None)?)?;
    what.run(progress)
}

/// Starts llama.cpp and checks that the plan's kernels compute correctly on this processor: each
/// alone, and all together in answers of the plan's model, which must be the demo model.
///
/// Blocks. llama.cpp runs once at a time: no engine may be running.
///
/// # Errors
/// `internal` where the kernels cannot be run at all; [`judge`] says whether they passed.
pub fn selftest(plan: &Plan) -> Result<Vec<Check>, Error> {
    let backend = Backend::start(plan.kernels)?;
    let mut checks = selftest::run(plan.threads)?;
    let model = Model::load(&backend, plan, |_| true)?;
    // The demo model is too small for several threads to be of use, and on a busy machine they wait
    // for each other; the checks above have tried them.
    let alone = Plan { threads: 1, decode_threads: 1, ..plan.clone() };
    let mut context = Context::new(&backend, &model, &alone)?;
    selftest::answers::run(&model, &mut context, plan, &mut checks)?;
    Ok(checks)
}
