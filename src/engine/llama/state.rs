//! A sequence's cells as bytes, and back: what a prefilled prompt is kept as.
//!
//! The bytes are llama.cpp's own (`state_write` in llama-kv-cache.cpp of llama-cpp-sys-2 0.1.161).
//! Its reader stays inside them, but believes what they say: a cell at position -1 can never be
//! given back again, and keys that are not numbers spoil, even from a cell given back, the prompts
//! other sequences read beside it (the tiled attention adds the mask to products it has computed).
//! So all of them are walked through here first, by the layout every architecture known exactly
//! has. What `prefix_store` puts around them says whose they are; nothing here knows of files.

use llama_cpp_sys_2 as sys;

use super::{Context, SequenceId, complaint, forget_complaints};
use crate::types::error::Error;
use crate::types::limits;

/// What the bytes of a sequence start with (`io_magic` in llama-context.cpp).
const MAGIC: u32 = 0xAF14_3CD8;

impl Context<'_> {
    /// Returns the cells of `sequence`, which must hold the positions from 0 on without a gap.
    ///
    /// # Errors
    /// `internal` where it holds others or none, where they take more than `PREFIX_BYTES_MAX`, and
    /// where the architecture keeps more than keys and values, or values that are not numbers.
    pub fn save_sequence(&self, sequence: SequenceId) -> Result<Vec<u8>, Error> {
        let fault = |cause: &str| Error::internal(format!("cannot save the cells: {cause}"));
        let context = self.context.as_ptr();
        // SAFETY: the context is alive; llama.cpp only counts.
        let size = unsafe { sys::llama_state_seq_get_size_ext(context, sequence, 0) };
        if size as u64 > limits::PREFIX_BYTES_MAX {
            return Err(fault(&format!("they take {size} bytes")));
        }
        let mut bytes = vec![0; size];
        // SAFETY: llama.cpp writes at most `size` bytes, which is what there is.
        let written = unsafe {
            sys::llama_state_seq_get_data_ext(context, bytes.as_mut_ptr(), size, sequence, 0)
        };
        if written != size {
            return Err(fault("llama.cpp wrote less than it had counted"));
        }
        let (bytes, tokens) = nameless(&bytes).ok_or_else(|| fault("the layout is another one"))?;
        check(&bytes, tokens).map_err(fault)?;
        Ok(bytes)
    }

    /// Gives `sequence` the cells of [`Context::save_sequence`], which must hold exactly the
    /// positions 0 to `tokens`; what it held before is given back first. Other sequences keep
    /// theirs. There are no logits until another token is decoded.
    ///
    /// # Errors
    /// `internal` where the bytes are not what this context would have saved, or too few cells are
    /// free; the sequence is empty then.
    pub fn restore_sequence(
        &mut self,
        sequence: SequenceId,
        bytes: &[u8],
        tokens: u32,
    ) -> Result<(), Error> {
        let restored = check(bytes, tokens).map_err(str::to_string).and_then(|()| {
            forget_complaints();
            let context = self.context.as_ptr();
            // SAFETY: llama.cpp reads no byte beyond these, which live for the call, and catches
            // what it throws. It asserts nothing of them that `check` has not looked at.
            let read = unsafe {
                sys::llama_state_seq_set_data_ext(context, bytes.as_ptr(), bytes.len(), sequence, 0)
            };
            if read == bytes.len() { Ok(()) } else { Err(complaint()) }
        });
        // SAFETY: the context is alive.
        let memory = unsafe { sys::llama_get_memory(self.context.as_ptr()) };
        // SAFETY: as above.
        let ends = unsafe {
            let first = sys::llama_memory_seq_pos_min(memory, sequence);
            (first, sys::llama_memory_seq_pos_max(memory, sequence))
        };
        let restored = restored.and_then(|()| match ends {
            (0, last) if last + 1 == tokens as i32 => Ok(()),
            (first, last) => Err(format!("positions {first} to {last} came of it")),
        });
        if restored.is_err() {
            // SAFETY: as above; -1 stands for open ends.
            unsafe { sys::llama_memory_seq_rm(memory, sequence, -1, -1) };
        }
        restored.map_err(|cause| Error::internal(format!("cannot restore the cells: {cause}")))
    }
}

/// Rewrites what llama.cpp saved of any sequence as that of sequence 0, and returns how many cells
/// it is; `None` where the layout is another one.
///
/// llama.cpp writes the number of each cell's sequences, which is one, and that one; but of a
/// sequence beyond `n_seq_max` it writes that there are none, and could not read it again.
fn nameless(saved: &[u8]) -> Option<(Vec<u8>, u32)> {
    let mut walk = Walk(saved);
    let (magic, _sequence, streams) = (walk.u32()?, walk.u32()?, walk.u32()?);
    let cells = walk.u32()?;
    let mut bytes = Vec::with_capacity(saved.len() + saved.len().min(4 * cells as usize));
    let mut put = |numbers: &[u32]| {
        numbers.iter().for_each(|number| bytes.extend(number.to_le_bytes()));
    };
    put(&[magic, 0, streams, cells]);
    for _ in 0..cells {
        put(&[walk.u32()?, 1, 0]);
        for _ in 0..walk.u32()? {
            walk.u32()?;
        }
    }
    bytes.extend(walk.0);
    Some((bytes, cells))
}

/// Checks that these are `tokens` cells of one sequence, one for each position from 0 on, with the
/// finite keys and values of a cache that keeps nothing else. Whether they suit the model, in
/// layers and widths, llama.cpp compares itself.
///
/// # Errors
/// What is wrong.
fn check(bytes: &[u8], tokens: u32) -> Result<(), &'static str> {
    let mut walk = Walk(bytes);
    let mut next = || walk.u32().ok_or("they end too early");
    if (next()?, next()?, next()?) != (MAGIC, 0, 1) {
        return Err("they are not a sequence's");
    }
    // Each cell takes 12 bytes, so the list of them is smaller than what is there.
    if next()? != tokens || tokens == 0 || bytes.len() / 12 < tokens as usize {
        return Err("they are not as many as the tokens");
    }
    let mut seen = vec![false; tokens as usize];
    for _ in 0..tokens {
        let position = next()?;
        let place = seen.get_mut(position as usize).filter(|seen| !**seen);
        *place.ok_or("a position is missing")? = true;
        if (next()?, next()?) != (1, 0) {
            return Err("a cell is not one sequence's alone");
        }
    }
    let (transposed, layers, _key_rotation, _value_rotation) = (next()?, next()?, next()?, next()?);
    if transposed != 0 {
        return Err("the values are transposed");
    }
    // All keys, then all values. Each takes 12 bytes at least, so no count can keep this going.
    for _ in 0..2 * u64::from(layers) {
        rows(&mut walk, tokens)?;
    }
    if walk.0.is_empty() { Ok(()) } else { Err("they go on after the last value") }
}

/// Checks the keys, or the values, of one layer.
fn rows(walk: &mut Walk, tokens: u32) -> Result<(), &'static str> {
    let (kind, row) = (walk.u32(), walk.u64());
    let size = row.and_then(|row| row.checked_mul(tokens.into())?.try_into().ok());
    let values = size.and_then(|size| walk.take(size)).ok_or("they end too early")?;
    let is_finite = |half: &[u8]| half[1] & 0x7C != 0x7C;
    let finite = match kind {
        Some(sys::GGML_TYPE_F16) => values.chunks_exact(2).all(is_finite),
        // Blocks of a scale and 32 whole numbers.
        Some(sys::GGML_TYPE_Q8_0) => values.chunks_exact(34).all(is_finite),
        _ => return Err("they are of an unknown type"),
    };
    if finite { Ok(()) } else { Err("they hold what is no number") }
}

/// Reads bytes from the front; little-endian, as all processors of the kernel sets are.
struct Walk<'b>(&'b [u8]);

impl<'b> Walk<'b> {
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
    use crate::engine::Token;
    use crate::engine::llama::Batch;
    use crate::engine::llama::tests::{BACKEND, MODEL, plan};
    use crate::types::plan::{KvType, Plan};

    /// Cells of the tests' contexts.
    const CELLS: u32 = 256;

    /// Makes a context of 3 sequences on the demo model.
    pub fn context(kv: KvType) -> Context<'static> {
        let of_demo = plan("demo".as_ref());
        let plan = Plan { context_tokens: CELLS, sequences: 3, kv, ..of_demo };
        Context::new(&BACKEND, &MODEL, &plan).unwrap()
    }

    /// Decodes `tokens` of `sequence` from `position` on and returns the logits after the last.
    pub fn decode(
        context: &mut Context<'_>,
        sequence: SequenceId,
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

    /// Returns some tokens; which they are is of no importance.
    pub fn some_tokens(count: usize, seed: usize) -> Vec<Token> {
        (0..count).map(|i| ((i * i * 7 + i * 13 + seed * 101) % 300) as Token).collect()
    }

    /// What llama.cpp itself does with bytes; returns those it read.
    fn set_unchecked(context: &mut Context<'_>, sequence: SequenceId, bytes: &[u8]) -> usize {
        let (at, size) = (bytes.as_ptr(), bytes.len());
        // SAFETY: it reads no byte beyond these.
        unsafe {
            sys::llama_state_seq_set_data_ext(context.context.as_ptr(), at, size, sequence, 0)
        }
    }

    fn is_empty(context: &Context<'_>, sequence: SequenceId) -> bool {
        // SAFETY: the context is alive.
        unsafe {
            let memory = sys::llama_get_memory(context.context.as_ptr());
            sys::llama_memory_seq_pos_max(memory, sequence) == -1
        }
    }

    fn put(bytes: &mut [u8], at: usize, number: u32) {
        bytes[at..at + 4].copy_from_slice(&number.to_le_bytes());
    }

    #[test]
    fn a_restored_sequence_goes_on_as_the_prefilled_one_and_the_others_keep_theirs() {
        let (prefix, next) = (some_tokens(50, 1), some_tokens(3, 2));
        for kv in [KvType::F16, KvType::Q8_0] {
            let mut context = context(kv);
            decode(&mut context, 0, 0, &some_tokens(20, 3));
            decode(&mut context, 1, 0, &prefix);
            let bytes = context.save_sequence(1).unwrap();
            let expected = decode(&mut context, 1, prefix.len(), &next);
            let of_the_other = decode(&mut context, 0, 20, &next);
            context.truncate(0, 20);
            context.truncate(1, 0);
            // A sequence that holds something, beside one that holds the cells it had.
            decode(&mut context, 2, 0, &some_tokens(60, 4));
            for sequence in [2, 1] {
                context.restore_sequence(sequence, &bytes, prefix.len() as u32).unwrap();
                let logits = decode(&mut context, sequence, prefix.len(), &next);
                assert!(logits == expected, "sequence {sequence}, {kv:?}");
            }
            assert!(decode(&mut context, 0, 20, &next) == of_the_other);
        }
    }

    #[test]
    fn what_is_saved_does_not_tell_whose_it_was_or_where_it_lay() {
        let prefix = some_tokens(40, 1);
        let saved = |sequence: SequenceId, before: usize| {
            let mut context = context(KvType::F16);
            if before > 0 {
                decode(&mut context, 2, 0, &some_tokens(before, 3));
            }
            decode(&mut context, 1, 0, &prefix);
            if sequence != 1 {
                context.share(1, sequence, prefix.len());
            }
            context.save_sequence(sequence).unwrap()
        };
        let bytes = saved(1, 0);
        // Of one beyond `n_seq_max` llama.cpp writes a layout that it does not read.
        for (sequence, before) in [(0, 0), (1, 30), (200, 5)] {
            assert!(saved(sequence, before) == bytes, "sequence {sequence} after {before}");
        }
    }

    #[test]
    fn cells_that_lie_in_another_order_are_restored_in_that_order() {
        let prefix = some_tokens(80, 1);
        let mut context = context(KvType::F16);
        decode(&mut context, 0, 0, &some_tokens(50, 3));
        decode(&mut context, 2, 0, &some_tokens(30, 4));
        decode(&mut context, 1, 0, &prefix[..40]);
        context.truncate(0, 0);
        decode(&mut context, 1, 40, &prefix[40..]);
        let bytes = context.save_sequence(1).unwrap();
        assert_ne!(bytes[16..20], 0_u32.to_le_bytes(), "the first cell is not the first token's");
        context.restore_sequence(0, &bytes, 80).unwrap();
        assert!(context.save_sequence(0).unwrap() == bytes);
    }

    #[test]
    fn where_too_few_cells_are_free_it_is_refused_and_the_others_keep_theirs() {
        let (prefix, next) = (some_tokens(100, 1), some_tokens(2, 2));
        let mut context = context(KvType::F16);
        decode(&mut context, 1, 0, &prefix);
        let bytes = context.save_sequence(1).unwrap();
        context.truncate(1, 0);
        decode(&mut context, 0, 0, &some_tokens(100, 3));
        decode(&mut context, 2, 0, &some_tokens(100, 3));
        let expected = decode(&mut context, 0, 100, &next);
        context.truncate(0, 100);
        let error = context.restore_sequence(1, &bytes, 100).unwrap_err();
        assert!(error.message.contains("cells"), "{error}");
        assert!(is_empty(&context, 1));
        assert!(decode(&mut context, 0, 100, &next) == expected);
        context.truncate(2, 0);
        context.restore_sequence(1, &bytes, 100).unwrap();
    }

    #[test]
    fn a_sequence_that_does_not_begin_at_its_beginning_or_is_empty_is_not_saved() {
        let mut context = context(KvType::F16);
        assert!(context.save_sequence(1).is_err());
        decode(&mut context, 1, 5, &some_tokens(10, 1));
        assert!(context.save_sequence(1).is_err());
    }

    #[test]
    fn bytes_llama_cpp_would_believe_are_refused() {
        let tokens = some_tokens(60, 1);
        let mut context = context(KvType::F16);
        decode(&mut context, 0, 0, &tokens);
        let sound = context.save_sequence(0).unwrap();
        context.truncate(0, 0);
        let of_q8_0 = {
            let mut other = self::context(KvType::Q8_0);
            decode(&mut other, 0, 0, &tokens);
            other.save_sequence(0).unwrap()
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
            ("another magic", with(0, 1)),
            ("two streams", with(8, 2)),
            ("one cell less", with(12, 59)),
            ("far too many cells", with(12, u32::MAX)),
            ("no position", with(first, u32::MAX)),
            ("a negative position", with(first, -5_i32 as u32)),
            ("a position too far", with(first, 60)),
            ("a position twice", with(first, 1)),
            ("no sequence", with(first + 4, 0)),
            ("a layer less", with(layers, 3)),
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
            decode(&mut context, 1, 0, &tokens[..5]);
            assert!(context.restore_sequence(1, &bytes, 60).is_err(), "{name}");
            assert!(is_empty(&context, 1), "{name}");
        }
        assert!(context.restore_sequence(1, &sound, 59).is_err());
        // No cell was lost: the whole context is free.
        for sequence in 0..4 {
            context.restore_sequence(sequence, &sound, 60).unwrap();
        }
    }

    #[test]
    fn the_dangers_are_real() {
        let (prefix, beside) = (some_tokens(100, 1), some_tokens(70, 2));
        let mut context = context(KvType::F16);
        decode(&mut context, 0, 0, &prefix);
        let sound = context.save_sequence(0).unwrap();
        context.truncate(0, 0);
        let expected = decode(&mut context, 0, 0, &beside);
        context.truncate(0, 0);
        // Keys that are not numbers spoil a prompt beside them though their cells are free again.
        let (mut bytes, keys, row) = (sound.clone(), 16 + 12 * 100 + 16 + 12, 256);
        bytes[keys..keys + 100 * row].fill(0xFF);
        assert_eq!(set_unchecked(&mut context, 1, &bytes), bytes.len());
        context.truncate(1, 0);
        assert!(decode(&mut context, 0, 0, &beside) != expected);
        // A cell at a position before the first is never given back.
        let mut context = self::context(KvType::F16);
        let mut bytes = sound;
        put(&mut bytes, 16, -5_i32 as u32);
        let mut again = || {
            let read = set_unchecked(&mut context, 1, &bytes);
            context.truncate(1, 0);
            read == bytes.len()
        };
        assert!(again(), "it is believed");
        assert!((0..CELLS).any(|_| !again()), "the cells run out");
    }
}
