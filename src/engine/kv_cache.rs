//! The KV cache as a step uses it: llama.cpp's memory and the table about it, changed together.
//!
//! Besides the sequences of running attempts it keeps some of ended ones, because the next question
//! often begins like the last: a mode's prompt, a conversation. Kept sequences are evicted, least
//! recently used first, as soon as the room is needed.
//!
//! llama.cpp decodes only sequences whose numbers are below the plan's, but holds more. So
//! sequences have numbers of their own here, and those in a batch are moved to a *slot*: one of
//! llama.cpp's decodable numbers. A move changes the markings of cells and copies no contents.

use super::cells::{CellTable, SequenceId};
use super::llama::{Batch, Context, LLAMA_SEQUENCES, LlamaSequence};
use super::protocol::AdapterSetId;
use crate::types::answer::Token;
use crate::types::error::{Error, Kind};
use crate::types::limits;
use crate::types::plan::Plan;

/// llama.cpp's KV cache and the table of its cells.
pub(crate) struct KvCache<'m> {
    context: Context<'m>,
    cells: CellTable,
    /// The sequence in each slot, that is, with each of llama.cpp's decodable numbers.
    slots: Vec<Option<SequenceId>>,
    /// Sequences that belong to no attempt, least recently used first.
    kept: Vec<SequenceId>,
}

impl<'m> KvCache<'m> {
    /// Wraps a context made by `plan` whose cache is empty.
    pub(crate) fn new(context: Context<'m>, plan: &Plan) -> KvCache<'m> {
        let slots = vec![None; plan.sequences as usize];
        let cells = CellTable::new(plan.context_tokens, LLAMA_SEQUENCES - slots.len());
        KvCache { context, cells, slots, kept: Vec::new() }
    }

    pub(crate) fn cells(&self) -> &CellTable {
        &self.cells
    }

    /// Returns how many sequences are kept that belong to no attempt.
    pub(crate) fn kept(&self) -> usize {
        self.kept.len()
    }

    /// Returns the context, for calls that do not change the cache.
    pub(crate) fn context(&mut self) -> &mut Context<'m> {
        &mut self.context
    }

    /// Opens a sequence for `tokens` that shares the longest cached prefix of them, except the last
    /// token, whose logits are needed. `None` if all sequences are in use.
    pub(crate) fn open(
        &mut self,
        tokens: &[Token],
        adapter_set: AdapterSetId,
    ) -> Option<SequenceId> {
        let nearest = self.cells.nearest(&tokens[..tokens.len().saturating_sub(1)], adapter_set);
        let sequence = self.open_empty(adapter_set)?;
        if let Some((from, length)) = nearest.filter(|&(from, _)| self.holds_tokens(from)) {
            self.context.share(self.number(from), self.number(sequence), length);
            self.cells.share(from, sequence, length);
            self.touch(from);
        }
        Some(sequence)
    }

    fn open_empty(&mut self, adapter_set: AdapterSetId) -> Option<SequenceId> {
        if let Some(sequence) = self.cells.open(adapter_set) {
            return Some(sequence);
        }
        self.evict_one().then(|| self.cells.open(adapter_set)).flatten()
    }

    fn holds_tokens(&self, sequence: SequenceId) -> bool {
        !self.cells.tokens(sequence).is_empty()
    }

    fn slot_of(&self, sequence: SequenceId) -> Option<usize> {
        self.slots.iter().position(|&in_slot| in_slot == Some(sequence))
    }

    /// Returns llama.cpp's number of a sequence.
    fn number(&self, sequence: SequenceId) -> LlamaSequence {
        LlamaSequence::new(self.slot_of(sequence).unwrap_or(self.slots.len() + sequence.0))
    }

    /// Moves sequences, at most as many as the plan has, to slots and returns the numbers by which
    /// they can be in a batch.
    pub(crate) fn move_to_slots(&mut self, sequences: &[SequenceId]) -> Vec<LlamaSequence> {
        debug_assert!(sequences.len() <= self.slots.len());
        for &sequence in
            sequences.iter().filter(|&&s| self.slot_of(s).is_none()).collect::<Vec<_>>()
        {
            let is_free = |in_slot: &Option<SequenceId>| {
                in_slot.is_none_or(|in_slot| !sequences.contains(&in_slot))
            };
            let Some(slot) = self.slots.iter().position(is_free) else { continue };
            let slot_number = LlamaSequence::new(slot);
            if let Some(displaced) = self.slots[slot].take() {
                let tokens = self.cells.tokens(displaced).len();
                self.context.share(slot_number, self.number(displaced), tokens);
                self.context.truncate(slot_number, 0);
            }
            let (outside, tokens) = (self.number(sequence), self.cells.tokens(sequence).len());
            self.context.share(outside, slot_number, tokens);
            self.context.truncate(outside, 0);
            self.slots[slot] = Some(sequence);
        }
        sequences.iter().map(|&sequence| self.number(sequence)).collect()
    }

    /// Marks a kept sequence as the most recently used.
    fn touch(&mut self, sequence: SequenceId) {
        if let Some(index) = self.kept.iter().position(|&kept| kept == sequence) {
            self.kept[index..].rotate_left(1);
        }
    }

    /// Evicts kept sequences until `cells` are free; returns whether that many are.
    pub(crate) fn make_room(&mut self, cells: usize) -> bool {
        while self.cells.free() < cells && self.evict_one() {}
        self.cells.free() >= cells
    }

    /// Returns how many cells would be free if no sequence were kept and these were closed.
    pub(crate) fn can_be_free(&self, closed: &[SequenceId]) -> usize {
        self.cells.free() + self.cells.exclusive_cells(&[&self.kept, closed].concat())
    }

    fn evict_one(&mut self) -> bool {
        let oldest = (!self.kept.is_empty()).then(|| self.kept.remove(0));
        if let Some(sequence) = oldest {
            self.close(sequence);
        }
        oldest.is_some()
    }

    /// Keeps the first `tokens` of a sequence for later questions with the same prefix and frees
    /// the rest; frees everything if another sequence starts with these tokens already.
    pub(crate) fn keep(&mut self, sequence: SequenceId, tokens: usize) {
        self.truncate(sequence, tokens);
        let (own, adapter_set) = (self.cells.tokens(sequence), self.cells.adapter_set(sequence));
        let has_them = |other: SequenceId| {
            other != sequence
                && self.cells.adapter_set(other) == adapter_set
                && self.cells.tokens(other).starts_with(own)
        };
        if own.is_empty() || self.cells.sequences().any(has_them) {
            self.close(sequence);
        } else {
            self.kept.push(sequence);
        }
        let cells_max = self.cells.total() / limits::KEPT_SHARE_OF_CACHE;
        // Counted together, because successive turns of a conversation share nearly all cells.
        while self.cells.exclusive_cells(&self.kept) > cells_max && self.evict_one() {}
    }

    /// Keeps a copy of the first `tokens` of a sequence for attempts with the same prefix, unless
    /// one is kept already, and returns the copy's sequence.
    pub(crate) fn keep_copy(&mut self, sequence: SequenceId, tokens: usize) -> Option<SequenceId> {
        let adapter_set = self.cells.adapter_set(sequence)?;
        let prefix = &self.cells.tokens(sequence)[..tokens];
        let is_copy = |&kept: &SequenceId| {
            self.cells.adapter_set(kept) == Some(adapter_set) && self.cells.tokens(kept) == prefix
        };
        if let Some(copy) = self.kept.iter().copied().find(is_copy) {
            self.touch(copy);
            return Some(copy);
        }
        let copy = self.open_empty(adapter_set)?;
        self.context.share(self.number(sequence), self.number(copy), tokens);
        self.cells.share(sequence, copy, tokens);
        self.kept.push(copy);
        Some(copy)
    }

    /// Returns the cells of a sequence as bytes.
    ///
    /// # Errors
    /// As [`Context::save_sequence`].
    pub(crate) fn save(&self, sequence: SequenceId) -> Result<Vec<u8>, Error> {
        self.context.save_sequence(self.number(sequence))
    }

    /// Restores the cells of `tokens` from bytes that [`KvCache::save`] returned, and keeps them.
    ///
    /// # Errors
    /// As [`Context::restore_sequence`]; `busy` if there is no room.
    pub(crate) fn restore(
        &mut self,
        tokens: &[Token],
        adapter_set: AdapterSetId,
        bytes: &[u8],
    ) -> Result<(), Error> {
        let no_room =
            || Error::new(Kind::Busy, "no cells are free to restore a prompt", "Try again later.");
        if !self.make_room(tokens.len()) {
            return Err(no_room());
        }
        let sequence = self.open_empty(adapter_set).ok_or_else(no_room)?;
        let length = tokens.len() as u32;
        let restored = self.context.restore_sequence(self.number(sequence), bytes, length);
        if restored.is_err() || !self.cells.append(sequence, tokens) {
            self.close(sequence);
        } else {
            self.kept.push(sequence);
        }
        restored
    }

    /// Decodes a batch; `tokens` lists each sequence's share of it. The cells must be free.
    ///
    /// # Errors
    /// As [`Context::decode`]. The table is unchanged then, and the batch's sequences must be
    /// closed.
    pub(crate) fn decode(
        &mut self,
        batch: &Batch,
        tokens: &[(SequenceId, Vec<Token>)],
    ) -> Result<(), Error> {
        self.context.decode(batch)?;
        for (sequence, added) in tokens {
            if !self.cells.append(*sequence, added) {
                return Err(Error::internal("more tokens were decoded than there are cells"));
            }
        }
        Ok(())
    }

    /// Frees all cells of a sequence except its first `tokens`.
    pub(crate) fn truncate(&mut self, sequence: SequenceId, tokens: usize) {
        if tokens < self.cells.tokens(sequence).len() {
            self.context.truncate(self.number(sequence), tokens);
            self.cells.truncate(sequence, tokens);
        }
    }

    /// Closes every sequence and zeroes the cells: a NaN in a cell, even a free one, would spoil
    /// what is computed in the same pass.
    pub(crate) fn clear(&mut self) {
        self.context.clear();
        self.slots.fill(None);
        self.kept.clear();
        self.cells = CellTable::new(self.cells.total() as u32, LLAMA_SEQUENCES - self.slots.len());
    }

    /// Closes a sequence and frees its cells.
    pub(crate) fn close(&mut self, sequence: SequenceId) {
        self.context.truncate(self.number(sequence), 0);
        self.cells.close(sequence);
        if let Some(slot) = self.slot_of(sequence) {
            self.slots[slot] = None;
        }
    }
}
