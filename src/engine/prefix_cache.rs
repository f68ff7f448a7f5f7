//! The prefix every prompt of a mode has in common: prefilled once, shared by all its jobs, and
//! restored after a restart.
//!
//! `run_loop` asks here which tokens of a prompt are its prefix, before an attempt starts (so that
//! a saved prefix is restored to the cache) and after each step (so that it stays there). The files
//! are `prefix_store`'s part.

use std::collections::{HashMap, HashSet};

use super::adapter_sets::{AdapterSets, ScaledAdapter};
use super::attempt::Attempt;
use super::cells::common_prefix;
use super::kv_cache::KvCache;
use super::llama::Model;
use super::prefix_store::{PrefixIdentity, PrefixStore};
use super::prompt;
use super::protocol::{AdapterSetId, Prompt};
use crate::types::answer::Token;
use crate::types::job::{Question, Role, Turn};
use crate::types::plan::Plan;

/// The prefixes of all modes that have been used.
pub(crate) struct PrefixCache<'p> {
    plan: &'p Plan,
    store: Option<PrefixStore>,
    /// By mode and system prompt.
    prefixes: HashMap<(String, String), Vec<Token>>,
    /// Adapter sets that are those of a mode.
    sets_of_modes: HashSet<AdapterSetId>,
    /// Prefixes, by adapter set and tokens, that are saved or could not be.
    saved: HashSet<(AdapterSetId, Vec<Token>)>,
}

impl<'p> PrefixCache<'p> {
    /// Starts empty; the plan says where files are kept, if they are.
    pub(crate) fn new(plan: &'p Plan) -> PrefixCache<'p> {
        let store = plan.prefixes.as_ref().map(|files| PrefixStore::new(files.folder.clone()));
        PrefixCache {
            plan,
            store,
            prefixes: HashMap::new(),
            sets_of_modes: HashSet::new(),
            saved: HashSet::new(),
        }
    }

    /// Returns how many tokens a prompt has in common with every prompt of its mode; 0 if the
    /// client supplied its own system prompt. `adapter_set` is the question's.
    pub(crate) fn prefix_tokens(
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
            self.sets_of_modes.insert(adapter_set);
        }
        let key = (question.mode.name.clone(), question.system.clone());
        let prefix = self.prefixes.entry(key).or_insert_with(|| prefix_of(model, question));
        if tokens.starts_with(prefix) { prefix.len() } else { 0 }
    }

    /// Restores a prompt's prefix to the cache if it is saved and not cached.
    pub(crate) fn restore(
        &mut self,
        prompt: &Prompt,
        cache: &mut KvCache,
        adapter_sets: &AdapterSets,
    ) {
        let prefix = &prompt.tokens[..prompt.prefix_tokens];
        let cached =
            cache.cells().nearest(prefix, prompt.adapter_set).map_or(0, |(_, length)| length);
        if cached == prefix.len() {
            return;
        }
        if cache.can_be_free(&[]) < prefix.len() {
            return;
        }
        let Some(identity) = self.identity(prompt.adapter_set, adapter_sets) else { return };
        let Some(cells) = self.store.as_ref().and_then(|store| store.load(&identity, prefix))
        else {
            return;
        };
        if let Err(error) = cache.restore(prefix, prompt.adapter_set, &cells) {
            return log::debug!("{error}");
        }
        self.saved.insert((prompt.adapter_set, prefix.to_vec()));
    }

    /// Keeps the prefix of an attempt's prompt in the cache once it is decoded, and saves it if it
    /// is not saved yet.
    pub(crate) fn keep(
        &mut self,
        attempt: &mut Attempt,
        cache: &mut KvCache,
        adapter_sets: &AdapterSets,
    ) {
        let Some(sequence) = attempt.sequence.filter(|_| attempt.prefix_tokens > 0) else { return };
        if cache.cells().tokens(sequence).len() < attempt.prefix_tokens {
            return;
        }
        let prefix = attempt.tokens[..std::mem::take(&mut attempt.prefix_tokens)].to_vec();
        let Some(copy) = cache.keep_copy(sequence, prefix.len()) else { return };
        let Some(identity) = self.identity(attempt.adapter_set, adapter_sets) else { return };
        if self.saved.insert((attempt.adapter_set, prefix.clone()))
            && let Some(store) = &mut self.store
        {
            match cache.save(copy) {
                Ok(cells) => store.save(identity, prefix, cells),
                Err(error) => log::debug!("{error}"),
            }
        }
    }

    /// Returns the identity of prefixes computed with `adapter_set`; `None` if they are not saved.
    /// Sets of several adapters that only requests combined are not saved: there may be thousands.
    fn identity(
        &self,
        adapter_set: AdapterSetId,
        adapter_sets: &AdapterSets,
    ) -> Option<PrefixIdentity> {
        let files = self.plan.prefixes.as_ref()?;
        let adapters = adapter_sets.adapters(adapter_set);
        if adapters.len() > 1 && !self.sets_of_modes.contains(&adapter_set) {
            return None;
        }
        let digest =
            |adapter: &ScaledAdapter| Some((*files.adapters.get(adapter.index)?, adapter.scale));
        let digests: Option<Vec<_>> = adapters.iter().map(digest).collect();
        Some(PrefixIdentity::new(&files.model, &digests?, self.plan.kv, self.plan.kernels.name))
    }
}

/// Returns the common prefix of the prompts of two questions that differ in their first character.
fn prefix_of(model: &Model, question: &Question) -> Vec<Token> {
    let prompt_of = |text: &str| {
        let turn = Turn { role: Role::User, text: text.into() };
        let probe = Question { turns: vec![turn], ..question.clone() };
        prompt::prepare(model, &probe, u32::MAX, u32::MAX).map(|prompt| prompt.tokens)
    };
    match (prompt_of("0"), prompt_of("x")) {
        (Ok(mut one), Ok(other)) => {
            one.truncate(common_prefix(&one, &other));
            one
        }
        // Preparing the question itself reports the reason.
        _ => Vec::new(),
    }
}
