//! Our own table of tensor types: names, block lengths and block sizes, as ggml defines them.
//!
//! gguf-rs 0.1.8 has wrong sizes for some (BF16, IQ4_NL) and panics on others, so sizes come from
//! here. A test compares every row with the vendored ggml.

/// A tensor type of ggml with its block layout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TensorType {
    /// ggml's number for the type, as stored in a GGUF file.
    pub id: u32,
    /// ggml's name for the type, in upper case.
    pub name: &'static str,
    /// Number of elements in one block.
    pub block_elements: u64,
    /// Size of one block in bytes.
    pub block_bytes: u64,
}

const fn t(id: u32, name: &'static str, block_elements: u64, block_bytes: u64) -> TensorType {
    TensorType { id, name, block_elements, block_bytes }
}

/// All supported types, from ggml.h of ggml 0.26. gguf-rs 0.1.8 does not know later ones.
pub const TYPES: &[TensorType] = &[
    t(0, "F32", 1, 4),
    t(1, "F16", 1, 2),
    t(2, "Q4_0", 32, 18),
    t(3, "Q4_1", 32, 20),
    t(6, "Q5_0", 32, 22),
    t(7, "Q5_1", 32, 24),
    t(8, "Q8_0", 32, 34),
    t(9, "Q8_1", 32, 36),
    t(10, "Q2_K", 256, 84),
    t(11, "Q3_K", 256, 110),
    t(12, "Q4_K", 256, 144),
    t(13, "Q5_K", 256, 176),
    t(14, "Q6_K", 256, 210),
    t(15, "Q8_K", 256, 292),
    t(16, "IQ2_XXS", 256, 66),
    t(17, "IQ2_XS", 256, 74),
    t(18, "IQ3_XXS", 256, 98),
    t(19, "IQ1_S", 256, 50),
    t(20, "IQ4_NL", 32, 18),
    t(21, "IQ3_S", 256, 110),
    t(22, "IQ2_S", 256, 82),
    t(23, "IQ4_XS", 256, 136),
    t(24, "I8", 1, 1),
    t(25, "I16", 1, 2),
    t(26, "I32", 1, 4),
    t(27, "I64", 1, 8),
    t(28, "F64", 1, 8),
    t(29, "IQ1_M", 256, 56),
    t(30, "BF16", 1, 2),
    t(34, "TQ1_0", 256, 54),
    t(35, "TQ2_0", 256, 66),
    t(39, "MXFP4", 32, 17),
];

/// 32-bit floats, the type of norms, biases and importance matrices.
pub const F32: TensorType = t(0, "F32", 1, 4);

/// Finds a type by ggml's number for it.
pub fn by_id(id: u32) -> Option<TensorType> {
    TYPES.iter().find(|known| known.id == id).copied()
}

impl TensorType {
    /// Returns whether kernels exist for weights of this type.
    ///
    /// ggml 0.26 has no dot product for integers, 64-bit floats, and the two types activations are
    /// quantized to (`type_traits_cpu` of ggml-cpu.c); with such weights it would call address 0.
    pub fn has_kernels(&self) -> bool {
        !matches!(self.name, "I8" | "I16" | "I32" | "I64" | "F64" | "Q8_1" | "Q8_K")
    }

    /// Returns the size in bytes of a tensor of this shape (fastest dimension first), or `None` if
    /// the first dimension is not a multiple of the block length or the size overflows.
    pub fn bytes(&self, shape: &[u64]) -> Option<u64> {
        let row = *shape.first()?;
        if row % self.block_elements != 0 {
            return None;
        }
        let elements = shape.iter().try_fold(1_u64, |product, &n| product.checked_mul(n))?;
        (elements / self.block_elements).checked_mul(self.block_bytes)
    }
}
