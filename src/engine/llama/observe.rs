//! Observes the activations that a model multiplies with its weights, the data of an importance
//! matrix.
//!
//! For every operation of its graph llama.cpp asks whether its result is wanted, and if so calls
//! back when it is computed. For each product with weights, the squares of the activations are
//! summed per input.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ffi::{CStr, c_void};

use llama_cpp_sys_2 as sys;

use crate::types::quantize::Importance;

/// Collects the squares of activations. Used only by the thread that runs the passes.
#[derive(Debug, Default)]
pub(crate) struct Observer {
    sums: RefCell<BTreeMap<String, InputSums>>,
}

#[derive(Debug, Default)]
struct InputSums {
    squares: Vec<f64>,
    tokens: u64,
}

impl Observer {
    /// Returns the sums collected so far, sorted by the names of the tensors.
    pub(crate) fn collected(&self) -> Vec<Importance> {
        let sums = self.sums.borrow();
        let list = sums.iter().map(|(tensor, sums)| Importance {
            tensor: tensor.clone(),
            squares: sums.squares.iter().map(|&sum| sum as f32).collect(),
            tokens: sums.tokens,
        });
        list.collect()
    }

    /// Adds rows of activations, each of length `width`, to the sums of `tensor`.
    fn add(&self, tensor: &str, width: usize, inputs: &[f32]) {
        let mut all = self.sums.borrow_mut();
        let sums = match all.get_mut(tensor) {
            Some(sums) => sums,
            None => all.entry(tensor.to_string()).or_default(),
        };
        sums.squares.resize(width, 0.0);
        for row in inputs.chunks_exact(width) {
            for (sum, &x) in sums.squares.iter_mut().zip(row) {
                *sum += f64::from(x) * f64::from(x);
            }
            sums.tokens += 1;
        }
    }
}

/// The callback for llama.cpp: with `ask`, returns whether the result of `tensor` is wanted;
/// without, adds its activations to the sums.
///
/// # Safety
/// `tensor` is an operation of a graph in the memory of this process, computed if `ask` is false;
/// `observer` is an [`Observer`] that no other thread uses.
pub(crate) unsafe extern "C" fn on_operation(
    tensor: *mut sys::ggml_tensor,
    ask: bool,
    observer: *mut c_void,
) -> bool {
    // SAFETY: the caller guarantees it; the operation and its sources live for the call.
    let Some((weights, inputs)) = (unsafe { product(tensor) }) else { return false };
    let name = CStr::from_bytes_until_nul(bytes(&weights.name)).unwrap_or_default();
    let Ok(name) = name.to_str() else { return false };
    // As llama-imatrix does: the head profits little, and if it is also the embedding, its
    // importance would be used for the embedding.
    let is_of_adapter = name.ends_with(".lora_a") || name.ends_with(".lora_b");
    if !name.starts_with("blk.") || is_of_adapter {
        return false;
    }
    if !ask && !inputs.data.is_null() {
        let width = inputs.ne[0].max(1) as usize;
        let rows = (inputs.ne[1] * inputs.ne[2] * inputs.ne[3]).max(0) as usize;
        // SAFETY: checked to be 32-bit floats without gaps; they were computed before this product
        // and are valid until the pass continues.
        let values = unsafe { std::slice::from_raw_parts(inputs.data.cast::<f32>(), width * rows) };
        // SAFETY: the caller guarantees it.
        unsafe { &*observer.cast::<Observer>() }.add(name, width, values);
    }
    true
}

/// Returns the weights and the activations if `tensor` is a product of weights with contiguous
/// 32-bit floats.
///
/// # Safety
/// `tensor` and its sources must outlive the result.
unsafe fn product<'t>(
    tensor: *mut sys::ggml_tensor,
) -> Option<(&'t sys::ggml_tensor, &'t sys::ggml_tensor)> {
    // SAFETY: the caller guarantees it; null is checked, here and below.
    let tensor = unsafe { tensor.as_ref() }?;
    if tensor.op != sys::GGML_OP_MUL_MAT {
        return None;
    }
    // SAFETY: as above.
    let (weights, inputs) = unsafe { (tensor.src[0].as_ref()?, tensor.src[1].as_ref()?) };
    let mut gapless = size_of::<f32>();
    let is_gapless = inputs.ne.iter().zip(inputs.nb).all(|(&elements, stride)| {
        let fits = stride == gapless;
        gapless *= elements.max(1) as usize;
        fits
    });
    (inputs.type_ == sys::GGML_TYPE_F32 && is_gapless).then_some((weights, inputs))
}

/// Returns a C name as bytes.
fn bytes(name: &[std::ffi::c_char]) -> &[u8] {
    // SAFETY: the two types have the same size and alignment, and every value is valid in both.
    unsafe { std::slice::from_raw_parts(name.as_ptr().cast(), name.len()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn squares_are_summed_by_tensor_and_input() {
        let observer = Observer::default();
        observer.add("blk.0.b", 2, &[1.0, 2.0, 3.0, -4.0]);
        observer.add("blk.0.a", 1, &[5.0]);
        observer.add("blk.0.b", 2, &[0.5, 0.0]);
        let collected = observer.collected();
        assert_eq!(collected.len(), 2);
        assert_eq!((collected[0].tensor.as_str(), collected[0].tokens), ("blk.0.a", 1));
        assert_eq!((&collected[1].squares[..], collected[1].tokens), (&[10.25, 20.0][..], 3));
        assert_eq!(collected[1].means()[1], 20.0 / 3.0);
    }
}
