//! Damages files as a seed chooses: bits, bytes, integers, ranges and ends; and for small models
//! also the fields of the header.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use solverbox::model::types::TYPES;
use solverbox::model::write::GgufValue;

use crate::support::tiny::Tiny;

/// Numbers at which programs fail.
const NUMBERS: [u64; 20] = [
    0,
    1,
    2,
    3,
    7,
    31,
    64,
    255,
    256,
    513,
    1023,
    65_535,
    65_536,
    0x7FFF_FFFF,
    0x8000_0000,
    0xFFFF_FFFF,
    1 << 32,
    i64::MAX as u64,
    1 << 63,
    u64::MAX,
];
const FLOATS: [f32; 10] =
    [0.0, -0.0, 1.0, -1.0, 1e-30, 1e30, f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 0.5];

/// The damage chosen by a seed.
pub struct Damage {
    random: ChaCha8Rng,
}

impl Damage {
    pub fn of_seed(seed: u64) -> Damage {
        Damage { random: ChaCha8Rng::seed_from_u64(seed) }
    }

    /// Returns a number below `end`.
    fn below(&mut self, end: usize) -> usize {
        (self.random.next_u64() % end.max(1) as u64) as usize
    }

    fn one<'t, T>(&mut self, of: &'t [T]) -> &'t T {
        &of[self.below(of.len())]
    }

    /// Damages the header fields of a valid model, its bytes, or both.
    pub fn tiny(&mut self, sound: &Tiny) -> Vec<u8> {
        let mut tiny = sound.clone();
        let ways = self.below(4);
        if ways != 0 {
            for _ in 0..1 + self.below(2) {
                self.says(&mut tiny);
            }
        }
        let bytes = tiny.bytes();
        if ways >= 2 { bytes } else { self.bytes(bytes, tiny.header_bytes()) }
    }

    /// Damages bytes, of which the first `header` are the header.
    pub fn bytes(&mut self, mut bytes: Vec<u8>, header: usize) -> Vec<u8> {
        for _ in 0..1 + self.below(3) {
            let end = bytes.len();
            // Mostly in the header, some in the data, some at the end.
            let at = match self.below(20) {
                0 | 1 => self.below(end),
                2 => end - 1 - self.below(end.min(64)),
                3..=7 => self.below(header.min(end).min(1024)),
                _ => self.below(header.min(end)),
            };
            self.spot(&mut bytes, at);
            if bytes.is_empty() {
                bytes.push(0);
            }
        }
        bytes
    }

    fn spot(&mut self, bytes: &mut Vec<u8>, at: usize) {
        let left = bytes.len() - at;
        let length = 1 + self.below(left.min(64));
        match self.below(16) {
            0..=3 => bytes[at] ^= 1 << self.below(8),
            4 => bytes[at] = self.random.next_u32() as u8,
            5 => bytes[at] = 0xFF,
            6 => bytes[at] = 0,
            7 | 8 => {
                let number = self.one(&NUMBERS).to_le_bytes();
                let width = (*self.one(&[1, 2, 4, 8])).min(left);
                bytes[at..at + width].copy_from_slice(&number[..width]);
            }
            9 => {
                let width = left.min(8);
                let mut number = [0; 8];
                number[..width].copy_from_slice(&bytes[at..at + width]);
                let step = self.below(9) as u64;
                let number = u64::from_le_bytes(number).wrapping_add(step).wrapping_sub(4);
                bytes[at..at + width].copy_from_slice(&number.to_le_bytes()[..width]);
            }
            10 => bytes.truncate(at),
            11 => {
                let (many, byte) = (self.below(1 << 14), self.random.next_u32() as u8);
                bytes.extend(std::iter::repeat_n(byte, many));
            }
            12 => {
                let copy = bytes[at..at + length].to_vec();
                bytes.splice(at..at, copy);
            }
            13 => drop(bytes.drain(at..at + length)),
            14 => {
                let copy = bytes[at..at + length].to_vec();
                let to = self.below(bytes.len() - length + 1);
                bytes[to..to + length].copy_from_slice(&copy);
            }
            _ => {
                let other = self.below(bytes.len() - length + 1);
                if at.abs_diff(other) >= length {
                    for step in 0..length {
                        bytes.swap(at + step, other + step);
                    }
                }
            }
        }
    }

    /// Changes a field of the header, with valid syntax.
    fn says(&mut self, tiny: &mut Tiny) {
        let (keys, tensors) = (tiny.keys.len(), tiny.tensors.len());
        let (key, tensor, other) = (self.below(keys), self.below(tensors), self.below(tensors));
        match self.below(14) {
            0..=4 => {
                let value = self.value(&tiny.keys[key].1);
                tiny.keys[key].1 = value;
            }
            5 => drop(tiny.keys.remove(key)),
            6 => {
                let other = self.below(keys);
                tiny.keys[key].1 = tiny.keys[other].1.clone();
            }
            7 => {
                let other = self.below(keys);
                tiny.keys[key].0 = tiny.keys[other].0.clone();
            }
            8 => {
                tiny.tensors.remove(tensor);
                tiny.data.remove(tensor);
            }
            9 => {
                let name = tiny.tensors[other].name.clone();
                tiny.tensors[tensor].name = name;
            }
            10 => {
                tiny.tensors.swap(tensor, other);
                tiny.data.swap(tensor, other);
            }
            11 => {
                // Another type, with data of the matching size.
                let kind = *self.one(TYPES);
                tiny.tensors[tensor].kind = kind;
                let bytes = tiny.tensors[tensor].bytes() as usize;
                tiny.data[tensor] = (0..bytes).map(|_| self.random.next_u32() as u8).collect();
            }
            12 => {
                let shape = &mut tiny.tensors[tensor].shape;
                let at = self.below(shape.len());
                shape[at] = *self.one(&[0, 1, 2, shape[at] + 1, shape[at] * 2, shape[at] / 2]);
                let bytes = tiny.tensors[tensor].bytes() as usize;
                tiny.data[tensor].resize(bytes, 1);
            }
            _ => tiny.tensors[tensor].shape.reverse(),
        }
        if tiny.tensors.is_empty() || tiny.keys.is_empty() {
            tiny.keys.push(("nothing.left".into(), GgufValue::Bool(true)));
        }
    }

    fn value(&mut self, of: &GgufValue) -> GgufValue {
        let number = *self.one(&NUMBERS);
        match of {
            GgufValue::U32(n) => match self.below(5) {
                0 => GgufValue::I32(*n as i32),
                1 => GgufValue::U32(n.wrapping_add(1)),
                2 => GgufValue::U32(n / 2),
                3 => GgufValue::U32(n.wrapping_mul(2)),
                _ => GgufValue::U32(number as u32),
            },
            GgufValue::I32(_) => GgufValue::I32(number as i32),
            GgufValue::F32(_) => match self.below(6) {
                0 => GgufValue::U32(number as u32),
                _ => GgufValue::F32(*self.one(&FLOATS)),
            },
            GgufValue::Bool(yes) => GgufValue::Bool(!yes),
            GgufValue::Text(text) => match self.below(5) {
                0 => GgufValue::Text(String::new()),
                1 => GgufValue::Texts(vec![text.clone()]),
                2 => GgufValue::Text(text.repeat(1 + self.below(64))),
                3 => {
                    let known =
                        ["qwen2", "qwen3", "llama", "gpt2", "none", "linear", "longrope", "model"];
                    GgufValue::Text(self.one(&known).to_string())
                }
                _ => GgufValue::Text(text.chars().filter(|_| self.below(8) != 0).collect()),
            },
            GgufValue::I32s(list) => {
                let mut list = list.clone();
                self.list(&mut list, |damage| *damage.one(&[-1, 0, 1, 2, 3, 4, 5, 6, 7, i32::MAX]));
                GgufValue::I32s(list)
            }
            GgufValue::F32s(list) => {
                let mut list = list.clone();
                self.list(&mut list, |damage| *damage.one(&FLOATS));
                GgufValue::F32s(list)
            }
            GgufValue::Texts(list) => {
                let mut list = list.clone();
                self.list(&mut list, |damage| {
                    let odd = [
                        "",
                        " ",
                        "a",
                        "Ġ",
                        "<0x0A>",
                        "<0x>",
                        "\0",
                        "x\0y",
                        "▁",
                        "<|im_end|>",
                        "数",
                    ];
                    let text = *damage.one(&odd);
                    text.repeat(*damage.one(&[1, 1, 1, 2, 100, 5_000]))
                });
                GgufValue::Texts(list)
            }
        }
    }

    fn list<T: Clone>(&mut self, list: &mut Vec<T>, item: impl Fn(&mut Damage) -> T) {
        if list.is_empty() {
            return;
        }
        let (at, other) = (self.below(list.len()), self.below(list.len()));
        match self.below(7) {
            0 => list.truncate(at),
            1 => drop(list.remove(at)),
            2 => list.push(item(self)),
            3 => list[at] = list[other].clone(),
            4 => list.swap(at, other),
            5 => {
                let many = 1 + self.below(list.len());
                (0..many).for_each(|_| {
                    let at = self.below(list.len());
                    list[at] = item(self);
                });
            }
            _ => list[at] = item(self),
        }
    }
}
