//! Copies tensors from a checkpoint into a new file, one chunk at a time.
//!
//! Regardless of a tensor's size, memory holds one chunk and its conversion. Values that are not
//! finite are rejected, intentionally unlike in llama.cpp's converter: a single one can make a
//! model useless.

use super::data::{self, Float};
use super::fault::{CheckpointFault, damaged, shown};
use super::names::RowOrder;
use super::shards::{Shard, Stored};
use crate::model::newfile::NewFile;
use crate::model::write;
use crate::types::error::Error;
use crate::types::limits;

/// The origin of a tensor's data.
#[derive(Clone, Debug)]
pub(super) enum TensorSource {
    /// Copied from a file of the checkpoint.
    Stored(TensorCopy),
    /// Computed by the program; the bytes to write.
    Computed(Vec<u8>),
}

/// A tensor to copy, with its conversion.
#[derive(Clone, Debug)]
pub(super) struct TensorCopy {
    pub stored: Stored,
    pub from: Float,
    pub to: Float,
    pub rows: RowOrder,
}

/// The two chunk buffers, reused from tensor to tensor.
#[derive(Debug, Default)]
pub(super) struct Chunks {
    read: Vec<u8>,
    converted: Vec<u8>,
}

impl Chunks {
    /// Writes one tensor with its padding; calls `written` with the bytes of each chunk.
    pub(super) fn write(
        &mut self,
        source: &TensorSource,
        shards: &[Shard],
        out: &mut NewFile,
        written: &mut dyn FnMut(u64),
    ) -> Result<(), Error> {
        let bytes = match source {
            TensorSource::Computed(bytes) => {
                out.write(bytes)?;
                bytes.len() as u64
            }
            TensorSource::Stored(copy) => {
                self.copy(copy, &shards[copy.stored.shard], out, written)?;
                copy.stored.bytes / copy.from.bytes() * copy.to.bytes()
            }
        };
        out.write(write::padding(bytes))?;
        written(write::padding(bytes).len() as u64);
        if matches!(source, TensorSource::Computed(_)) {
            written(bytes);
        }
        Ok(())
    }

    fn copy(
        &mut self,
        copy: &TensorCopy,
        shard: &Shard,
        out: &mut NewFile,
        written: &mut dyn FnMut(u64),
    ) -> Result<(), Error> {
        let stored = &copy.stored;
        // Each element of a vector is a row.
        let rows = stored.shape.first().copied().unwrap_or(1).max(1);
        let row_bytes = stored.bytes / rows;
        let at_once = (limits::CONVERT_CHUNK_BYTES as u64 / row_bytes.max(1)).max(1);
        let mut row = 0;
        while row < rows {
            let count = at_once.min(rows - row);
            self.read.resize((count * row_bytes) as usize, 0);
            match copy.rows {
                RowOrder::AsStored => shard.read(stored.start + row * row_bytes, &mut self.read)?,
                RowOrder::Interleaved { head } => {
                    let places = self.read.chunks_exact_mut(row_bytes as usize);
                    for (place, row) in places.zip(row..) {
                        let from = interleaved(row, head);
                        shard.read(stored.start + from * row_bytes, place)?;
                    }
                }
            }
            self.converted.clear();
            data::convert(&self.read, copy.from, &mut self.converted, copy.to);
            if !data::is_finite(&self.converted, copy.to) {
                return Err(not_finite(copy, &self.read).of(&shard.path));
            }
            out.write(&self.converted)?;
            written(self.converted.len() as u64);
            row += count;
        }
        Ok(())
    }
}

/// Returns the fault for a chunk with a value that is not finite after conversion.
fn not_finite(copy: &TensorCopy, chunk: &[u8]) -> CheckpointFault {
    let (name, to) = (shown(&copy.stored.name), copy.to.name());
    if !data::is_finite(chunk, copy.from) {
        return damaged(format!("tensor {name} has values that are not finite"));
    }
    let remedy = match copy.to {
        Float::F16 => "Use --type bf16, which can represent them.",
        Float::F32 | Float::Bf16 => "Use --type f32, which can represent them.",
    };
    CheckpointFault { cause: format!("tensor {name} has values too large for {to}"), remedy }
}

/// Returns the stored row that is written as row `row`: rows of a head's two halves alternate.
fn interleaved(row: u64, head: u64) -> u64 {
    let (first, within) = (row / head * head, row % head);
    first + within % 2 * (head / 2) + within / 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_of_a_head_are_written_in_turn() {
        let order: Vec<u64> = (0..12).map(|row| interleaved(row, 6)).collect();
        assert_eq!(order, [0, 3, 1, 4, 2, 5, 6, 9, 7, 10, 8, 11]);
    }
}
