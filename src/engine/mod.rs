//! The engine: one thread that owns llama.cpp, the model and the context, and runs attempts.
//!
//! The desk sends orders and receives events (`protocol`); nothing else talks to the engine, and
//! nothing of llama.cpp leaves its thread. Orders are answered between two passes over the weights,
//! so stopping takes at most one step. Queues, clients' permissions and HTTP are unknown here.

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
#[forbid(unsafe_code)]
mod cpu_features;
#[forbid(unsafe_code)]
mod detokenizer;
#[forbid(unsafe_code)]
mod draft;
#[forbid(unsafe_code)]
mod draws;
#[forbid(unsafe_code)]
pub mod kernels;
#[forbid(unsafe_code)]
mod kv_cache;
mod llama;
#[forbid(unsafe_code)]
pub mod measure;
#[forbid(unsafe_code)]
mod prefix_cache;
#[forbid(unsafe_code)]
pub mod prefix_store;
#[forbid(unsafe_code)]
mod prompt;
#[forbid(unsafe_code)]
pub mod protocol;
#[forbid(unsafe_code)]
mod repetition;
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
#[forbid(unsafe_code)]
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

pub use draws::{Draw, RunnerUp};
pub use llama::crash::{arm, jobs_in_batch, read as read_crashed_jobs};
pub use llama::quantize::Quantization;
use llama::{Backend, Context, Model};
use protocol::{Event, Order};
pub use selftest::{Check, Passed, judge};
pub use template::check as check_template;
pub use thermal::celsius;
pub(crate) use think::split_at_lone_close;

use crate::types::error::Error;
use crate::types::kernels::SelfTest;
use crate::types::limits;
use crate::types::plan::Plan;

/// A handle to the engine's thread. Dropping it ends the thread after the step in progress.
pub struct Engine {
    orders: Option<Sender<Order>>,
    closing: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Engine {
    /// Starts the engine's thread, which loads the model at once, after the self-test if one is
    /// wanted. Each token drawn is also sent to `observer`, which only tests use.
    ///
    /// # Errors
    /// `internal` if the thread cannot be started.
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
                    // Fails only if the desk is closing.
                    let _ = events.send(Event::Broken(error));
                }
            })
            .map_err(|e| Error::internal(format!("cannot start the engine's thread: {e}")))?;
        Ok(Engine { orders: Some(orders), closing, thread: Some(thread) })
    }

    /// Sends an order. It is lost if the engine has ended, which [`Event::Broken`] reports.
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
            // A panic on that thread has been reported already; nothing is left to save.
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

/// Quantizes a model with llama.cpp's own quantizer, without starting the engine.
///
/// Blocks; calls `progress` with the tensors done and the total.
///
/// # Errors
/// As [`Quantization::run`]; `internal` if llama.cpp cannot be started.
pub fn quantize(what: &Quantization<'_>, progress: impl FnMut(u64, u64)) -> Result<(), Error> {
    let _backend = Backend::start(kernels::choose(None)?)?;
    what.run(progress)
}

/// Starts llama.cpp and checks that the plan's kernels compute correctly on this CPU: each
/// operation separately, and complete answers of the plan's model, which must be the demo model.
///
/// Blocks. No engine may be running: a process runs llama.cpp once at a time.
///
/// # Errors
/// `internal` if the kernels cannot run at all. [`judge`] reports whether they passed.
pub fn selftest(plan: &Plan) -> Result<Vec<Check>, Error> {
    let backend = Backend::start(plan.kernels)?;
    let mut checks = selftest::run(plan.threads)?;
    let model = Model::load(&backend, plan, |_| true)?;
    // The demo model is too small for several threads, which would wait for each other on a busy
    // machine; the checks above have covered threads.
    let alone = Plan { threads: 1, decode_threads: 1, ..plan.clone() };
    let mut context = Context::new(&backend, &model, &alone)?;
    selftest::answers::run(&model, &mut context, plan, &mut checks)?;
    Ok(checks)
}
