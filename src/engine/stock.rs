//! What every question of a mode begins with: prefilled once, shared by all its jobs, and there
//! again after a restart.
//!
//! `step` asks here which tokens of a prompt that are, before an attempt starts (so that they are
//! in the cache if they ever were) and after each step (so that they stay). The files are
//! `prefix`'s business.

use std::collections::{HashMap, HashSet};

use super::attempt::Attempt;
use super::cache::Cache;
use super::llama::Model;
use super::pool::common;
use super::prefix::{Identity, Prefixes};
use super::wardrobe::{Outfit, Wardrobe};
use super::{Prompt, Token, prompt};
use crate::words::job::{Question, Role, Turn};
use crate::words::plan::Plan;

/// The beginnings of prompts.
pub struct Stock<'p> {
    plan: &'p Plan,
    files: Option<Prefixes>,
    /// By mode and system prompt.
    prompts: HashMap<(String, String), Vec<Token>>,
    /// What modes wear.
    of_modes: HashSet<Outfit>,
    /// Those in a file, by outfit and mode's tokens; or tried in vain.
    filed: HashSet<(Outfit, Vec<Token>)>,
}

impl<'p> Stock<'p> {
    /// Knows none yet; files are where the plan says.
    pub fn new(plan: &'p Plan) -> Stock<'p> {
        let files = plan.prefixes.as_ref().map(|kept| Prefixes::new(kept.folder.clone()));
        Stock {
            plan,
            files,
            prompts: HashMap::new(),
            of_modes: HashSet::new(),
            filed: HashSet::new(),
        }
    }

    /// Returns how many tokens a prompt has in common with every prompt of its mode; 0 where the
    /// client brought a system prompt of its own. `outfit` is the question's.
    pub fn tokens(
        &mut self,
        model: &Model,
        question: &Question,
        outfit: Outfit,
        tokens: &[Token],
    ) -> usize {
        if question.brings_system() {
            return 0;
        }
        if question.adapters == question.mode.adapters {
            self.of_modes.insert(outfit);
        }
        let key = (question.mode.name.clone(), question.system.clone());
        let stock = self.prompts.entry(key).or_insert_with(|| stock_of(model, question));
        if tokens.starts_with(stock) { stock.len() } else { 0 }
    }

    /// Puts a prompt's beginning into the cache if it is in a file and not in there.
    pub fn restore(&mut self, prompt: &Prompt, cache: &mut Cache, wardrobe: &Wardrobe) {
        let stock = &prompt.tokens[..prompt.stock_tokens];
        let held = cache.pool().nearest(stock, prompt.outfit).map_or(0, |(_, length)| length);
        if held == stock.len() {
            return;
        }
        if cache.can_be_free(&[]) < stock.len() {
            return;
        }
        let Some(identity) = self.identity(prompt.outfit, wardrobe) else { return };
        let Some(cells) = self.files.as_ref().and_then(|files| files.load(&identity, stock)) else {
            return;
        };
        if let Err(error) = cache.restore(stock, prompt.outfit, &cells) {
            return log::debug!("{error}");
        }
        self.filed.insert((prompt.outfit, stock.to_vec()));
    }

    /// Keeps the beginning of an attempt's prompt, once it is decoded, beside the attempt; has it
    /// written if it is in no file.
    pub fn keep(&mut self, attempt: &mut Attempt, cache: &mut Cache, wardrobe: &Wardrobe) {
        let Some(sequence) = attempt.sequence.filter(|_| attempt.stock_tokens > 0) else { return };
        if cache.pool().tokens(sequence).len() < attempt.stock_tokens {
            return;
        }
        let stock = attempt.tokens[..std::mem::take(&mut attempt.stock_tokens)].to_vec();
        let Some(copy) = cache.keep_copy(sequence, stock.len()) else { return };
        let Some(identity) = self.identity(attempt.outfit, wardrobe) else { return };
        if self.filed.insert((attempt.outfit, stock.clone()))
            && let Some(files) = &mut self.files
        {
            match cache.save(copy) {
                Ok(cells) => files.save(identity, stock, cells),
                Err(error) => log::debug!("{error}"),
            }
        }
    }

    /// Returns what a file must have been made by; none where nothing is to be in files. What only
    /// requests put together is in none: there may be thousands of combinations.
    fn identity(&self, outfit: Outfit, wardrobe: &Wardrobe) -> Option<Identity> {
        let kept = self.plan.prefixes.as_ref()?;
        if wardrobe.parts(outfit).len() > 1 && !self.of_modes.contains(&outfit) {
            return None;
        }
        let adapter = |&(at, scale): &(usize, f32)| Some((*kept.adapters.get(at)?, scale));
        let adapters: Option<Vec<_>> = wardrobe.parts(outfit).iter().map(adapter).collect();
        Some(Identity::new(&kept.model, &adapters?, self.plan.kv, self.plan.kernels.name))
    }
}

/// Returns what the prompts of two questions that begin differently have in common.
fn stock_of(model: &Model, question: &Question) -> Vec<Token> {
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
