//! Saves the cells of a sequence as bytes and restores them.
//!
//! The format is llama.cpp's (`state_write` in llama-kv-cache.cpp of llama-cpp-sys-2 0.1.161). Its
//! reader stays within the bytes but trusts their contents: a cell at position -1 can never be
//! freed, and NaN keys, even in a freed cell, spoil the prompts that other sequences prefill (tiled
//! attention adds the mask to products it has computed already). So all bytes are checked here
//! first, against the layout that every supported architecture has. Their identity is checked by
//! `prefix_store`; nothing here knows about files.

use llama_cpp_sys_2 as sys;

use super::{Context, LlamaSequence, clear_error_lines, first_error_line};
use crate::types::error::Error;
use crate::types::limits;

/// The first bytes of a saved sequence (`io_magic` in llama-context.cpp).
const MAGIC: u32 = 0xAF14_3CD8;

impl Context<'_> {
    /// Returns the cells of `sequence`, which must hold the positions from 0 on without a gap.
    ///
    /// # Errors
    /// `internal` if it holds other positions or none, if the cells exceed `PREFIX_BYTES_MAX`, if
    /// they contain NaN or infinity, or if the architecture stores more than keys and values.
    pub(crate) fn save_sequence(&self, sequence: LlamaSequence) -> Result<Vec<u8>, Error> {
        let fault = |cause: &str| Error::internal(format!("cannot save the cells: {cause}"));
        let context = self.context.as_ptr();
        // SAFETY: the context is alive; llama.cpp only counts.
        let size = unsafe { sys::llama_state_seq_get_size_ext(context, sequence.raw(), 0) };
        if size as u64 > limits::PREFIX_BYTES_MAX {
            return Err(fault(&format!("they take {size} bytes")));
        }
        let mut bytes = vec![0; size];
        // SAFETY: llama.cpp writes at most `size` bytes, the length of `bytes`.
        let written = unsafe {
            let to = bytes.as_mut_ptr();
            sys::llama_state_seq_get_data_ext(context, to, size, sequence.raw(), 0)
        };
        if written != size {
            return Err(fault("llama.cpp wrote fewer bytes than it counted"));
        }
        let (bytes, tokens) = normalized(&bytes).ok_or_else(|| fault("the layout is unknown"))?;
        check(&bytes, tokens).map_err(fault)?;
        Ok(bytes)
    }

    /// Replaces the cells of `sequence` by bytes from [`Context::save_sequence`], which must hold
    /// exactly the first `tokens` positions. Other sequences are unaffected. There are no logits
    /// until another token is decoded.
    ///
    /// # Errors
    /// `internal` if this context would not have saved these bytes or too few cells are free; the
    /// sequence is empty then.
    pub(crate) fn restore_sequence(
        &mut self,
        sequence: LlamaSequence,
        bytes: &[u8],
        tokens: u32,
    ) -> Result<(), Error> {
        let restored = check(bytes, tokens).map_err(str::to_string).and_then(|()| {
            clear_error_lines();
            let context = self.context.as_ptr();
            let (from, size) = (bytes.as_ptr(), bytes.len());
            // SAFETY: llama.cpp reads no byte beyond these, which live for the call, and catches
            // its exceptions. `check` covers everything it asserts about them.
            let read = unsafe {
                sys::llama_state_seq_set_data_ext(context, from, size, sequence.raw(), 0)
            };
            if read == bytes.len() { Ok(()) } else { Err(first_error_line()) }
        });
        // SAFETY: the context is alive.
        let memory = unsafe { sys::llama_get_memory(self.context.as_ptr()) };
        // SAFETY: as above.
        let ends = unsafe {
            let first = sys::llama_memory_seq_pos_min(memory, sequence.raw());
            (first, sys::llama_memory_seq_pos_max(memory, sequence.raw()))
        };
        let restored = restored.and_then(|()| match ends {
            (0, last) if last + 1 == tokens as i32 => Ok(()),
            (first, last) => Err(format!("they gave positions {first} to {last}")),
        });
        if restored.is_err() {
            // SAFETY: as above; -1 means from the start and to the end.
            unsafe { sys::llama_memory_seq_rm(memory, sequence.raw(), -1, -1) };
        }
        restored.map_err(|cause| Error::internal(format!("cannot restore the cells: {cause}")))
    }
}

/// Rewrites a saved sequence of any number as sequence 0 and returns the number of its cells;
/// `None` if the layout is unknown.
///
/// For each cell llama.cpp writes how many sequences use it and which. For a sequence at or above
/// `n_seq_max` it writes that there are none, and could not read that again.
fn normalized(saved: &[u8]) -> Option<(Vec<u8>, u32)> {
    let mut reader = CellReader(saved);
    let (magic, _sequence, streams) = (reader.u32()?, reader.u32()?, reader.u32()?);
    let cells = reader.u32()?;
    let mut bytes = Vec::with_capacity(saved.len() + saved.len().min(4 * cells as usize));
    let mut put = |numbers: &[u32]| {
        numbers.iter().for_each(|number| bytes.extend(number.to_le_bytes()));
    };
    put(&[magic, 0, streams, cells]);
    for _ in 0..cells {
        put(&[reader.u32()?, 1, 0]);
        for _ in 0..reader.u32()? {
            reader.u32()?;
        }
    }
    bytes.extend(reader.0);
    Some((bytes, cells))
}

/// Checks that `bytes` are `tokens` cells of one sequence, one for each position from 0 on, with
/// finite keys and values and nothing else. llama.cpp itself compares layers and widths with the
/// model's.
///
/// # Errors
/// A phrase that describes the first fault.
fn check(bytes: &[u8], tokens: u32) -> Result<(), &'static str> {
    let mut reader = CellReader(bytes);
    let mut next = || reader.u32().ok_or("they end too early");
    if (next()?, next()?, next()?) != (MAGIC, 0, 1) {
        return Err("they are not a saved sequence");
    }
    // Each cell takes 12 bytes, which bounds the list below.
    if next()? != tokens || tokens == 0 || bytes.len() / 12 < tokens as usize {
        return Err("their number is not that of the tokens");
    }
    let mut seen = vec![false; tokens as usize];
    for _ in 0..tokens {
        let position = next()?;
        let entry = seen.get_mut(position as usize).filter(|seen| !**seen);
        *entry.ok_or("a position is missing")? = true;
        if (next()?, next()?) != (1, 0) {
            return Err("a cell is not of exactly one sequence");
        }
    }
    let (transposed, layers, _key_rotation, _value_rotation) = (next()?, next()?, next()?, next()?);
    if transposed != 0 {
        return Err("the values are transposed");
    }
    // All keys, then all values. Each takes at least 12 bytes, which bounds the loop.
    for _ in 0..2 * u64::from(layers) {
        rows(&mut reader, tokens)?;
    }
    if reader.0.is_empty() { Ok(()) } else { Err("they continue after the last value") }
}

/// Checks the keys or the values of one layer.
fn rows(reader: &mut CellReader, tokens: u32) -> Result<(), &'static str> {
    let (kind, row) = (reader.u32(), reader.u64());
    let size = row.and_then(|row| row.checked_mul(tokens.into())?.try_into().ok());
    let values = size.and_then(|size| reader.take(size)).ok_or("they end too early")?;
    let is_finite = |half: &[u8]| half[1] & 0x7C != 0x7C;
    let finite = match kind {
        Some(sys::GGML_TYPE_F16) => values.chunks_exact(2).all(is_finite),
        // Blocks of a scale and 32 integers.
        Some(sys::GGML_TYPE_Q8_0) => values.chunks_exact(34).all(is_finite),
        _ => return Err("they are of an unknown type"),
    };
    if finite { Ok(()) } else { Err("they contain NaN or infinity") }
}

/// Reads bytes from the front; little-endian, as all CPUs of the kernel sets are.
struct CellReader<'b>(&'b [u8]);

impl<'b> CellReader<'b> {
    fn take(&mut self, count: usize) -> Option<&'b [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn u32(&mut self) -> Option<u32> {
        Some(u32::from_le_bytes(self.take(4)?.try_into().ok()?))
    }

    fn u64(&mut self) -> Option<u64> {
        Some(u64::from_le_bytes(self.take(8)?.try_into().ok()?))
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use crate::engine::llama::Batch;
    use crate::engine::llama::tests::{BACKEND, MODEL, plan};
    use crate::types::answer::Token;
    use crate::types::plan::{KvType, Plan};

    /// The sequences of the tests' contexts.
    pub(crate) const A: LlamaSequence = LlamaSequence::new(0);
    pub(crate) const B: LlamaSequence = LlamaSequence::new(1);
    pub(crate) const C: LlamaSequence = LlamaSequence::new(2);

    /// Cells of the tests' contexts.
    const CELLS: u32 = 256;

    /// Makes a context of 3 sequences on the demo model.
    pub(crate) fn context(kv: KvType) -> Context<'static> {
        let of_demo = plan("demo".as_ref());
        let plan = Plan { context_tokens: CELLS, sequences: 3, kv, ..of_demo };
        Context::new(&BACKEND, &MODEL, &plan).unwrap()
    }

    /// Decodes `tokens` of `sequence` from `position` on and returns the logits after the last.
    pub(crate) fn decode(
        context: &mut Context<'_>,
        sequence: LlamaSequence,
        position: usize,
        tokens: &[Token],
    ) -> Vec<f32> {
        let (mut batch, mut row) = (Batch::default(), 0);
        for (at, &token) in (position..).zip(tokens) {
            let is_last = at + 1 == position + tokens.len();
            row = batch.push(token, at as u32, sequence, is_last);
        }
        context.decode(&batch).unwrap();
        context.logits(row).unwrap().to_vec()
    }

    /// Returns arbitrary tokens.
    pub(crate) fn some_tokens(count: usize, seed: usize) -> Vec<Token> {
        (0..count).map(|i| Token::at((i * i * 7 + i * 13 + seed * 101) % 300)).collect()
    }

    /// Lets llama.cpp itself restore a sequence; returns how many bytes it read.
    fn set_unchecked(context: &mut Context<'_>, sequence: LlamaSequence, bytes: &[u8]) -> usize {
        let (at, size) = (bytes.as_ptr(), bytes.len());
        // SAFETY: it reads no byte beyond these.
        unsafe { sys::llama_state_seq_set_data_ext(context.raw(), at, size, sequence.raw(), 0) }
    }

    fn is_empty(context: &Context<'_>, sequence: LlamaSequence) -> bool {
        // SAFETY: the context is alive.
        unsafe {
            let memory = sys::llama_get_memory(context.context.as_ptr());
            sys::llama_memory_seq_pos_max(memory, sequence.raw()) == -1
        }
    }

    fn put(bytes: &mut [u8], at: usize, number: u32) {
        bytes[at..at + 4].copy_from_slice(&number.to_le_bytes());
    }

    #[test]
    fn a_restored_sequence_continues_like_the_prefilled_one_and_others_are_unaffected() {
        let (prefix, next) = (some_tokens(50, 1), some_tokens(3, 2));
        for kv in [KvType::F16, KvType::Q8_0] {
            let mut context = context(kv);
            decode(&mut context, A, 0, &some_tokens(20, 3));
            decode(&mut context, B, 0, &prefix);
            let bytes = context.save_sequence(B).unwrap();
            let expected = decode(&mut context, B, prefix.len(), &next);
            let of_the_other = decode(&mut context, A, 20, &next);
            context.truncate(A, 20);
            context.truncate(B, 0);
            // A sequence that is not empty, and one that gets back the cells it had.
            decode(&mut context, C, 0, &some_tokens(60, 4));
            for sequence in [C, B] {
                context.restore_sequence(sequence, &bytes, prefix.len() as u32).unwrap();
                let logits = decode(&mut context, sequence, prefix.len(), &next);
                assert!(logits == expected, "{sequence:?}, {kv:?}");
            }
            assert!(decode(&mut context, A, 20, &next) == of_the_other);
        }
    }

    #[test]
    fn saved_bytes_do_not_depend_on_the_sequence_or_on_where_its_cells_are() {
        let prefix = some_tokens(40, 1);
        let saved = |sequence: LlamaSequence, before: usize| {
            let mut context = context(KvType::F16);
            if before > 0 {
                decode(&mut context, C, 0, &some_tokens(before, 3));
            }
            decode(&mut context, B, 0, &prefix);
            if sequence != B {
                context.share(B, sequence, prefix.len());
            }
            context.save_sequence(sequence).unwrap()
        };
        let bytes = saved(B, 0);
        // llama.cpp cannot read the layout it writes of a sequence at or above `n_seq_max`.
        for (sequence, before) in [(A, 0), (B, 30), (LlamaSequence::new(200), 5)] {
            assert!(saved(sequence, before) == bytes, "{sequence:?} after {before}");
        }
    }

    #[test]
    fn cells_in_any_order_are_restored_in_that_order() {
        let prefix = some_tokens(80, 1);
        let mut context = context(KvType::F16);
        decode(&mut context, A, 0, &some_tokens(50, 3));
        decode(&mut context, C, 0, &some_tokens(30, 4));
        decode(&mut context, B, 0, &prefix[..40]);
        context.truncate(A, 0);
        decode(&mut context, B, 40, &prefix[40..]);
        let bytes = context.save_sequence(B).unwrap();
        assert_ne!(bytes[16..20], 0_u32.to_le_bytes(), "the first cell is not the first token's");
        context.restore_sequence(A, &bytes, 80).unwrap();
        assert!(context.save_sequence(A).unwrap() == bytes);
    }

    #[test]
    fn with_too_few_free_cells_nothing_is_restored_and_others_are_unaffected() {
        let (prefix, next) = (some_tokens(100, 1), some_tokens(2, 2));
        let mut context = context(KvType::F16);
        decode(&mut context, B, 0, &prefix);
        let bytes = context.save_sequence(B).unwrap();
        context.truncate(B, 0);
        decode(&mut context, A, 0, &some_tokens(100, 3));
        decode(&mut context, C, 0, &some_tokens(100, 3));
        let expected = decode(&mut context, A, 100, &next);
        context.truncate(A, 100);
        let error = context.restore_sequence(B, &bytes, 100).unwrap_err();
        assert!(error.message.contains("cells"), "{error}");
        assert!(is_empty(&context, B));
        assert!(decode(&mut context, A, 100, &next) == expected);
        context.truncate(C, 0);
        context.restore_sequence(B, &bytes, 100).unwrap();
    }

    #[test]
    fn a_sequence_that_is_empty_or_lacks_its_first_positions_is_not_saved() {
        let mut context = context(KvType::F16);
        assert!(context.save_sequence(B).is_err());
        decode(&mut context, B, 5, &some_tokens(10, 1));
        assert!(context.save_sequence(B).is_err());
    }

    #[test]
    fn bytes_that_llama_cpp_would_trust_are_rejected() {
        let tokens = some_tokens(60, 1);
        let mut context = context(KvType::F16);
        decode(&mut context, A, 0, &tokens);
        let sound = context.save_sequence(A).unwrap();
        context.truncate(A, 0);
        let of_q8_0 = {
            let mut other = self::context(KvType::Q8_0);
            decode(&mut other, A, 0, &tokens);
            other.save_sequence(A).unwrap()
        };
        let (first, layers, values) = (16, 16 + 12 * 60 + 4, 16 + 12 * 60 + 16 + 12);
        let with = |at: usize, number: u32| {
            let mut bytes = sound.clone();
            put(&mut bytes, at, number);
            bytes
        };
        let cases = [
            ("nothing", Vec::new()),
            ("cut off", sound[..sound.len() - 1].to_vec()),
            ("longer", [&sound[..], &[0]].concat()),
            ("wrong magic", with(0, 1)),
            ("two streams", with(8, 2)),
            ("one cell fewer", with(12, 59)),
            ("far too many cells", with(12, u32::MAX)),
            ("no position", with(first, u32::MAX)),
            ("a negative position", with(first, -5_i32 as u32)),
            ("a position too far", with(first, 60)),
            ("a position twice", with(first, 1)),
            ("no sequence", with(first + 4, 0)),
            ("a layer fewer", with(layers, 3)),
            ("a layer more", with(layers, 5)),
            ("another rotation", with(layers + 4, 64)),
            ("values transposed", with(layers - 4, 1)),
            ("another type", with(values - 12, sys::GGML_TYPE_Q8_0)),
            ("another width", with(values - 8, 128)),
            ("infinite", with(values, 0x7C00)),
            ("not a number", with(values, 0xFE00_0000)),
            ("another cache's", of_q8_0),
        ];
        for (name, bytes) in cases {
            decode(&mut context, B, 0, &tokens[..5]);
            assert!(context.restore_sequence(B, &bytes, 60).is_err(), "{name}");
            assert!(is_empty(&context, B), "{name}");
        }
        assert!(context.restore_sequence(B, &sound, 59).is_err());
        // No cell was lost: the whole context is free.
        for sequence in (0..4).map(LlamaSequence::new) {
            context.restore_sequence(sequence, &sound, 60).unwrap();
        }
    }

    #[test]
    fn the_dangers_are_real() {
        let (prefix, other) = (some_tokens(100, 1), some_tokens(70, 2));
        let mut context = context(KvType::F16);
        decode(&mut context, A, 0, &prefix);
        let sound = context.save_sequence(A).unwrap();
        context.truncate(A, 0);
        let expected = decode(&mut context, A, 0, &other);
        context.truncate(A, 0);
        // NaN keys spoil another prompt although their cells are free again.
        let (mut bytes, keys, row) = (sound.clone(), 16 + 12 * 100 + 16 + 12, 256);
        bytes[keys..keys + 100 * row].fill(0xFF);
        assert_eq!(set_unchecked(&mut context, B, &bytes), bytes.len());
        context.truncate(B, 0);
        assert!(decode(&mut context, A, 0, &other) != expected);
        // A cell at a negative position is never freed.
        let mut context = self::context(KvType::F16);
        let mut bytes = sound;
        put(&mut bytes, 16, -5_i32 as u32);
        let mut again = || {
            let read = set_unchecked(&mut context, B, &bytes);
            context.truncate(B, 0);
            read == bytes.len()
        };
        assert!(again(), "llama.cpp trusts it");
        assert!((0..CELLS).any(|_| !again()), "the cells run out");
    }
}
