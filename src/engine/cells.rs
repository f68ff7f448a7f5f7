//! Which sequence holds which tokens in the KV cache: our own bookkeeping, because llama.cpp's
//! cannot be read.
//!
//! Pure: `kv_cache` changes llama.cpp's memory and this table together. A cell holds the key and
//! value of one token at one position. Sequences with a common prefix share its cells, so the
//! number of free cells does not follow from the lengths. Cells are counted here, not located: a
//! unified cache uses any free one.

use super::protocol::AdapterSetId;
use crate::types::answer::Token;

/// A sequence's index in the table; llama.cpp's number for it is
/// [`LlamaSequence`](super::llama::LlamaSequence).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SequenceId(pub(crate) usize);

/// The cells of one KV cache and the sequences that use them.
#[derive(Debug)]
pub(crate) struct CellTable {
    /// How many sequences use each cell.
    users: Vec<u16>,
    free: Vec<u32>,
    /// By sequence; `None` where the sequence is not open.
    held: Vec<Option<Held>>,
}

#[derive(Debug, Default)]
struct Held {
    tokens: Vec<Token>,
    cells: Vec<u32>,
    /// The adapter set the keys and values were computed with.
    adapter_set: AdapterSetId,
}

impl CellTable {
    /// Makes the table of a cache with `cells` cells, all free, and room for `sequences` sequences.
    pub(crate) fn new(cells: u32, sequences: usize) -> CellTable {
        let held = (0..sequences).map(|_| None).collect();
        CellTable { users: vec![0; cells as usize], free: (0..cells).rev().collect(), held }
    }

    pub(crate) fn total(&self) -> usize {
        self.users.len()
    }

    pub(crate) fn free(&self) -> usize {
        self.free.len()
    }

    /// Opens an unused sequence, empty, for keys and values computed with `adapter_set`.
    pub(crate) fn open(&mut self, adapter_set: AdapterSetId) -> Option<SequenceId> {
        let index = self.held.iter().position(Option::is_none)?;
        self.held[index] = Some(Held { adapter_set, ..Held::default() });
        Some(SequenceId(index))
    }

    /// Iterates over the open sequences.
    pub(crate) fn sequences(&self) -> impl Iterator<Item = SequenceId> {
        let open = |(index, held): (usize, &Option<Held>)| held.as_ref().map(|_| SequenceId(index));
        self.held.iter().enumerate().filter_map(open)
    }

    /// Returns the tokens a sequence holds, one per cell; none if the sequence is not open.
    pub(crate) fn tokens(&self, sequence: SequenceId) -> &[Token] {
        self.held[sequence.0].as_ref().map_or(&[], |held| held.tokens.as_slice())
    }

    /// Returns the number of cells used by these sequences and no others, which closing all of them
    /// would free. No sequence may be listed twice.
    pub(crate) fn exclusive_cells(&self, sequences: &[SequenceId]) -> usize {
        let mut uses = vec![0; self.users.len()];
        for held in sequences.iter().filter_map(|&sequence| self.held[sequence.0].as_ref()) {
            held.cells.iter().for_each(|&cell| uses[cell as usize] += 1);
        }
        self.users.iter().zip(uses).filter(|&(&users, uses)| uses > 0 && users == uses).count()
    }

    /// Appends tokens to a sequence, each in a free cell; returns whether there were enough.
    #[must_use]
    pub(crate) fn append(&mut self, sequence: SequenceId, tokens: &[Token]) -> bool {
        let Some(held) = &mut self.held[sequence.0] else { return false };
        if tokens.len() > self.free.len() {
            return false;
        }
        let taken = self.free.split_off(self.free.len() - tokens.len());
        taken.iter().for_each(|&cell| self.users[cell as usize] = 1);
        held.tokens.extend_from_slice(tokens);
        held.cells.extend(taken);
        true
    }

    /// Shares the first `tokens` cells of one sequence with another, which must be empty.
    pub(crate) fn share(&mut self, from: SequenceId, to: SequenceId, tokens: usize) {
        let Some(source) = &self.held[from.0] else { return };
        let tokens = tokens.min(source.tokens.len());
        let copy = Held {
            tokens: source.tokens[..tokens].into(),
            cells: source.cells[..tokens].into(),
            adapter_set: source.adapter_set,
        };
        debug_assert!(self.tokens(to).is_empty(), "only an empty sequence can be given cells");
        copy.cells.iter().for_each(|&cell| self.users[cell as usize] += 1);
        self.held[to.0] = Some(copy);
    }

    /// Frees all cells of a sequence except the first `tokens`.
    pub(crate) fn truncate(&mut self, sequence: SequenceId, tokens: usize) {
        let Some(held) = &mut self.held[sequence.0] else { return };
        let end = tokens.min(held.cells.len());
        held.tokens.truncate(end);
        for cell in held.cells.drain(end..) {
            let users = &mut self.users[cell as usize];
            *users -= 1;
            if *users == 0 {
                self.free.push(cell);
            }
        }
    }

    /// Closes a sequence and frees all its cells.
    pub(crate) fn close(&mut self, sequence: SequenceId) {
        self.truncate(sequence, 0);
        self.held[sequence.0] = None;
    }

    /// Returns the adapter set of a sequence's keys and values, if the sequence is open.
    pub(crate) fn adapter_set(&self, sequence: SequenceId) -> Option<AdapterSetId> {
        self.held[sequence.0].as_ref().map(|held| held.adapter_set)
    }

    /// Returns the sequence of `adapter_set` that shares the longest prefix with `tokens`, and the
    /// length of that prefix.
    pub(crate) fn nearest(
        &self,
        tokens: &[Token],
        adapter_set: AdapterSetId,
    ) -> Option<(SequenceId, usize)> {
        let same_set = self.sequences().filter(|&held| self.adapter_set(held) == Some(adapter_set));
        let shared = same_set.map(|held| (held, common_prefix(self.tokens(held), tokens)));
        // The first of equals, so that the choice is deterministic.
        let longest = shared.min_by_key(|&(held, length)| (std::cmp::Reverse(length), held));
        longest.filter(|&(_, length)| length > 0)
    }
}

/// Returns the length of the longest common prefix of two token lists.
pub(crate) fn common_prefix(a: &[Token], b: &[Token]) -> usize {
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::{Rng, SeedableRng};

    const NO_ADAPTER: AdapterSetId = AdapterSetId::NONE;

    #[test]
    fn shared_cells_are_counted_once_and_freed_with_their_last_user() {
        let mut cells = CellTable::new(10, 60);
        let (a, b) = (cells.open(NO_ADAPTER).unwrap(), cells.open(NO_ADAPTER).unwrap());
        assert!(cells.append(a, &Token::all([1, 2, 3, 4])));
        cells.share(a, b, 3);
        assert!(cells.append(b, &Token::all([9, 9])));
        assert_eq!(
            (cells.free(), cells.exclusive_cells(&[a]), cells.exclusive_cells(&[b])),
            (4, 1, 2)
        );
        assert_eq!([&[a][..], &[a, b]].map(|some| cells.exclusive_cells(some)), [1, 6]);
        assert_eq!(cells.tokens(b), Token::all([1, 2, 3, 9, 9]));
        cells.close(a);
        assert_eq!((cells.free(), cells.exclusive_cells(&[b])), (5, 5));
        cells.truncate(b, 2);
        assert_eq!((cells.free(), cells.tokens(b)), (8, &Token::all([1, 2])[..]));
        cells.close(b);
        assert_eq!((cells.free(), cells.sequences().count()), (10, 0));
    }

    #[test]
    fn tokens_that_do_not_fit_change_nothing() {
        let mut cells = CellTable::new(3, 60);
        let a = cells.open(NO_ADAPTER).unwrap();
        assert!(cells.append(a, &Token::all([1, 2])));
        assert!(!cells.append(a, &Token::all([3, 4])));
        assert_eq!((cells.tokens(a), cells.free()), (&Token::all([1, 2])[..], 1));
    }

    #[test]
    fn the_nearest_sequence_shares_the_longest_prefix() {
        let mut cells = CellTable::new(20, 60);
        for tokens in [&[1, 2, 3][..], &[1, 2, 4, 5], &[1, 2, 4, 5]] {
            let tokens: Vec<Token> = tokens.iter().copied().map(Token).collect();
            let sequence = cells.open(NO_ADAPTER).unwrap();
            assert!(cells.append(sequence, &tokens));
        }
        assert_eq!(cells.nearest(&Token::all([1, 2, 4, 6]), NO_ADAPTER), Some((SequenceId(1), 3)));
        assert_eq!(cells.nearest(&Token::all([7]), NO_ADAPTER), None);
        let other = cells.nearest(&Token::all([1, 2, 4, 6]), AdapterSetId(1));
        assert_eq!(other, None, "computed with other adapters");
    }

    #[test]
    fn no_cell_is_lost_or_counted_twice_after_any_operations() {
        let mut random = ChaCha8Rng::seed_from_u64(11);
        let mut cells = CellTable::new(200, 60);
        for _ in 0..5_000 {
            let mut below = |n: usize| random.next_u32() as usize % n.max(1);
            let open: Vec<SequenceId> = cells.sequences().collect();
            let some = open.get(below(open.len())).copied();
            match (below(5), some) {
                (0, _) => drop(cells.open(NO_ADAPTER).filter(|_| open.len() < 40)),
                (1, Some(sequence)) => {
                    let tokens = vec![Token(7); below(30)];
                    let fits = cells.free() >= tokens.len();
                    assert_eq!(cells.append(sequence, &tokens), fits);
                }
                (2, Some(sequence)) => cells.truncate(sequence, below(40)),
                (3, Some(sequence)) => cells.close(sequence),
                (4, Some(from)) => {
                    if let Some(to) = cells.open(NO_ADAPTER) {
                        cells.share(from, to, below(40));
                    }
                }
                _ => {}
            }
            let mut used: Vec<u32> =
                cells.held.iter().flatten().flat_map(|held| held.cells.clone()).collect();
            used.sort_unstable();
            used.dedup();
            assert_eq!(used.len() + cells.free(), cells.total());
            assert!(cells.held.iter().flatten().all(|held| held.cells.len() == held.tokens.len()));
        }
    }
}
