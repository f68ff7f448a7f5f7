//! What every question of a mode begins with: prefilled once, shared by all its jobs, and there
//! again after a restart.
//!
//! `run_loop` asks here which tokens of a prompt that are, before an attempt starts (so that they are
//! in the cache if they ever were) and after each step (so that they stay). The files are
//! `prefix_store`'s business.

use std::collections::{HashMap, HashSet};

use super::adapter_sets::{AdapterSetId, AdapterSets};
use super::attempt::Attempt;
use super::cells::common;
use super::kv_cache::KvCache;
use super::llama::Model;
use super::prefix_store::{PrefixIdentity, PrefixStore};
use super::{Prompt, Token, prompt};
use crate::types::job::{Question, Role, Turn};
use crate::types::plan::Plan;

/// The beginnings of prompts.
pub struct PrefixCache<'p> {
    plan: &'p Plan,
    files: Option<PrefixStore>,
    /// By mode and system prompt.
    prompts: HashMap<(String, String), Vec<Token>>,
    /// What modes wear.
    of_modes: HashSet<AdapterSetId>,
    /// Those in a file, by adapter set and mode's tokens; or tried in vain.
    filed: HashSet<(AdapterSetId, Vec<Token>)>,
}

impl<'p> PrefixCache<'p> {
    /// Knows none yet; files are where the plan says.
    pub fn new(plan: &'p Plan) -> PrefixCache<'p> {
        let files = plan.prefixes.as_ref().map(|kept| PrefixStore::new(kept.folder.clone()));
        PrefixCache {
            plan,
            files,
            prompts: HashMap::new(),
            of_modes: HashSet::new(),
            filed: HashSet::new(),
        }
    }

    /// Returns how many tokens a prompt has in common with every prompt of its mode; 0 where the
    /// client brought a system prompt of its own. `adapter_set` is the question's.
    pub fn tokens(
        &mut self,
        model: &Model,
        question: &Question,
        adapter_set: AdapterSetId,
        tokens: &[Token],
    ) -> usize {
        if question.brings_system() {
            return 0;
        }
        if question.adapters == question.mode.adapters {
            self.of_modes.insert(adapter_set);
        }
        let key = (question.mode.name.clone(), question.system.clone());
        let prefix = self.prompts.entry(key).or_insert_with(|| prefix_of(model, question));
        if tokens.starts_with(prefix) { prefix.len() } else { 0 }
    }

    /// Puts a prompt's beginning into the cache if it is in a file and not in there.
    pub fn restore(&mut self, prompt: &Prompt, cache: &mut KvCache, adapter_sets: &AdapterSets) {
        let prefix = &prompt.tokens[..prompt.prefix_tokens];
        let held =
            cache.cells().nearest(prefix, prompt.adapter_set).map_or(0, |(_, length)| length);
        if held == prefix.len() {
            return;
        }
        if cache.can_be_free(&[]) < prefix.len() {
            return;
        }
        let Some(identity) = self.identity(prompt.adapter_set, adapter_sets) else { return };
        let Some(cells) = self.files.as_ref().and_then(|files| files.load(&identity, prefix))
        else {
            return;
        };
        if let Err(error) = cache.restore(prefix, prompt.adapter_set, &cells) {
            return log::debug!("{error}");
        }
        self.filed.insert((prompt.adapter_set, prefix.to_vec()));
    }

    /// Keeps the beginning of an attempt's prompt, once it is decoded, beside the attempt; has it
    /// written if it is in no file.
    pub fn keep(&mut self, attempt: &mut Attempt, cache: &mut KvCache, adapter_sets: &AdapterSets) {
        let Some(sequence) = attempt.sequence.filter(|_| attempt.prefix_tokens > 0) else { return };
        if cache.cells().tokens(sequence).len() < attempt.prefix_tokens {
            return;
        }
        let prefix = attempt.tokens[..std::mem::take(&mut attempt.prefix_tokens)].to_vec();
        let Some(copy) = cache.keep_copy(sequence, prefix.len()) else { return };
        let Some(identity) = self.identity(attempt.adapter_set, adapter_sets) else { return };
        if self.filed.insert((attempt.adapter_set, prefix.clone()))
            && let Some(files) = &mut self.files
        {
            match cache.save(copy) {
                Ok(cells) => files.save(identity, prefix, cells),
                Err(error) => log::debug!("{error}"),
            }
        }
    }

    /// Returns what a file must have been made by; none where nothing is to be in files. What only
    /// requests put together is in none: there may be thousands of combinations.
    fn identity(&self, adapter_set: AdapterSetId, adapter_sets: &AdapterSets) -> Option<PrefixIdentity> {
        let kept = self.plan.prefixes.as_ref()?;
        if adapter_sets.parts(adapter_set).len() > 1 && !self.of_modes.contains(&adapter_set) {
            return None;
        }
        let adapter = |&(at, scale): &(usize, f32)| Some((*kept.adapters.get(at)?, scale));
        let adapters: Option<Vec<_>> =
            adapter_sets.parts(adapter_set).iter().map(adapter).collect();
        Some(PrefixIdentity::new(&kept.model, &adapters?, self.plan.kv, self.plan.kernels.name))
    }
}

/// Returns what the prompts of two questions that begin differently have in common.
fn prefix_of(model: &Model, question: &Question) -> Vec<Token> {
    let asking = |text: &str| {
        let turn = Turn { role: Role::User, text: text.into() };
        let probe = Question { turns: vec![turn], ..question.clone() };
        prompt::prepare(model, &probe, u32::MAX, u32::MAX).map(|prompt| prompt.tokens)
    };
    match (asking("0"), asking("x")) {
        (Ok(mut one), Ok(other)) => {
            one.truncate(common(&one, &other));
            one
        }
        // The question itself will say why.
        _ => Vec::new(),
    }
}
