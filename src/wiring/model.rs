//! What several commands make of their flags: the model to load, and the mode to ask in.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::cli::{ModelFlags, ModesFlags, WayFlags};
use crate::commands::Loading;
use crate::config;
use crate::engine::kernels;
use crate::model::plan::PlanRequirements;
use crate::model::{bundled, locate};
use crate::types::error::Error;
use crate::types::kernels::KernelSet;
use crate::types::mode::{AdapterRef, Mode, Modes};
use crate::types::plan::{Origin, Pacing, Weights};

/// Returns the model to load, with kernels that run on this CPU.
pub(super) fn loading(flags: ModelFlags) -> Result<Loading, Error> {
    let kernels = kernels::choose(flags.kernels.name.as_deref())?;
    Ok(loading_with(flags, kernels))
}

/// Returns the model to load with the given kernels, which need not run on this CPU.
pub(super) fn loading_with(flags: ModelFlags, kernels: &'static KernelSet) -> Loading {
    let required = PlanRequirements {
        pacing: Pacing { drafts: flags.drafts, step: Duration::from_millis(flags.step_ms.into()) },
        context_tokens: flags.context_tokens,
        sequences: flags.sequences,
        kv: flags.kv,
        kernels,
        threads: flags.threads,
        question_tokens_max: flags.question_tokens_max,
    };
    // Without a data folder nothing is cached on disk; only `serve` requires one.
    let data = config::data_folder(flags.data.as_deref()).ok();
    Loading { file: flags.model, folder: flags.models, adapters: flags.adapter, required, data }
}

/// Returns the model that the flags choose, unchecked.
pub(super) fn chosen(flags: &ModelFlags) -> Result<Weights, Error> {
    locate::find(flags.model.as_deref(), &flags.models)
}

/// Returns the modes for `model`: the built-in ones, which the demo model changes, extended by the
/// owner's file.
pub(super) fn modes(flags: &ModesFlags, model: &Weights) -> Result<Modes, Error> {
    let is_demo = model.origin == Origin::BuiltIn(bundled::MODEL);
    let mut modes = if is_demo { bundled::modes() } else { Modes::built_in() };
    config::add_owners_modes(&mut modes, flags)?;
    Ok(modes)
}

/// Returns the named mode for `model` with what the flags override; `adapters` are added to the
/// mode's own.
pub(super) fn mode(
    flags: &WayFlags,
    model: &Weights,
    adapters: &[PathBuf],
) -> Result<Arc<Mode>, Error> {
    let mut mode = Arc::unwrap_or_clone(modes(&flags.modes, model)?.find(&flags.mode)?);
    let named =
        adapters.iter().map(|adapter| AdapterRef::as_trained(adapter.display().to_string()));
    mode.adapters.extend(named);
    mode.sampling.temperature = flags.temperature.unwrap_or(mode.sampling.temperature);
    mode.budget_tokens = flags.budget_tokens.unwrap_or(mode.budget_tokens);
    Ok(Arc::new(mode))
}
