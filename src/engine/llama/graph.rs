//! Runs one ggml operation on the registered CPU kernels.
//!
//! Called by the self-test. The kernels are reached through ggml's registry, never by the name of a
//! symbol, so the registered set is what runs. This module knows shapes and bytes, but no correct
//! results and no model. As everywhere in ggml, a shape that an operation does not support ends the
//! process; shapes are fixed in the program and never come from outside.

use std::ffi::{CStr, c_int, c_void};
use std::mem::transmute;
use std::ptr::{NonNull, null, null_mut};

use llama_cpp_sys_2 as sys;

use crate::types::error::{Error, Kind};

/// Room for the tensors of a graph of one operation: at most four inputs and the result.
const TENSORS_MAX: usize = 8;

/// The type of a tensor's elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ElementType {
    /// Integers of 32 bits.
    I32,
    /// Floats of 32 bits.
    F32,
    /// Floats of 16 bits.
    F16,
    /// 4 bits, a scale for 32.
    Q4_0,
    /// 8 bits, a scale for 32.
    Q8_0,
    /// 4 bits, scales and offsets for 32 within 256.
    Q4K,
    /// 6 bits, scales for 16 within 256.
    Q6K,
}

impl ElementType {
    /// Returns ggml's name of the type.
    pub(crate) fn name(self) -> &'static str {
        match self {
            ElementType::I32 => "i32",
            ElementType::F32 => "f32",
            ElementType::F16 => "f16",
            ElementType::Q4_0 => "q4_0",
            ElementType::Q8_0 => "q8_0",
            ElementType::Q4K => "q4_K",
            ElementType::Q6K => "q6_K",
        }
    }

    fn ggml(self) -> sys::ggml_type {
        match self {
            ElementType::I32 => sys::GGML_TYPE_I32,
            ElementType::F32 => sys::GGML_TYPE_F32,
            ElementType::F16 => sys::GGML_TYPE_F16,
            ElementType::Q4_0 => sys::GGML_TYPE_Q4_0,
            ElementType::Q8_0 => sys::GGML_TYPE_Q8_0,
            ElementType::Q4K => sys::GGML_TYPE_Q4_K,
            ElementType::Q6K => sys::GGML_TYPE_Q6_K,
        }
    }
}

/// A tensor's elements in our memory: rows of `shape[0]` elements, in ggml's order of dimensions.
#[derive(Clone)]
pub(crate) struct TensorData {
    kind: ElementType,
    shape: [usize; 4],
    bytes: Vec<u8>,
}

impl TensorData {
    /// Makes a tensor of integers.
    pub(crate) fn of_integers(shape: [usize; 4], values: &[i32]) -> TensorData {
        assert_eq!(values.len(), shape.iter().product::<usize>());
        let bytes = values.iter().flat_map(|value| value.to_ne_bytes()).collect();
        TensorData { kind: ElementType::I32, shape, bytes }
    }

    /// Makes a tensor of `values` in a type of floats, rounded by ggml-base's portable code.
    pub(crate) fn of_floats(kind: ElementType, shape: [usize; 4], values: &[f32]) -> TensorData {
        assert_eq!(values.len(), shape.iter().product::<usize>());
        assert_ne!(kind, ElementType::I32, "floats are wanted");
        let (columns, rows) = (shape[0], values.len() / shape[0]);
        // SAFETY: plain functions of a type and a length.
        let (row_bytes, block) = unsafe {
            (sys::ggml_row_size(kind.ggml(), columns as i64), sys::ggml_blck_size(kind.ggml()))
        };
        assert!(columns.is_multiple_of(block as usize), "a row consists of whole blocks");
        let mut bytes = vec![0u8; row_bytes * rows];
        let to = bytes.as_mut_ptr().cast::<c_void>();
        let (rows, columns) = (rows as i64, columns as i64);
        // SAFETY: allocated memory is aligned for blocks of any type. The call reads rows × columns
        // floats and writes rows × row_bytes, the length of `bytes`; none of these types needs an
        // importance matrix.
        let written = unsafe {
            sys::ggml_quantize_chunk(kind.ggml(), values.as_ptr(), to, 0, rows, columns, null())
        };
        assert_eq!(written, bytes.len());
        TensorData { kind, shape, bytes }
    }

    /// Returns the elements as ggml-base's portable code converts them.
    pub(crate) fn values(&self) -> Vec<f32> {
        let count = self.shape.iter().product::<usize>();
        if self.kind == ElementType::F32 {
            let floats = self.bytes.chunks_exact(4);
            return floats.map(|b| f32::from_ne_bytes([b[0], b[1], b[2], b[3]])).collect();
        }
        let mut values = vec![0f32; count];
        // SAFETY: ggml's table is static; `to_float` reads `count` elements, which `bytes` holds,
        // and writes as many floats.
        unsafe {
            let traits = &*sys::ggml_get_type_traits(self.kind.ggml());
            let read = traits.to_float.expect("every type of floats but f32 has a conversion");
            read(self.bytes.as_ptr().cast(), values.as_mut_ptr(), count as i64);
        }
        values
    }

    /// Returns a tensor of the same type and shape.
    #[cfg(test)]
    pub(crate) fn with_values(&self, values: &[f32]) -> TensorData {
        TensorData::of_floats(self.kind, self.shape, values)
    }

    /// Returns the bytes, for tests that corrupt them.
    #[cfg(test)]
    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.bytes
    }
}

/// How rotary positions pair the elements of a head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pairs {
    /// Neighbours, as in Llama.
    Neighbours,
    /// An element and the one half a head further ("NEOX"), as in Qwen2.
    Halves,
}

/// One operation; shapes are in ggml's order, the fastest dimension first. Results are f32.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Op {
    /// Weights `[depth, width]` × activations `[depth, rows]` → `[width, rows]`.
    Product,
    /// Scores `[cells, rows]` with an f16 mask `[cells, rows]` → shares `[cells, rows]`.
    SoftMax {
        /// The factor of the scores, applied before the mask is added.
        scale: f32,
    },
    /// Values `[columns, rows]` → the same divided by the root of their mean square.
    RmsNorm {
        /// The term added to the mean square.
        epsilon: f32,
    },
    /// Values `[head, heads, rows]` with positions `[rows]` (i32) → the same rotated.
    Rope {
        /// The elements that are rotated together.
        pairs: Pairs,
        /// The base of the angles.
        base: f32,
    },
    /// Queries `[head, rows, heads]` (f32), keys and values `[head, cells, kv heads]`, an f16 mask
    /// `[cells, rows]` → `[head, heads, rows]`.
    FlashAttention {
        /// The factor of the products of queries and keys.
        scale: f32,
    },
    /// Gates and values of one shape → silu(gate) × value.
    SwiGlu,
}

/// The memory layout of the first input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WeightLayout {
    /// As in a file.
    Plain,
    /// Rearranged for the kernels (`CPU_REPACK`).
    Repacked,
}

/// The registered CPU kernels, ready to run.
pub(crate) struct Cpu {
    device: sys::ggml_backend_dev_t,
    backend: NonNull<sys::ggml_backend>,
    plain: sys::ggml_backend_buffer_type_t,
    repack: Option<NonNull<sys::ggml_backend_buffer_type>>,
    set_threads: unsafe extern "C" fn(sys::ggml_backend_t, c_int),
}

impl Cpu {
    /// Opens the registered CPU kernels.
    ///
    /// # Errors
    /// `internal` if none are registered.
    pub(crate) fn open() -> Result<Cpu, Error> {
        // SAFETY: reads ggml's registry; null is checked.
        let device = unsafe { sys::ggml_backend_dev_by_type(sys::GGML_BACKEND_DEVICE_TYPE_CPU) };
        if device.is_null() {
            return Err(Error::internal("no CPU kernels are registered"));
        }
        // SAFETY: the name has, in ggml's registry, this type.
        let set_threads: sys::ggml_backend_set_n_threads_t =
            unsafe { transmute(procedure(device, c"ggml_backend_set_n_threads")) };
        let set_threads = set_threads.ok_or_else(|| {
            Error::internal("the CPU kernels have no function to set their threads")
        })?;
        // SAFETY: a registered device can be started without parameters; null is checked.
        let backend = NonNull::new(unsafe { sys::ggml_backend_dev_init(device, null()) })
            .ok_or_else(|| Error::internal("the CPU kernels do not start"))?;
        // SAFETY: every device has a buffer type.
        let plain = unsafe { sys::ggml_backend_dev_buffer_type(device) };
        Ok(Cpu { device, backend, plain, repack: repack_type(device), set_threads })
    }

    /// Sets the number of threads of later operations.
    pub(crate) fn use_threads(&self, threads: u32) {
        // SAFETY: the function is this backend's own.
        unsafe { (self.set_threads)(self.backend.as_ptr(), threads.clamp(1, 512) as c_int) }
    }

    /// Returns whether the set was compiled with a feature, in ggml's spelling (`FP16_VA`).
    pub(crate) fn has(&self, feature: &CStr) -> bool {
        // SAFETY: the name has, in ggml's registry, this type.
        let features: sys::ggml_backend_get_features_t =
            unsafe { transmute(procedure(self.device, c"ggml_backend_get_features")) };
        let Some(features) = features else { return false };
        // SAFETY: the list and its strings are static, and a null name ends it.
        unsafe {
            let mut next = features(sys::ggml_backend_dev_backend_reg(self.device));
            while !next.is_null() && !(*next).name.is_null() {
                if CStr::from_ptr((*next).name) == feature {
                    return CStr::from_ptr((*next).value) != c"0";
                }
                next = next.add(1);
            }
        }
        false
    }

    /// Runs one operation and returns its result; `None` if the set does not support it with the
    /// first input in `layout`: it repacks only some types.
    ///
    /// Blocks. Elements that an operation does not write are returned as NaN.
    ///
    /// # Errors
    /// `no_memory` if buffers cannot be allocated, `internal` if ggml rejects the operation.
    pub(crate) fn run(
        &self,
        op: Op,
        inputs: &[TensorData],
        layout: WeightLayout,
    ) -> Result<Option<Vec<f32>>, Error> {
        let first_type = match (layout, self.repack) {
            (WeightLayout::Plain, _) => self.plain,
            (WeightLayout::Repacked, Some(repack)) => repack.as_ptr(),
            (WeightLayout::Repacked, None) => return Ok(None),
        };
        let (first, rest) = (Description::new()?, Description::new()?);
        let mut tensors = Vec::new();
        for (at, input) in inputs.iter().enumerate() {
            tensors.push(if at == 0 { &first } else { &rest }.tensor(input)?);
        }
        let node = rest.node(op, &tensors)?;
        let _first_memory = first.memory(first_type)?;
        // SAFETY: all tensors are described; the buffer type sets `extra` of those it repacks.
        let is_supported = unsafe {
            sys::ggml_backend_dev_supports_op(self.device, node.as_ptr())
                && (layout == WeightLayout::Plain || !tensors[0].as_ref().extra.is_null())
        };
        if !is_supported {
            return Ok(None);
        }
        let _rest_memory = rest.memory(self.plain)?;
        for (tensor, input) in tensors.iter().zip(inputs) {
            // SAFETY: the tensor has memory for exactly these bytes (`Description::tensor`).
            unsafe {
                let (from, bytes) = (input.bytes.as_ptr().cast(), input.bytes.len());
                sys::ggml_backend_tensor_set(tensor.as_ptr(), from, 0, bytes);
            }
        }
        self.compute(&rest, node).map(Some)
    }

    fn compute(
        &self,
        description: &Description,
        node: NonNull<sys::ggml_tensor>,
    ) -> Result<Vec<f32>, Error> {
        let node = node.as_ptr();
        // SAFETY: the node is described and has memory; all bits set is a NaN.
        let count = unsafe {
            assert_eq!((*node).type_, sys::GGML_TYPE_F32, "results are f32");
            sys::ggml_backend_tensor_memset(node, 0xFF, 0, sys::ggml_nbytes(node));
            sys::ggml_nelements(node) as usize
        };
        // SAFETY: the description has room for one graph of that many nodes; the graph lives in it.
        let status = unsafe {
            let graph = sys::ggml_new_graph_custom(description.0.as_ptr(), TENSORS_MAX, false);
            sys::ggml_build_forward_expand(graph, node);
            sys::ggml_backend_graph_compute(self.backend.as_ptr(), graph)
        };
        if status != sys::GGML_STATUS_SUCCESS {
            return Err(Error::internal(format!("ggml cannot compute: status {status}")));
        }
        let mut result = vec![0f32; count];
        // SAFETY: `result` has as many bytes as the node.
        unsafe {
            sys::ggml_backend_tensor_get(node, result.as_mut_ptr().cast(), 0, count * 4);
        }
        Ok(result)
    }
}

impl Drop for Cpu {
    fn drop(&mut self) {
        // SAFETY: started in `open` and owned by this value alone; buffers do not need it.
        unsafe { sys::ggml_backend_free(self.backend.as_ptr()) }
    }
}

/// Returns the kernels' function of that name, or null.
fn procedure(device: sys::ggml_backend_dev_t, name: &CStr) -> *mut c_void {
    // SAFETY: a registered device has a registry entry; the name is NUL-terminated.
    unsafe {
        let registry = sys::ggml_backend_dev_backend_reg(device);
        sys::ggml_backend_reg_get_proc_address(registry, name.as_ptr())
    }
}

/// Finds the buffer type whose tensors the kernels repack.
fn repack_type(device: sys::ggml_backend_dev_t) -> Option<NonNull<sys::ggml_backend_buffer_type>> {
    // SAFETY: the name has, in ggml's registry, this type.
    let list: sys::ggml_backend_dev_get_extra_bufts_t =
        unsafe { transmute(procedure(device, c"ggml_backend_dev_get_extra_bufts")) };
    // SAFETY: the list is static and ends with null; names are static strings.
    unsafe {
        let mut next = list?(device);
        while !next.is_null() && !(*next).is_null() {
            if CStr::from_ptr(sys::ggml_backend_buft_name(*next)) == c"CPU_REPACK" {
                return NonNull::new(*next);
            }
            next = next.add(1);
        }
    }
    None
}

/// Tensors that are described but have no memory: a ggml context.
struct Description(NonNull<sys::ggml_context>);

impl Description {
    fn new() -> Result<Description, Error> {
        // SAFETY: plain functions; ggml allocates what it needs by itself.
        let context = unsafe {
            let graph_bytes = sys::ggml_graph_overhead_custom(TENSORS_MAX, false);
            sys::ggml_init(sys::ggml_init_params {
                mem_size: TENSORS_MAX * sys::ggml_tensor_overhead() + graph_bytes,
                mem_buffer: null_mut(),
                no_alloc: true,
            })
        };
        NonNull::new(context).map(Description).ok_or_else(no_memory)
    }

    fn tensor(&self, data: &TensorData) -> Result<NonNull<sys::ggml_tensor>, Error> {
        let shape = data.shape.map(|length| length as i64);
        // SAFETY: the context lives and has room for `TENSORS_MAX` tensors.
        let tensor =
            unsafe { sys::ggml_new_tensor(self.0.as_ptr(), data.kind.ggml(), 4, shape.as_ptr()) };
        let tensor = NonNull::new(tensor).ok_or_else(no_memory)?;
        // SAFETY: the tensor was just described.
        assert_eq!(unsafe { sys::ggml_nbytes(tensor.as_ptr()) }, data.bytes.len());
        Ok(tensor)
    }

    /// Describes the operation's result.
    fn node(
        &self,
        op: Op,
        inputs: &[NonNull<sys::ggml_tensor>],
    ) -> Result<NonNull<sys::ggml_tensor>, Error> {
        let context = self.0.as_ptr();
        let input = |at: usize| inputs[at].as_ptr();
        // SAFETY: context and inputs are alive; an unsupported shape ends the process inside ggml.
        let node = unsafe {
            match op {
                Op::Product => sys::ggml_mul_mat(context, input(0), input(1)),
                Op::SoftMax { scale } => {
                    sys::ggml_soft_max_ext(context, input(0), input(1), scale, 0.0)
                }
                Op::RmsNorm { epsilon } => sys::ggml_rms_norm(context, input(0), epsilon),
                Op::Rope { pairs, base } => {
                    let (values, positions) = (input(0), input(1));
                    let head = (*values).ne[0] as c_int;
                    let mode = match pairs {
                        Pairs::Neighbours => 0,
                        // GGML_ROPE_TYPE_NEOX, a macro that bindgen leaves out.
                        Pairs::Halves => 2,
                    };
                    sys::ggml_rope_ext(
                        context,
                        values,
                        positions,
                        null_mut(),
                        head,
                        mode,
                        0,
                        base,
                        1.0,
                        0.0,
                        1.0,
                        32.0,
                        1.0,
                    )
                }
                Op::FlashAttention { scale } => {
                    let (q, k, v, mask) = (input(0), input(1), input(2), input(3));
                    sys::ggml_flash_attn_ext(context, q, k, v, mask, scale, 0.0, 0.0)
                }
                Op::SwiGlu => sys::ggml_swiglu_split(context, input(0), input(1)),
            }
        };
        NonNull::new(node).ok_or_else(no_memory)
    }

    /// Allocates memory of a buffer type for all tensors; it lives as long as the result.
    fn memory(&self, from: sys::ggml_backend_buffer_type_t) -> Result<TensorMemory, Error> {
        // SAFETY: the buffer type is the device's own; the tensors have no memory yet.
        let buffer =
            unsafe { sys::ggml_backend_alloc_ctx_tensors_from_buft(self.0.as_ptr(), from) };
        NonNull::new(buffer).map(TensorMemory).ok_or_else(no_memory)
    }
}

impl Drop for Description {
    fn drop(&mut self) {
        // SAFETY: made in `new`; its tensors are no longer used.
        unsafe { sys::ggml_free(self.0.as_ptr()) }
    }
}

/// The memory of some tensors.
struct TensorMemory(NonNull<sys::ggml_backend_buffer>);

impl Drop for TensorMemory {
    fn drop(&mut self) {
        // SAFETY: no operation uses it any longer, and this value alone owns it.
        unsafe { sys::ggml_backend_buffer_free(self.0.as_ptr()) }
    }
}

fn no_memory() -> Error {
    Error::new(
        Kind::NoMemory,
        "cannot allocate memory for an operation",
        "Close other programs and try again.",
    )
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use super::*;
    use crate::engine::kernels::choose;
    use crate::engine::llama::tests::BACKEND;

    #[test]
    fn the_selected_set_repacks_exactly_the_types_its_table_lists() {
        LazyLock::force(&BACKEND);
        let set = choose(None).unwrap();
        let cpu = Cpu::open().unwrap();
        for id in 0..sys::GGML_TYPE_COUNT {
            // SAFETY: plain functions of a constant table; removed types have no block.
            let name = unsafe {
                if sys::ggml_blck_size(id) == 0 {
                    continue;
                }
                CStr::from_ptr(sys::ggml_type_name(id)).to_str().unwrap().to_uppercase()
            };
            let description = Description::new().unwrap();
            // SAFETY: the context lives; 512 columns are whole blocks of every type.
            let tensor = unsafe { sys::ggml_new_tensor_2d(description.0.as_ptr(), id, 512, 80) };
            let _memory = description.memory(cpu.repack.unwrap().as_ptr()).unwrap();
            // SAFETY: the tensor was just described and its memory is alive.
            let repacks = unsafe { !(*tensor).extra.is_null() };
            assert_eq!(repacks, set.repacks(&name), "{name} by {}", set.name);
        }
    }
}
