//! The memory use of a plan, item by item, and the available memory with what limits it.
//!
//! `model/memory.rs` computes the first, `model/available.rs` the second. Plain data.

use std::fmt;

/// One mebibyte, in bytes.
pub const MIB: u64 = 1 << 20;

/// The memory use of one process, in bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// Weights as stored in the file, by tensor type, largest first.
    pub weights: Vec<(&'static str, u64)>,
    /// Second copy of a tied output head, repacked for the kernels.
    pub repacked_head_bytes: u64,
    /// Weights of all adapters.
    pub adapter_bytes: u64,
    /// Keys and values of the KV cache.
    pub kv_bytes: u64,
    /// Activations of one pass, and the threads' work buffers.
    pub compute_bytes: u64,
    /// One row of logits per sequence, and the sampler's buffers.
    pub logits_bytes: u64,
    /// Tables of the vocabulary.
    pub vocabulary_bytes: u64,
    /// The program itself: its code, graphs, threads and buffers.
    pub program_bytes: u64,
    /// Peak before the KV cache is allocated, while weights are read and repacked.
    pub loading_bytes: u64,
}

impl Memory {
    /// Returns the size of all weights, including a repacked head and the adapters.
    pub fn weights_bytes(&self) -> u64 {
        let file: u64 = self.weights.iter().map(|(_, bytes)| bytes).sum();
        file + self.repacked_head_bytes + self.adapter_bytes
    }

    /// Returns the size of everything except the weights and the KV cache.
    pub fn buffers_bytes(&self) -> u64 {
        self.compute_bytes + self.logits_bytes + self.vocabulary_bytes + self.program_bytes
    }

    /// Returns the memory in use while questions are answered.
    pub fn running_bytes(&self) -> u64 {
        self.weights_bytes() + self.kv_bytes + self.buffers_bytes()
    }

    /// Returns the peak: while loading or while running.
    pub fn total_bytes(&self) -> u64 {
        self.running_bytes().max(self.loading_bytes)
    }
}

/// What limits the available memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Bound {
    /// No limit is known: every plan is accepted.
    Unknown,
    /// The memory the system reports as available without swapping.
    System,
    /// The limit of a control group, with the name of its folder.
    Group(String),
    /// The limit of this process's address space (`ulimit -v`).
    AddressSpace,
    /// A board's memory less the reserve for its system, as given by flags.
    Given {
        /// Total memory in bytes.
        ram_bytes: u64,
        /// Reserve for the system, in bytes.
        reserve_bytes: u64,
    },
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Bound::Unknown => f.write_str("no limit is known"),
            Bound::System => f.write_str("available now"),
            Bound::Group(name) => write!(f, "the limit of control group '{name}'"),
            Bound::AddressSpace => f.write_str("the limit of the address space, ulimit -v"),
            Bound::Given { ram_bytes, reserve_bytes } => {
                let (ram, reserve) = (ram_bytes / MIB, reserve_bytes / MIB);
                write!(f, "{ram} MiB of memory less {reserve} for the system")
            }
        }
    }
}

/// The memory available to a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Room {
    /// Available memory in bytes.
    pub bytes: u64,
    /// What limits the available memory.
    pub bound: Bound,
}

impl Room {
    /// Returns unlimited room, for systems that report nothing.
    pub fn unknown() -> Room {
        Room { bytes: u64::MAX, bound: Bound::Unknown }
    }

    /// Returns a board's memory less the reserve for its system.
    pub fn given(ram_bytes: u64, reserve_bytes: u64) -> Room {
        let bytes = ram_bytes.saturating_sub(reserve_bytes);
        Room { bytes, bound: Bound::Given { ram_bytes, reserve_bytes } }
    }

    /// Returns the smaller of two rooms.
    pub fn least(self, other: Room) -> Room {
        if other.bytes < self.bytes { other } else { self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_peak_is_the_larger_of_loading_and_running() {
        let mut memory = Memory {
            weights: vec![("Q4_0", 100), ("F32", 1)],
            repacked_head_bytes: 20,
            adapter_bytes: 3,
            kv_bytes: 50,
            compute_bytes: 7,
            logits_bytes: 5,
            vocabulary_bytes: 11,
            program_bytes: 2,
            loading_bytes: 190,
        };
        assert_eq!((memory.weights_bytes(), memory.buffers_bytes()), (124, 25));
        assert_eq!((memory.running_bytes(), memory.total_bytes()), (199, 199));
        memory.loading_bytes = 300;
        assert_eq!(memory.total_bytes(), 300);
    }

    #[test]
    fn a_board_smaller_than_the_reserve_has_no_room() {
        assert_eq!(Room::given(100, 700).bytes, 0);
        let room = Room::given(4096 * MIB, 700 * MIB);
        assert_eq!(room.bytes, 3396 * MIB);
        assert_eq!(room.bound.to_string(), "4096 MiB of memory less 700 for the system");
    }
}
