//! Quantization targets, and importance matrices as data.

/// A mix of tensor types for a whole model, by llama.cpp's name for it.
///
/// The K mixes keep some tensors more exact than others; all but Q8_0 keep the output head in Q6_K
/// unless [`OutputHead`] says otherwise (llama-quant.cpp, `llama_tensor_get_type`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mix {
    /// 8 bits, one scale per 32 weights; often called INT8.
    Q8_0,
    /// 4 bits, one scale per 32 weights: the fastest on every board.
    Q4_0,
    /// 4 to 6 bits: the usual choice for quality.
    Q4KM,
    /// 4 bits, and 5 for a few tensors.
    Q4KS,
    /// 5 to 6 bits: between Q4_K_M and Q6_K in size and quality.
    Q5KM,
    /// 6 bits: hardly distinguishable from 8.
    Q6K,
    /// 4 bits on a non-linear scale: a little better than Q4_0 for the same size.
    IQ4NL,
}

impl Mix {
    /// Every mix, the largest first.
    pub const ALL: [Mix; 7] =
        [Mix::Q8_0, Mix::Q6K, Mix::Q5KM, Mix::Q4KM, Mix::Q4KS, Mix::IQ4NL, Mix::Q4_0];

    /// Returns the mix's name in flags and messages.
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

    /// Returns the type of most of the mix's tensors, by its name in GGUF files.
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

/// The type of the quantized output head: a fifth of a small model, and the part that quantization
/// harms first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutputHead {
    /// The type the mix prescribes.
    AsMixed,
    /// 8 bits, whatever the mix is.
    Q8_0,
}

/// The importance of each input of one matrix; an importance matrix has one of these per matrix.
#[derive(Clone, Debug, PartialEq)]
pub struct Importance {
    /// Name of the matrix's tensor, such as `blk.0.ffn_up.weight`.
    pub tensor: String,
    /// For each input, the sum of its squares over all tokens evaluated.
    pub squares: Vec<f32>,
    /// Number of tokens evaluated.
    pub tokens: u64,
}

impl Importance {
    /// Returns the mean square of each input; 1 for all inputs if nothing was evaluated.
    pub fn means(&self) -> Vec<f32> {
        match self.tokens {
            0 => vec![1.0; self.squares.len()],
            tokens => self.squares.iter().map(|sum| sum / tokens as f32).collect(),
        }
    }
}
