//! What weights can be quantized to, and what an importance matrix is; plain data.

/// A mix of tensor types for a whole model, by llama.cpp's name for it.
///
/// The K mixes keep some tensors more exactly than others; every one but Q8_0 keeps the output head
/// in Q6_K unless told otherwise (llama-quant.cpp, `llama_tensor_get_type`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mix {
    /// 8 bits, a scale for 32: what people call INT8.
    Q8_0,
    /// 4 bits, a scale for 32: the fastest on every board.
    Q4_0,
    /// 4 to 6 bits: the usual choice for quality.
    Q4KM,
    /// 4 bits, a few tensors with 5.
    Q4KS,
    /// 5 to 6 bits.
    Q5KM,
    /// 6 bits.
    Q6K,
    /// 4 bits of an uneven scale: a little better than Q4_0 for the same size.
    IQ4NL,
}

impl Mix {
    /// All of them, the largest first.
    pub const ALL: [Mix; 7] =
        [Mix::Q8_0, Mix::Q6K, Mix::Q5KM, Mix::Q4KM, Mix::Q4KS, Mix::IQ4NL, Mix::Q4_0];

    /// Returns its name, as flags and messages have it.
    pub fn name(self) -> &'static str {
        match self {
            Mix::Q8_0 => "q8_0",
            Mix::Q4_0 => "q4_0",
            Mix::Q4KM => "q4_k_m",
            Mix::Q4KS => "q4_k_s",
            Mix::Q5KM => "q5_k_m",
            Mix::Q6K => "q6_k",
            Mix::IQ4NL => "iq4_nl",
        }
    }

    /// Returns the tensor type most of its weights get, as GGUF files name it.
    pub fn tensor_type(self) -> &'static str {
        match self {
            Mix::Q8_0 => "Q8_0",
            Mix::Q4_0 => "Q4_0",
            Mix::Q4KM | Mix::Q4KS => "Q4_K",
            Mix::Q5KM => "Q5_K",
            Mix::Q6K => "Q6_K",
            Mix::IQ4NL => "IQ4_NL",
        }
    }
}

/// What becomes of the output head, a fifth of a small model and the part quantization hurts first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutputHead {
    /// What the mix says.
    AsMixed,
    /// 8 bits.
    Q8_0,
}

/// How much each input of a matrix matters: an importance matrix has one of these a matrix.
#[derive(Clone, Debug, PartialEq)]
pub struct Importance {
    /// The matrix's tensor, such as `blk.0.ffn_up.weight`.
    pub tensor: String,
    /// For each input, the sum of its squares over all tokens read.
    pub squares: Vec<f32>,
    /// Tokens read.
    pub tokens: u64,
}

impl Importance {
    /// Returns the mean square of each input; 1 throughout where nothing was read.
    pub fn means(&self) -> Vec<f32> {
        match self.tokens {
            0 => vec![1.0; self.squares.len()],
            tokens => self.squares.iter().map(|sum| sum / tokens as f32).collect(),
        }
    }
}
