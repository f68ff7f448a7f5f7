//! Which sequence holds which tokens in the KV cache: the books beside llama.cpp, which keeps none
//! that can be read.
//!
//! Pure: `kv_cache` changes llama.cpp's memory and these books together. A cell holds the key and
//! value of one token at one place; sequences with a common beginning share its cells, so what is
//! free is not what the lengths suggest. Cells are counted here, not placed: a unified cache takes
//! any free one.

use super::Token;
use super::adapter_sets::AdapterSetId;

/// Names one sequence of the books.
pub type Sequence = usize;

/// The books of one KV cache.
#[derive(Debug)]
pub struct CellTable {
    /// How many sequences use each cell.
    users: Vec<u16>,
    free: Vec<u32>,
    /// By sequence.
    held: Vec<Option<Held>>,
}

#[derive(Debug, Default)]
struct Held {
    tokens: Vec<Token>,
    cells: Vec<u32>,
    /// The adapters its keys and values were computed with.
    adapter_set: AdapterSetId,
}

impl CellTable {
    /// Opens the books of a cache of so many cells, all of them free, for so many sequences.
    pub fn new(cells: u32, sequences: usize) -> CellTable {
        let held = (0..sequences).map(|_| None).collect();
        CellTable { users: vec![0; cells as usize], free: (0..cells).rev().collect(), held }
    }

    /// Returns how many cells there are.
    pub fn total(&self) -> usize {
        self.users.len()
    }

    /// Returns how many cells no sequence uses.
    pub fn free(&self) -> usize {
        self.free.len()
    }

    /// Takes a sequence nobody has, for keys and values of one adapter set; it holds nothing yet.
    pub fn open(&mut self, adapter_set: AdapterSetId) -> Option<Sequence> {
        let at = self.held.iter().position(Option::is_none)?;
        self.held[at] = Some(Held { adapter_set, ..Held::default() });
        Some(at)
    }

    /// Iterates over the sequences that are open.
    pub fn sequences(&self) -> impl Iterator<Item = Sequence> {
        let open = |(at, held): (usize, &Option<Held>)| held.as_ref().map(|_| at);
        self.held.iter().enumerate().filter_map(open)
    }

    /// Returns the tokens a sequence holds, one a cell; none where it is not open.
    pub fn tokens(&self, sequence: Sequence) -> &[Token] {
        self.held[sequence].as_ref().map_or(&[], |held| held.tokens.as_slice())
    }

    /// Returns how many cells only these sequences use: closing all of them frees so many. Each may
    /// be named once.
    pub fn exclusive_cells(&self, sequences: &[Sequence]) -> usize {
        let mut uses = vec![0; self.users.len()];
        for held in sequences.iter().filter_map(|&sequence| self.held[sequence].as_ref()) {
            held.cells.iter().for_each(|&cell| uses[cell as usize] += 1);
        }
        self.users.iter().zip(uses).filter(|&(&users, uses)| uses > 0 && users == uses).count()
    }

    /// Adds tokens at a sequence's end, each in a free cell; returns whether there were enough.
    #[must_use]
    pub fn append(&mut self, sequence: Sequence, tokens: &[Token]) -> bool {
        let Some(held) = &mut self.held[sequence] else { return false };
        if tokens.len() > self.free.len() {
            return false;
        }
        let taken = self.free.split_off(self.free.len() - tokens.len());
        taken.iter().for_each(|&cell| self.users[cell as usize] = 1);
        held.tokens.extend_from_slice(tokens);
        held.cells.extend(taken);
        true
    }

    /// Gives the first `tokens` cells of one sequence to another, which is empty.
    pub fn share(&mut self, from: Sequence, to: Sequence, tokens: usize) {
        let Some(source) = &self.held[from] else { return };
        let tokens = tokens.min(source.tokens.len());
        let copy = Held {
            tokens: source.tokens[..tokens].into(),
            cells: source.cells[..tokens].into(),
            adapter_set: source.adapter_set,
        };
        debug_assert!(self.tokens(to).is_empty(), "only an empty sequence can be given cells");
        copy.cells.iter().for_each(|&cell| self.users[cell as usize] += 1);
        self.held[to] = Some(copy);
    }

    /// Gives back all cells of a sequence but the first `tokens`.
    pub fn truncate(&mut self, sequence: Sequence, tokens: usize) {
        let Some(held) = &mut self.held[sequence] else { return };
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

    /// Gives a sequence back, with all its cells.
    pub fn close(&mut self, sequence: Sequence) {
        self.truncate(sequence, 0);
        self.held[sequence] = None;
    }

    /// Returns the adapter set a sequence is of.
    pub fn adapter_set(&self, sequence: Sequence) -> Option<AdapterSetId> {
        self.held[sequence].as_ref().map(|held| held.adapter_set)
    }

    /// Returns the sequence of that adapter set which shares the longest beginning with `tokens`, and
    /// its length.
    pub fn nearest(
        &self,
        tokens: &[Token],
        adapter_set: AdapterSetId,
    ) -> Option<(Sequence, usize)> {
        let alike = self.sequences().filter(|&held| self.adapter_set(held) == Some(adapter_set));
        let shared = alike.map(|held| (held, common(self.tokens(held), tokens)));
        // The first of equals, so that a choice can be repeated.
        let longest = shared.min_by_key(|&(held, length)| (std::cmp::Reverse(length), held));
        longest.filter(|&(_, length)| length > 0)
    }
}

/// Returns how many tokens two texts have in common from their start.
pub fn common(a: &[Token], b: &[Token]) -> usize {
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::{Rng, SeedableRng};

    #[test]
    fn shared_cells_are_counted_once_and_freed_by_the_last_who_uses_them() {
        let mut cells = CellTable::new(10, 60);
        let (a, b) = (cells.open(0).unwrap(), cells.open(0).unwrap());
        assert!(cells.append(a, &[1, 2, 3, 4]));
        cells.share(a, b, 3);
        assert!(cells.append(b, &[9, 9]));
        assert_eq!(
            (cells.free(), cells.exclusive_cells(&[a]), cells.exclusive_cells(&[b])),
            (4, 1, 2)
        );
        assert_eq!([&[a][..], &[a, b]].map(|some| cells.exclusive_cells(some)), [1, 6]);
        assert_eq!(cells.tokens(b), [1, 2, 3, 9, 9]);
        cells.close(a);
        assert_eq!((cells.free(), cells.exclusive_cells(&[b])), (5, 5));
        cells.truncate(b, 2);
        assert_eq!((cells.free(), cells.tokens(b)), (8, &[1, 2][..]));
        cells.close(b);
        assert_eq!((cells.free(), cells.sequences().count()), (10, 0));
    }

    #[test]
    fn what_does_not_fit_changes_nothing() {
        let mut cells = CellTable::new(3, 60);
        let a = cells.open(0).unwrap();
        assert!(cells.append(a, &[1, 2]));
        assert!(!cells.append(a, &[3, 4]));
        assert_eq!((cells.tokens(a), cells.free()), (&[1, 2][..], 1));
    }

    #[test]
    fn the_nearest_sequence_shares_the_longest_beginning() {
        let mut cells = CellTable::new(20, 60);
        let lists: [&[Token]; 3] = [&[1, 2, 3], &[1, 2, 4, 5], &[1, 2, 4, 5]];
        for tokens in lists {
            let sequence = cells.open(0).unwrap();
            assert!(cells.append(sequence, tokens));
        }
        assert_eq!(cells.nearest(&[1, 2, 4, 6], 0), Some((1, 3)));
        assert_eq!(cells.nearest(&[7], 0), None);
        assert_eq!(cells.nearest(&[1, 2, 4, 6], 1), None, "computed with other adapters");
    }

    #[test]
    fn no_cell_is_lost_or_counted_twice_whatever_happens() {
        let mut random = ChaCha8Rng::seed_from_u64(11);
        let mut cells = CellTable::new(200, 60);
        for _ in 0..5_000 {
            let mut below = |n: usize| random.next_u32() as usize % n.max(1);
            let open: Vec<Sequence> = cells.sequences().collect();
            let some = open.get(below(open.len())).copied();
            match (below(5), some) {
                (0, _) => drop(cells.open(0).filter(|_| open.len() < 40)),
                (1, Some(sequence)) => {
                    let tokens = vec![7; below(30)];
                    let fits = cells.free() >= tokens.len();
                    assert_eq!(cells.append(sequence, &tokens), fits);
                }
                (2, Some(sequence)) => cells.truncate(sequence, below(40)),
                (3, Some(sequence)) => cells.close(sequence),
                (4, Some(from)) => {
                    if let Some(to) = cells.open(0) {
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
