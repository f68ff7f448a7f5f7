//! `solverbox compare`: two models under the same conditions.

use std::path::{Path, PathBuf};

use super::model::mode;
use super::output;
use crate::cli::CompareFlags;
use crate::commands::Loading;
use crate::commands::compare::CompareOptions;
use crate::engine::kernels;
use crate::model::locate;
use crate::model::plan::PlanRequirements;
use crate::types::error::Error;
use crate::types::plan::{KvType, Pacing};

impl TryFrom<CompareFlags> for CompareOptions {
    type Error = Error;

    fn try_from(flags: CompareFlags) -> Result<CompareOptions, Error> {
        let required = PlanRequirements {
            pacing: Pacing::default(),
            context_tokens: None,
            sequences: None,
            // The weights are compared; a quantized cache would add errors of its own.
            kv: Some(KvType::F16),
            kernels: kernels::choose(flags.kernels.name.as_deref())?,
            threads: flags.threads,
            question_tokens_max: None,
        };
        // Both models answer in the reference's mode.
        let mode = mode(&flags.way, &locate::find(Some(&flags.measure), Path::new(""))?, &[])?;
        let loading = |file: PathBuf| Loading {
            file: Some(file),
            folder: PathBuf::new(),
            adapters: Vec::new(),
            required,
            data: None,
        };
        Ok(CompareOptions {
            models: [loading(flags.measure), loading(flags.measured)],
            text: flags.text,
            set: flags.set,
            mode,
            seeds: (1..=u64::from(flags.attempts)).collect(),
            output: output(flags.json),
        })
    }
}
