//! What the desk and the engine send to each other: orders one way, events the other.
//!
//! Plain data, without llama.cpp and without behaviour. The engine answers orders between two
//! passes over the weights; events leave it in the order in which they happened.

use std::sync::Arc;
use std::time::Instant;

use crate::types::answer::{Delta, Figures, Outcome, Part, Token};
use crate::types::error::Error;
use crate::types::job::{AttemptId, Client, JobId, Question};

/// An order from the desk to the engine.
pub enum Order {
    /// Render and tokenise a question; answered by [`Event::Prepared`].
    Prepare(PrepareRequest),
    /// Run an attempt alongside the others; answered by [`Event::Delta`]s and [`Event::Ended`].
    Start(Box<StartRequest>),
    /// Pause an attempt. It keeps its cells unless others need them.
    Park(AttemptId),
    /// Continue a parked attempt.
    Resume(AttemptId),
    /// Make a job's attempts close their thinking and answer.
    AnswerNow(JobId),
    /// Stop a job: each of its attempts ends with [`Event::Ended`]; a question that is not prepared
    /// yet is dropped.
    Stop(JobId),
}

/// A question to render and tokenise.
pub struct PrepareRequest {
    /// The job the prompt is for.
    pub job: JobId,
    /// The client that submitted it; clients take turns where several wait.
    pub client: Client,
    /// The question to render.
    pub question: Arc<Question>,
}

/// Everything the engine needs to run one attempt.
pub struct StartRequest {
    /// The job and the number of the attempt within it.
    pub attempt: AttemptId,
    /// The client that submitted the job; it decides the attempt's rank for cells.
    pub client: Client,
    /// The question: its sampling, its token budget and its stop strings.
    pub question: Arc<Question>,
    /// The prompt that [`Event::Prepared`] returned for the question.
    pub prompt: Arc<Prompt>,
    /// When the question was submitted, for the time to the first token.
    pub asked: Instant,
    /// What the attempt had generated before the process was restarted; empty for a new attempt.
    pub written: Vec<Delta>,
}

/// A prompt ready to be decoded.
#[derive(Clone, Debug, PartialEq)]
pub struct Prompt {
    /// The tokens, at least one.
    pub tokens: Vec<Token>,
    /// The part the first generated text belongs to: thinking if the chat template opened it.
    pub part: Part,
    /// How many of the first tokens every prompt of this mode has.
    pub prefix_tokens: usize,
    /// The adapters the prompt and its answer are computed with.
    pub adapter_set: AdapterSetId,
}

/// A combination of adapters and scales that the engine has resolved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AdapterSetId(pub(super) usize);

impl AdapterSetId {
    /// The set without adapters.
    pub const NONE: AdapterSetId = AdapterSetId(0);
}

/// An event from the engine to the desk.
pub enum Event {
    /// This many bytes of the model are loaded.
    Loading(u64),
    /// The model is loaded; orders are answered from now on.
    Ready,
    /// The engine could not start and has ended.
    Broken(Error),
    /// A question's prompt, or the reason for its rejection.
    Prepared(JobId, Result<Arc<Prompt>, Error>),
    /// An attempt's tokens and text since its last delta.
    Delta(AttemptId, Delta),
    /// An attempt ended, with any text that was held back until then. It sends nothing after this.
    Ended(AttemptId, Option<Delta>, Outcome, Figures),
    /// A pass over the weights is done.
    Step(StepReport),
    /// No attempt may run: the engine waits for an order.
    Idle(Gauge),
}

/// What a step did for one attempt.
#[derive(Clone, Copy, Debug)]
pub struct Served {
    /// The attempt that took part.
    pub attempt: AttemptId,
    /// Tokens it advanced by, of its prompt or of its text.
    pub tokens: u32,
    /// Tokens it drew; 0 during prefill.
    pub drawn: u32,
}

/// What one step, a pass over the weights with its sampling, did.
pub struct StepReport {
    /// The attempts in the batch.
    pub served: Vec<Served>,
    /// Attempts that were due but found no room in the cache.
    pub stalled: Vec<AttemptId>,
    /// The duration in seconds, sampling included.
    pub seconds: f64,
    /// The state at the end of the step, before attempts that ended in it free their cells.
    pub gauge: Gauge,
}

/// How full the engine is, and what it has done since it started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Gauge {
    /// Attempts in the engine, parked ones included.
    pub attempts: usize,
    /// Cells of the KV cache.
    pub cells: usize,
    /// Cells that no sequence uses.
    pub cells_free: usize,
    /// Sequences in use, kept ones included.
    pub sequences: usize,
    /// Sequences that belong to no attempt and are kept for questions with the same prefix.
    pub sequences_kept: usize,
    /// Passes over the weights.
    pub passes: u64,
    /// Drafted tokens decoded, padding included.
    pub drafted_tokens: u64,
    /// Drafted tokens that equalled the token drawn, each of which saved a pass.
    pub accepted_tokens: u64,
}
