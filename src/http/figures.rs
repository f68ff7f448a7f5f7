//! State and figures of the box: `/api/box` as JSON, `/metrics` for Prometheus.
//!
//! Both describe the box and never its clients or their questions, so everyone who can open the
//! page can read them. The text format is Prometheus' 0.0.4 (its documentation, "Exposition
//! formats").

use std::fmt::Write;
use std::net::SocketAddr;
use std::time::SystemTime;

use serde_json::{Value, json};

use super::reply::Reply;
use super::{App, addresses};
use crate::api::json;
use crate::desk::{self, Health, Overview, STEP_SECONDS};
use crate::types::memory::MIB;
use crate::types::plan::Plan;

/// Facts about the box that do not change while it runs.
#[derive(Clone, Debug)]
pub struct Facts {
    /// The memory plan it was started with.
    pub plan: Plan,
    /// When the process was started.
    pub started: SystemTime,
    /// The address that the box listens on.
    pub listen: SocketAddr,
}

/// Answers `GET /api/box` with the state of the box.
pub fn of_box(app: &App) -> Reply {
    let Overview { health, gauge, totals, running, waiting, capacity } = app.desk.overview();
    let plan = &app.facts.plan;
    let memory = process_memory();
    let loaded = match health {
        Health::Loading { bytes_loaded, .. } => bytes_loaded,
        Health::Broken(_) => 0,
        Health::Ready { .. } | Health::Closing => plan.file_bytes,
    };
    let used = gauge.cells - gauge.cells_free.min(gauge.cells);
    let body = json!({
        "version": env!("CARGO_PKG_VERSION"),
        "state": health.name(),
        "model": {
            "name": plan.model.name(),
            "bytes": plan.file_bytes,
            "bytes_loaded": loaded,
            "demo": plan.model.is_built_in(),
        },
        "plan": {
            "context_tokens": plan.context_tokens,
            "sequences": plan.sequences,
            "kv": plan.kv.name(),
            "threads": plan.threads,
            "decode_threads": plan.decode_threads,
            "memory_mib": plan.memory.total_bytes().div_ceil(MIB),
            "question_tokens_max": plan.question_tokens_max,
        },
        "kernels": plan.kernels.name,
        "queue": {
            "running": running,
            "waiting": waiting,
            "waiting_max": capacity.line_jobs_max,
            "client_jobs_max": client_jobs_max(capacity.client_jobs_max),
        },
        "kv_cells": {"total": gauge.cells, "used": used},
        "tokens_per_second": json::rounded(totals.tokens_per_second()),
        "temperature_celsius": desk::celsius(),
        "memory": {"resident_mib": mib(memory.resident), "peak_mib": mib(memory.peak)},
        "up_since": json::seconds_since_1970(app.facts.started),
        "addresses": addresses::reachable(app.facts.listen),
    });
    Reply::json(200, &body)
}

fn client_jobs_max(most: usize) -> Value {
    if most == usize::MAX { Value::Null } else { most.into() }
}

fn mib(bytes: Option<u64>) -> Value {
    bytes.map_or(Value::Null, |bytes| bytes.div_ceil(MIB).into())
}

/// Answers `GET /metrics` in Prometheus format.
pub fn metrics(app: &App) -> Reply {
    let text = text_of(&app.desk.overview(), process_memory(), desk::celsius());
    Reply::new("text/plain; version=0.0.4; charset=utf-8", text)
}

/// The metrics written so far.
struct MetricsText(String);

impl MetricsText {
    fn family(&mut self, name: &str, kind: &str, help: &str, samples: &[(&str, f64)]) {
        let text = &mut self.0;
        // Writing to a string cannot fail.
        let _ = writeln!(text, "# HELP solverbox_{name} {help}\n# TYPE solverbox_{name} {kind}");
        for (labels, value) in samples {
            let _ = writeln!(text, "solverbox_{name}{labels} {value}");
        }
    }

    fn gauge(&mut self, name: &str, help: &str, value: f64) {
        self.family(name, "gauge", help, &[("", value)]);
    }

    fn counter(&mut self, name: &str, help: &str, value: u64) {
        self.family(name, "counter", help, &[("", value as f64)]);
    }
}

fn text_of(overview: &Overview, memory: ProcessMemory, celsius: Option<f32>) -> String {
    let Overview { health, gauge, totals, running, waiting, .. } = overview;
    let mut text = MetricsText(String::new());
    let is_ready = matches!(health, Health::Ready { .. });
    text.gauge("ready", "Whether questions are being answered.", f64::from(u8::from(is_ready)));
    let jobs = [("{state=\"running\"}", *running as f64), ("{state=\"waiting\"}", *waiting as f64)];
    text.family("jobs", "gauge", "Jobs that have not ended.", &jobs);
    text.counter("jobs_taken_total", "Jobs accepted.", totals.jobs_taken);
    text.counter("jobs_refused_total", "Jobs refused.", totals.jobs_refused);
    let ended = [
        ("{outcome=\"done\"}", totals.jobs_done as f64),
        ("{outcome=\"stopped\"}", totals.jobs_stopped as f64),
        ("{outcome=\"failed\"}", totals.jobs_failed as f64),
    ];
    text.family("jobs_ended_total", "counter", "Jobs that have ended.", &ended);
    let tokens = [
        ("{kind=\"prompt\"}", totals.prompt_tokens as f64),
        ("{kind=\"drawn\"}", totals.drawn_tokens as f64),
    ];
    text.family("tokens_total", "counter", "Tokens computed.", &tokens);
    text.gauge(
        "tokens_per_second",
        "Tokens sampled per second recently, over all attempts.",
        totals.tokens_per_second(),
    );
    steps(&mut text, overview);
    text.counter("passes_total", "Decode batches computed.", gauge.passes);
    text.counter("drafted_tokens_total", "Draft tokens decoded.", gauge.drafted_tokens);
    text.counter("accepted_tokens_total", "Draft tokens accepted.", gauge.accepted_tokens);
    let used = gauge.cells - gauge.cells_free.min(gauge.cells);
    let cells = [("{state=\"used\"}", used as f64), ("{state=\"free\"}", gauge.cells_free as f64)];
    text.family("kv_cells", "gauge", "Cells of the KV cache.", &cells);
    if let Some(resident) = memory.resident {
        text.gauge("resident_bytes", "Resident memory of the process.", resident as f64);
    }
    if let Some(celsius) = celsius {
        let help = "Highest CPU temperature, in degrees Celsius.";
        text.gauge("temperature_celsius", help, celsius.into());
    }
    text.0
}

fn steps(text: &mut MetricsText, overview: &Overview) {
    let totals = &overview.totals;
    let bounds = STEP_SECONDS.iter().map(f64::to_string).chain(["+Inf".to_string()]);
    let labels: Vec<String> = bounds.map(|most| format!("_bucket{{le=\"{most}\"}}")).collect();
    let mut sum = 0;
    let counts = totals.steps.iter().map(|count| {
        sum += count;
        sum as f64
    });
    let mut samples: Vec<(&str, f64)> = labels.iter().map(String::as_str).zip(counts).collect();
    let all: u64 = totals.steps.iter().sum();
    samples.extend([("_sum", totals.step_seconds), ("_count", all as f64)]);
    text.family("step_seconds", "histogram", "Duration of engine steps.", &samples);
}

/// Memory of this process in bytes; `None` where the kernel does not report it.
#[derive(Clone, Copy, Debug, Default)]
struct ProcessMemory {
    resident: Option<u64>,
    peak: Option<u64>,
}

fn process_memory() -> ProcessMemory {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let bytes = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        let kib: u64 = line.trim().trim_end_matches(" kB").parse().ok()?;
        Some(kib << 10)
    };
    ProcessMemory { resident: bytes("VmRSS:"), peak: bytes("VmHWM:") }
}
