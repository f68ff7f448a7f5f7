//! The KV cache as the step uses it: llama.cpp's memory and the books about it, changed together.
//!
//! Beside the attempts' own sequences it keeps some of ended ones, because the next question often
//! begins as the last: a mode's prompt, a conversation. What is kept goes, least recently used
//! first, as soon as anybody needs the room.
//!
//! llama.cpp decodes only sequences with the first few numbers, as many as the plan has; all others
//! it can hold. So sequences are numbered here, and those in a batch are *seated* for it: given one
//! of those numbers, which is a matter of cells' marks and copies nothing.

use super::Token;
use super::adapter_sets::AdapterSetId;
use super::cells::{CellTable, Sequence};
use super::llama::{Batch, Context, SEQUENCE_IDS, SequenceId};
use crate::types::error::{Error, Kind};
use crate::types::limits;
use crate::types::plan::Plan;

/// A KV cache with its books.
pub struct KvCache<'m> {
    context: Context<'m>,
    cells: CellTable,
    /// Which sequence has each of llama.cpp's first numbers.
    seats: Vec<Option<Sequence>>,
    /// Sequences that no attempt has, least recently used first.
    kept: Vec<Sequence>,
}

impl<'m> KvCache<'m> {
    /// Takes a context whose cache is empty, as the plan says.
    pub fn new(context: Context<'m>, plan: &Plan) -> KvCache<'m> {
        let seats = vec![None; plan.sequences as usize];
        let cells = CellTable::new(plan.context_tokens, SEQUENCE_IDS - seats.len());
        KvCache { context, cells, seats, kept: Vec::new() }
    }

    /// Returns the books, to be read.
    pub fn cells(&self) -> &CellTable {
        &self.cells
    }

    /// Returns how many sequences are kept that no attempt has.
    pub fn kept(&self) -> usize {
        self.kept.len()
    }

    /// Returns the context, for what does not change the cache.
    pub fn context(&mut self) -> &mut Context<'m> {
        &mut self.context
    }

    /// Takes a sequence for `tokens`, with the longest beginning of them that is held already, but
    /// for the last, whose logits are wanted. None where there are too many sequences.
    pub fn open(&mut self, tokens: &[Token], adapter_set: AdapterSetId) -> Option<Sequence> {
        let nearest = self.cells.nearest(&tokens[..tokens.len().saturating_sub(1)], adapter_set);
        let sequence = self.open_empty(adapter_set)?;
        if let Some((from, length)) = nearest.filter(|&(from, _)| self.is_open(from)) {
            self.context.share(self.id(from), self.id(sequence), length);
            self.cells.share(from, sequence, length);
            self.touch(from);
        }
        Some(sequence)
    }

    fn open_empty(&mut self, adapter_set: AdapterSetId) -> Option<Sequence> {
        if let Some(sequence) = self.cells.open(adapter_set) {
            return Some(sequence);
        }
        self.let_go_of_one().then(|| self.cells.open(adapter_set)).flatten()
    }

    fn is_open(&self, sequence: Sequence) -> bool {
        !self.cells.tokens(sequence).is_empty()
    }

    fn seat_of(&self, sequence: Sequence) -> Option<usize> {
        self.seats.iter().position(|&seated| seated == Some(sequence))
    }

    /// Returns the number by which llama.cpp knows a sequence.
    fn id(&self, sequence: Sequence) -> SequenceId {
        let id = self.seat_of(sequence).unwrap_or(self.seats.len() + sequence);
        id as SequenceId
    }

    /// Seats sequences, at most as many as the plan has, and returns the numbers by which they can
    /// be in a batch.
    pub fn seat(&mut self, sequences: &[Sequence]) -> Vec<SequenceId> {
        debug_assert!(sequences.len() <= self.seats.len());
        for &sequence in
            sequences.iter().filter(|&&s| self.seat_of(s).is_none()).collect::<Vec<_>>()
        {
            let is_free = |seated: &Option<Sequence>| {
                seated.is_none_or(|seated| !sequences.contains(&seated))
            };
            let Some(seat) = self.seats.iter().position(is_free) else { continue };
            if let Some(seated) = self.seats[seat].take() {
                let tokens = self.cells.tokens(seated).len();
                self.context.share(seat as SequenceId, self.id(seated), tokens);
                self.context.truncate(seat as SequenceId, 0);
            }
            let (away, tokens) = (self.id(sequence), self.cells.tokens(sequence).len());
            self.context.share(away, seat as SequenceId, tokens);
            self.context.truncate(away, 0);
            self.seats[seat] = Some(sequence);
        }
        sequences.iter().map(|&sequence| self.id(sequence)).collect()
    }

    fn touch(&mut self, sequence: Sequence) {
        if let Some(at) = self.kept.iter().position(|&kept| kept == sequence) {
            self.kept[at..].rotate_left(1);
        }
    }

    /// Makes `cells` free by letting go of what is kept; returns whether so many are.
    pub fn make_room(&mut self, cells: usize) -> bool {
        while self.cells.free() < cells && self.let_go_of_one() {}
        self.cells.free() >= cells
    }

    /// Returns how many cells would be free if nothing were kept and these sequences were closed.
    pub fn can_be_free(&self, closed: &[Sequence]) -> usize {
        self.cells.free() + self.cells.exclusive_cells(&[&self.kept, closed].concat())
    }

    fn let_go_of_one(&mut self) -> bool {
        let oldest = (!self.kept.is_empty()).then(|| self.kept.remove(0));
        if let Some(sequence) = oldest {
            self.close(sequence);
        }
        oldest.is_some()
    }

    /// Keeps the first `tokens` of a sequence for whoever asks something that begins so. The rest
    /// goes, and all of it where another sequence begins so anyway.
    pub fn keep(&mut self, sequence: Sequence, tokens: usize) {
        self.truncate(sequence, tokens);
        let (own, adapter_set) = (self.cells.tokens(sequence), self.cells.adapter_set(sequence));
        let has_it = |other: Sequence| {
            other != sequence
                && self.cells.adapter_set(other) == adapter_set
                && self.cells.tokens(other).starts_with(own)
        };
        if own.is_empty() || self.cells.sequences().any(has_it) {
            self.close(sequence);
        } else {
            self.kept.push(sequence);
        }
        let most = self.cells.total() / limits::KEPT_SHARE_OF_CACHE;
        // What they share counts too: conversations that go on from each other share nearly all.
        while self.cells.exclusive_cells(&self.kept) > most && self.let_go_of_one() {}
    }

    /// Keeps the first `tokens` of a sequence beside it, for whoever begins so, and returns where:
    /// once, however many begin so.
    pub fn keep_copy(&mut self, sequence: Sequence, tokens: usize) -> Option<Sequence> {
        let adapter_set = self.cells.adapter_set(sequence)?;
        let beginning = &self.cells.tokens(sequence)[..tokens];
        let is_kept = |&kept: &Sequence| {
            self.cells.adapter_set(kept) == Some(adapter_set)
                && self.cells.tokens(kept) == beginning
        };
        if let Some(known) = self.kept.iter().copied().find(is_kept) {
            self.touch(known);
            return Some(known);
        }
        let copy = self.open_empty(adapter_set)?;
        self.context.share(self.id(sequence), self.id(copy), tokens);
        self.cells.share(sequence, copy, tokens);
        self.kept.push(copy);
        Some(copy)
    }

    /// Returns the cells of a sequence as bytes.
    ///
    /// # Errors
    /// Those of [`Context::save_sequence`].
    pub fn save(&self, sequence: Sequence) -> Result<Vec<u8>, Error> {
        self.context.save_sequence(self.id(sequence))
    }

    /// Keeps `tokens` whose cells were saved as `bytes`.
    ///
    /// # Errors
    /// Those of [`Context::restore_sequence`]; `busy` where there is no room.
    pub fn restore(
        &mut self,
        tokens: &[Token],
        adapter_set: AdapterSetId,
        bytes: &[u8],
    ) -> Result<(), Error> {
        let no_room = || Error::new(Kind::Busy, "no cells are free to restore a prompt", "Go on.");
        if !self.make_room(tokens.len()) {
            return Err(no_room());
        }
        let sequence = self.open_empty(adapter_set).ok_or_else(no_room)?;
        let restored = self.context.restore_sequence(self.id(sequence), bytes, tokens.len() as u32);
        if restored.is_err() || !self.cells.append(sequence, tokens) {
            self.close(sequence);
        } else {
            self.kept.push(sequence);
        }
        restored
    }

    /// Decodes a batch of which `tokens` lists each sequence's part; their cells must be free.
    ///
    /// # Errors
    /// Those of [`Context::decode`]; the books are then as they were, and the sequences are to be
    /// closed.
    pub fn decode(
        &mut self,
        batch: &Batch,
        tokens: &[(Sequence, Vec<Token>)],
    ) -> Result<(), Error> {
        self.context.decode(batch)?;
        for (sequence, added) in tokens {
            if !self.cells.append(*sequence, added) {
                return Err(Error::internal("more was decoded than there are cells"));
            }
        }
        Ok(())
    }

    /// Gives back all of a sequence but its first `tokens`.
    pub fn truncate(&mut self, sequence: Sequence, tokens: usize) {
        if tokens < self.cells.tokens(sequence).len() {
            self.context.truncate(self.id(sequence), tokens);
            self.cells.truncate(sequence, tokens);
        }
    }

    /// Gives every sequence back and wipes the cells: one that is no number spoils, even after it
    /// was given back, what is computed beside it.
    pub fn clear(&mut self) {
        self.context.clear();
        self.seats.fill(None);
        self.kept.clear();
        self.cells = CellTable::new(self.cells.total() as u32, SEQUENCE_IDS - self.seats.len());
    }

    /// Gives a sequence back.
    pub fn close(&mut self, sequence: Sequence) {
        self.context.truncate(self.id(sequence), 0);
        self.cells.close(sequence);
        if let Some(seat) = self.seat_of(sequence) {
            self.seats[seat] = None;
        }
    }
}
