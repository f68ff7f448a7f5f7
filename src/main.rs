//! Wiring: what was typed becomes settings, settings a command; errors are printed here alone.

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use solverbox::cli::{
    BoxFlags, Cli, Command, Compare, Convert, ConvertType, Eval, HeadName, History, HistoryAction,
    HistoryFormat, Kv, ModelFlags, OwnerCommand, Plan, PromptForm, Quantize, Solve, WayFlags,
};
use solverbox::commands::eval::{self, Asked, Recording};
use solverbox::commands::{self, Loading, bench, convert, verify};
use solverbox::config;
use solverbox::console::wire::{Place, Wire};
use solverbox::desk::Capacity;
use solverbox::engine::kernels;
use solverbox::http::Admission;
use solverbox::model::convert::Float;
use solverbox::model::plan::{Wishes, cores};
use solverbox::store::{Folder, Keeping};
use solverbox::types::error::{Error, Kind, printable};
use solverbox::types::job::{self, Ending, Question, Role, Turn};
use solverbox::types::kernels::{KernelSet, SelfTest, by_name};
use solverbox::types::limits;
use solverbox::types::memory::Room;
use solverbox::types::mode::{AdapterRef, Mode};
use solverbox::types::plan::{KvType, Pacing};
use solverbox::types::quantize::Head;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Where nobody can read it, the exit code still tells.
            // What failed may be named by a file from outside.
            let what = printable(&error.message);
            let _ = writeln!(std::io::stderr(), "solverbox: {what}\n{}", error.remedy);
            ExitCode::from(exit_code(error.kind))
        }
    }
}

fn exit_code(kind: Kind) -> u8 {
    match kind {
        Kind::Internal => 1,
        Kind::BadRequest => 2,
        Kind::NoModel => 3,
        Kind::BadModel => 4,
        Kind::NoMemory => 5,
        Kind::Busy => 6,
        Kind::TooLong => 7,
        Kind::NotFound => 8,
        Kind::NoSpace => 9,
        Kind::TooMany => 10,
        Kind::Unauthorized => 11,
        Kind::Forbidden => 12,
        Kind::Misdirected => 13,
        Kind::Conflict => 14,
        Kind::Stopped => 130,
    }
}

fn run() -> Result<(), Error> {
    let cli = config::parse(std::env::args_os().collect())?;
    start_log(&cli);
    match cli.command {
        Command::Solve(flags) => solve(&flags),
        Command::Serve(flags) => {
            let admission = config::admission(&flags.admission)?;
            let door = Some((flags.listen, admission));
            serve(flags.common, door, flags.serial)
        }
        Command::Console(flags) => serve(flags.common, None, flags.serial),
        Command::SerialPorts => commands::serial_ports::run(),
        Command::History(flags) => history(flags),
        Command::Eval(flags) => eval(flags),
        Command::Quantize(flags) => quantize(flags),
        Command::Imatrix(flags) => commands::imatrix::run(commands::imatrix::Options {
            loading: loading(flags.model)?,
            text: flags.text,
            to: flags.to,
        }),
        Command::Compare(flags) => compare(flags),
        Command::Modes(flags) => commands::modes::run(&config::modes(&flags)?),
        Command::Inspect(flags) => commands::inspect::run(&flags.file),
        Command::Plan(flags) => plan(flags),
        Command::Verify(flags) => verify::run(&verify::Options {
            files: flags.files,
            folder: flags.models,
            base: flags.base,
            output: if flags.json { verify::Output::Json } else { verify::Output::Lines },
        }),
        Command::Kernels(flags) => commands::kernels::run(flags.name.as_deref()),
        Command::Selftest(flags) => {
            commands::selftest::run(kernels::choose(flags.kernels.name.as_deref())?, flags.threads)
        }
        Command::Convert(flags) => convert(&flags),
        Command::Bench(flags) => bench::run(&bench::Options {
            loading: loading(flags.model)?,
            form: if flags.quick { bench::Form::Quick } else { bench::Form::Full },
            output: if flags.json { bench::Output::Json } else { bench::Output::Tables },
            svg: flags.svg,
        }),
        Command::ApiKey(flags) => commands::api_key::run(&flags.name, flags.file.as_deref()),
        Command::Owner(flags) => {
            let data = config::data_folder(flags.data.as_deref())?;
            match flags.command {
                OwnerCommand::SetPin => commands::owner::set_pin(&data),
                OwnerCommand::RemovePin => commands::owner::remove_pin(&data),
            }
        }
        Command::Tune(flags) => {
            let data = config::data_folder(flags.model.data.as_deref())?;
            commands::tune::run(&loading(flags.model)?, &data)
        }
    }
}

/// What stays says what it does, unless it talks on this terminal; the others speak of trouble.
fn start_log(cli: &Cli) {
    let consoles = match &cli.command {
        Command::Serve(flags) => Some(&flags.serial),
        Command::Console(flags) => Some(&flags.serial),
        _ => None,
    };
    let talks = |consoles: &Vec<Wire>| consoles.iter().any(|wire| wire.place == Place::Standard);
    let default = if consoles.is_some_and(|consoles| !talks(consoles)) { "info" } else { "warn" };
    let filters = cli.log.as_deref().unwrap_or(default);
    env_logger::Builder::new().parse_filters(filters).format_target(false).init();
}

fn loading(flags: ModelFlags) -> Result<Loading, Error> {
    let kernels = kernels::choose(flags.kernels.name.as_deref())?;
    Ok(loading_with(flags, kernels))
}

fn loading_with(flags: ModelFlags, kernels: &'static KernelSet) -> Loading {
    let kv = flags.kv.map(|kv| match kv {
        Kv::F16 => KvType::F16,
        Kv::Q8_0 => KvType::Q8_0,
    });
    let wishes = Wishes {
        pacing: Pacing { drafts: flags.drafts, step: Duration::from_millis(flags.step_ms.into()) },
        context_tokens: flags.context_tokens,
        sequences: flags.sequences,
        kv,
        kernels,
        threads: flags.threads,
        question_tokens_max: flags.question_tokens_max,
    };
    // Where there is no place for it, nothing is kept: only serve cannot do without.
    let data = config::data_folder(flags.data.as_deref()).ok();
    Loading { file: flags.model, folder: flags.models, adapters: flags.adapter, wishes, data }
}

fn serve(
    flags: BoxFlags,
    door: Option<(SocketAddr, Admission)>,
    consoles: Vec<Wire>,
) -> Result<(), Error> {
    let modes = config::modes(&flags.modes)?;
    let adapters: Vec<AdapterRef> = modes.iter().flat_map(|mode| mode.adapters.clone()).collect();
    let data = config::data_folder(flags.model.data.as_deref())?;
    commands::serve::run(commands::serve::Options {
        loading: loading(flags.model)?.with_adapters(&adapters),
        modes,
        door,
        consoles,
        data,
        keeping: Keeping {
            sync: Duration::from_secs(flags.sync_seconds.into()),
            history: Duration::from_secs(u64::from(flags.history_days) * 86_400),
            history_bytes: u64::from(flags.history_mb) << 20,
            model: String::new(),
        },
        capacity: Capacity {
            line_jobs_max: flags.queue_jobs_max as usize,
            client_jobs_max: flags.client_jobs_max as usize,
        },
        selftest: if flags.no_selftest { SelfTest::Skip } else { SelfTest::Run },
        supervisor: config::supervisor(),
    })
}

/// Plans for this machine, or for a board it is not: then with kernels that cannot run here.
fn plan(flags: Plan) -> Result<(), Error> {
    let Plan { mut model, board, ram, reserve, json } = flags;
    let kernels = match (&model.kernels.name, board) {
        (Some(name), _) => by_name(name)?,
        (None, Some(board)) => board.kernel_set(),
        (None, None) => kernels::choose(None)?,
    };
    model.threads = model.threads.or(board.map(|board| board.cores));
    let reserve = reserve.unwrap_or(limits::RESERVE_BYTES_DEFAULT);
    let ram = ram.or(board.map(|board| board.ram_bytes));
    commands::plan::run(&commands::plan::Options {
        loading: loading_with(model, kernels),
        board,
        room: ram.map(|ram| Room::told(ram, reserve)),
        output: if json { commands::plan::Output::Json } else { commands::plan::Output::Text },
    })
}

/// The mode that was named, with what the flags say otherwise; `adapters` are added to its own.
fn mode(flags: &WayFlags, adapters: &[PathBuf]) -> Result<Arc<Mode>, Error> {
    let mut mode = Arc::unwrap_or_clone(config::modes(&flags.modes)?.find(&flags.mode)?);
    let named =
        adapters.iter().map(|adapter| AdapterRef::as_trained(adapter.display().to_string()));
    mode.adapters.extend(named);
    mode.sampling.temperature = flags.temperature.unwrap_or(mode.sampling.temperature);
    mode.budget_tokens = flags.budget_tokens.unwrap_or(mode.budget_tokens);
    Ok(Arc::new(mode))
}

fn solve(flags: &Solve) -> Result<(), Error> {
    let mode = mode(&flags.way, &flags.model.adapter)?;
    let loads_own = flags.model.is_particular() || flags.way.modes.modes.is_some();
    let loading = loading(flags.model.clone())?.with_adapters(&mode.adapters);
    let asked = match flags.question.as_str() {
        "-" => read_text("standard input", &mut std::io::stdin())?,
        question => question.to_string(),
    };
    let attempt = flags.student_attempt.as_ref().map(|file| {
        let name = format!("'{}'", file.display());
        let mut opened = std::fs::File::open(file).map_err(|e| {
            let what = format!("cannot read --student-attempt {name}: {e}");
            Error::new(Kind::NotFound, what, "Name a readable text file.")
        })?;
        read_text(&name, &mut opened)
    });
    let text = job::message(&mode, &asked, attempt.transpose()?.as_deref())?;
    let seed = flags.seed.unwrap_or_else(job::fresh_seed);
    let mut question = Question::new(mode, vec![Turn { role: Role::User, text }], seed);
    question.attempts = flags.attempts.unwrap_or(question.attempts);
    if flags.ignore_eos {
        question.ending = Ending::Budget;
    }
    let output =
        if flags.json { commands::solve::Output::Json } else { commands::solve::Output::Text };
    let data = loading.data.as_deref().filter(|_| !loads_own);
    match data.and_then(Folder::neighbour).and_then(|neighbour| neighbour.address) {
        Some(address) => commands::solve_remote::run(address, &question, &asked, output),
        None => commands::solve::run(&loading, question, &asked, output),
    }
}

fn history(flags: History) -> Result<(), Error> {
    use commands::history::{Action, Deleted, Format, run};
    let data = config::data_folder(flags.data.as_deref())?;
    let action = match flags.action {
        HistoryAction::List { limit } => Action::List(limit),
        HistoryAction::Show { id } => Action::Show(id),
        HistoryAction::Export { format, out } => {
            let jsonl = format == HistoryFormat::Jsonl;
            Action::Export(if jsonl { Format::Jsonl } else { Format::Markdown }, out)
        }
        HistoryAction::Delete { older_than_days: Some(days), .. } => {
            Action::Delete(Deleted::OlderThanDays(days))
        }
        HistoryAction::Delete { all: true, .. } => Action::Delete(Deleted::All),
        HistoryAction::Delete { ids, .. } => Action::Delete(Deleted::Jobs(ids)),
    };
    run(&data, action)
}

fn eval(flags: Eval) -> Result<(), Error> {
    let attempts = flags.attempts.map(u64::from);
    let seeds = match (flags.seeds.map(|seeds| seeds.0), attempts) {
        (Some(seeds), Some(attempts)) if attempts != seeds.len() as u64 => {
            return Err(Error::bad_request(
                format!("--seeds: {} seeds do not make {attempts} --attempts", seeds.len()),
                "Give one seed for each attempt, or leave one of the two out.",
            ));
        }
        (Some(seeds), _) => seeds,
        (None, attempts) => (1..=attempts.unwrap_or(1)).collect(),
    };
    let recording = match flags.out {
        Some(file) if flags.resume => Recording::Resumed(file),
        Some(file) => Recording::New(file),
        None => Recording::Off,
    };
    let mode = mode(&flags.way, &flags.model.adapter)?;
    let asked = match flags.prompt {
        PromptForm::Mode => Asked::InMode,
        PromptForm::Published => Asked::AsPublished,
    };
    eval::run(&eval::Options {
        set: flags.set,
        limit: flags.limit,
        loading: loading(flags.model)?.with_adapters(&mode.adapters),
        mode,
        asked,
        seeds,
        output: if flags.json { eval::Output::Json } else { eval::Output::Table },
        recording,
    })
}

fn quantize(flags: Quantize) -> Result<(), Error> {
    use commands::quantize::{Again, Options};
    commands::quantize::run(&Options {
        from: flags.from,
        to: flags.to,
        mix: flags.mix,
        head: if flags.keep_head == Some(HeadName::Q8_0) { Head::Q8_0 } else { Head::AsMixed },
        importance: flags.imatrix,
        again: if flags.requantize { Again::Allowed } else { Again::Refused },
        threads: flags.threads.unwrap_or_else(cores),
    })
}

fn compare(flags: Compare) -> Result<(), Error> {
    let wishes = Wishes {
        pacing: Pacing::default(),
        context_tokens: None,
        sequences: None,
        // What is measured is the weights: the cache shall not blur it.
        kv: Some(KvType::F16),
        kernels: kernels::choose(flags.kernels.name.as_deref())?,
        threads: flags.threads,
        question_tokens_max: limits::QUESTION_TOKENS_DEFAULT,
    };
    let loading = |file| Loading {
        file: Some(file),
        folder: "".into(),
        adapters: Vec::new(),
        wishes,
        data: None,
    };
    commands::compare::run(&commands::compare::Options {
        models: [loading(flags.measure), loading(flags.measured)],
        text: flags.text,
        set: flags.set,
        mode: mode(&flags.way, &[])?,
        seeds: (1..=u64::from(flags.attempts)).collect(),
        output: if flags.json { eval::Output::Json } else { eval::Output::Table },
    })
}

fn convert(flags: &Convert) -> Result<(), Error> {
    let kind = match flags.kind {
        ConvertType::F16 => convert::Kind::Float(Float::F16),
        ConvertType::Bf16 => convert::Kind::Float(Float::Bf16),
        ConvertType::F32 => convert::Kind::Float(Float::F32),
        ConvertType::Mix(mix) => convert::Kind::Quantized(mix),
    };
    convert::run(&flags.dir, &flags.file, kind, flags.base.as_deref())
}

fn read_text(name: &str, from: &mut impl Read) -> Result<String, Error> {
    let max = limits::QUESTION_BYTES_MAX as u64;
    let mut bytes = Vec::new();
    from.take(max + 1).read_to_end(&mut bytes).map_err(|e| {
        Error::bad_request(format!("cannot read {name}: {e}"), "Give a readable text.")
    })?;
    if bytes.len() as u64 > max {
        let what = format!("{name} has more than {max} bytes, at most {max} are allowed");
        return Err(Error::new(Kind::TooLong, what, "Shorten the question."));
    }
    String::from_utf8(bytes)
        .map_err(|_| Error::bad_request(format!("{name} is not UTF-8 text"), "Give plain text."))
}
