// Matrix products that are slow in ggml 0.26 on x86-64: for batches of several tokens, for drafts, for prompts.
// build/kernels.rs compiles this into the kernel sets and makes ggml call the functions at the end instead of its
// own; they forward to ggml what they do not compute, and everything without AVX2.
//
// - Q6_K, the type of a Q4_0 model's output head and of a third of a Q4_K_M model: ggml unpacks every weight again
//   for each column, or from 8 columns on into tiles in memory. Here a row is unpacked once into registers for up
//   to 8 columns.
// - Q4_0, also for a single column: ggml's signed-byte product takes absolute values and transfers signs for every
//   multiplication. Here weights stay unsigned, 0 to 15, and 8 times the sum of the activations is subtracted once
//   per block.
//
// Both sum the quantized values exactly, as integers, and scale each block in f32, as ggml does; the results are
// within the bounds of the self-test.
#define GGML_COMMON_IMPL_CPP
#include "ggml-common.h"
#include "ggml-cpu-impl.h"
#include "ggml-impl.h"
#include "llamafile/sgemm.h"
#include "repack.h"
#include "simd-mappings.h"
#include "tiled/tiled.h"

#include <algorithm>
#include <immintrin.h>

#if defined(__AVX2__)
namespace {

// Columns computed at once: more do not fit into registers.
constexpr int COLUMNS = 8;
// From this many columns on, ggml's tiles are as fast, since their unpacking is amortised.
constexpr int64_t TILED_FROM = 32;
// From this many columns on, this code is faster than ggml's single-column product.
#if defined(__AVX512VNNI__)
constexpr int64_t FEW = 1;
#else
constexpr int64_t FEW = 2;
#endif
// Rows a thread processes at a time.
constexpr int64_t CHUNK_ROWS = 64;
// Longest row of Q4_0 supported, in blocks: 32,768 weights.
constexpr int BLOCKS_MAX = 1024;

// Scales and offsets of Q4_0's activations, computed once for all rows; ordered by block, then by column.
struct Activations {
    float scale[BLOCKS_MAX * COLUMNS];
    // -8 times the sum of a block's quantized values, halved because it is added to both lanes of a row.
    int32_t offset[BLOCKS_MAX * COLUMNS];
};

// Returns 8 quantized values of a column, one of the four parts of a block. A single column is stored in plain
// blocks; several are interleaved by four, 8 values of one column after 8 of the previous one.
template <int N> const int8_t * eight_levels(const void * levels, int blocks, int block, int column, int part) {
    if constexpr (N == 1) {
        return &((const block_q8_0 *) levels)[block].qs[part * 8];
    }
    return &((const block_q8_0x4 *) levels)[column / 4 * blocks + block].qs[(part * 4 + column % 4) * 8];
}

template <int N> void prepare(int blocks, const void * levels, Activations & out) {
    for (int block = 0; block < blocks; block++) {
        for (int column = 0; column < N; column++) {
            int sum = 0;
            for (int part = 0; part < 4; part++) {
                const int8_t * eight = eight_levels<N>(levels, blocks, block, column, part);
                for (int i = 0; i < 8; i++) {
                    sum += eight[i];
                }
            }
            const ggml_half scale = N == 1 ? ((const block_q8_0 *) levels)[block].d :
                                             ((const block_q8_0x4 *) levels)[column / 4 * blocks + block].d[column % 4];
            out.scale[block * N + column] = GGML_CPU_FP16_TO_FP32(scale);
            out.offset[block * N + column] = -4 * sum;
        }
    }
}

#if defined(__AVX512VNNI__) && defined(__AVX512BW__)

// Multiplies one row of Q6_K by N columns.
template <int N> void row_q6(int blocks, const block_q6_K * row, const block_q8_K * const * columns, float * out) {
    // Bits 4 and 5 of a value are stored in qh; their position within the byte changes every 32 values.
    const __m512i left = _mm512_inserti64x4(_mm512_set1_epi32(4), _mm256_set1_epi32(2), 1);
    const __m512i right = _mm512_inserti64x4(_mm512_setzero_si512(), _mm256_set1_epi32(2), 1);
    const __m512i low = _mm512_set1_epi8(0x0F), high = _mm512_set1_epi8(0x30);
    // Selects 8 of the 16 scales, one per 16 values, in the order in which packs_epi32 leaves the sums.
    const __m512i first = _mm512_set_epi16(7, 7, 7, 7, 3, 3, 3, 3, 6, 6, 6, 6, 2, 2, 2, 2, 5, 5, 5, 5, 1, 1, 1, 1, 4, 4,
                                           4, 4, 0, 0, 0, 0);
    const __m512i last = _mm512_add_epi16(first, _mm512_set1_epi16(8)), zero = _mm512_setzero_si512();
    __m512 sums[N];
    for (int n = 0; n < N; n++) {
        sums[n] = _mm512_setzero_ps();
    }
    for (int b = 0; b < blocks; b++) {
        __m512i levels[4];
        for (int half = 0; half < 2; half++) {
            const __m512i ql = _mm512_loadu_si512(row[b].ql + 64 * half);
            const __m512i qh = _mm512_broadcast_i64x4(_mm256_loadu_si256((const __m256i *) (row[b].qh + 32 * half)));
            const __m512i upper[2] = { _mm512_sllv_epi32(qh, left), _mm512_srlv_epi32(qh, right) };
            levels[2 * half] = _mm512_or_si512(_mm512_and_si512(ql, low), _mm512_and_si512(upper[0], high));
            levels[2 * half + 1] = _mm512_or_si512(_mm512_and_si512(_mm512_srli_epi16(ql, 4), low),
                                                   _mm512_and_si512(upper[1], high));
        }
        const __m256i scales = _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *) row[b].scales));
        const __m512i of_first = _mm512_permutexvar_epi16(first, _mm512_castsi256_si512(scales));
        const __m512i of_last = _mm512_permutexvar_epi16(last, _mm512_castsi256_si512(scales));
        // The stored values are 32 too large.
        const __m256i offsets = _mm256_slli_epi16(_mm256_sub_epi16(_mm256_setzero_si256(), scales), 5);
        const float scale = GGML_CPU_FP16_TO_FP32(row[b].d);
        for (int n = 0; n < N; n++) {
            const block_q8_K & with = columns[n][b];
            __m512i four[4];
            for (int i = 0; i < 4; i++) {
                four[i] = _mm512_dpbusd_epi32(zero, levels[i], _mm512_loadu_si512(with.qs + 64 * i));
            }
            // A sum of four products of at most 63 * 128 fits in 16 bits.
            const __m256i bsums = _mm256_loadu_si256((const __m256i *) with.bsums);
            __m512i sum = _mm512_zextsi256_si512(_mm256_madd_epi16(offsets, bsums));
            sum = _mm512_dpwssd_epi32(sum, _mm512_packs_epi32(four[0], four[1]), of_first);
            sum = _mm512_dpwssd_epi32(sum, _mm512_packs_epi32(four[2], four[3]), of_last);
            sums[n] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(sum), _mm512_set1_ps(scale * with.d), sums[n]);
        }
    }
    for (int n = 0; n < N; n++) {
        out[n] = _mm512_reduce_add_ps(sums[n]);
    }
}

// Multiplies 8 interleaved rows of Q4_0 by N columns; columns of `out` are `stride` apart.
template <int N>
void rows_q4(int blocks, const block_q4_0x8 * rows, const void * levels, const Activations & with, float * out,
             size_t stride) {
    const __m512i low = _mm512_set1_epi8(0x0F), sign = _mm512_set1_epi8((char) 0x88);
    // Each row occupies two lanes of the sums.
    const __m512i twice = _mm512_set_epi32(7, 7, 6, 6, 5, 5, 4, 4, 3, 3, 2, 2, 1, 1, 0, 0);
    __m512 sums[N];
    for (int n = 0; n < N; n++) {
        sums[n] = _mm512_setzero_ps();
    }
    for (int b = 0; b < blocks; b++) {
        // Repacking made the values signed, which is undone here. They come 8 by 8; those in the upper half-bytes
        // are 16 further on.
        const __m512i front = _mm512_xor_si512(_mm512_loadu_si512(rows[b].qs), sign);
        const __m512i back = _mm512_xor_si512(_mm512_loadu_si512(rows[b].qs + 64), sign);
        const __m512i weights[4] = { _mm512_and_si512(front, low), _mm512_and_si512(back, low),
                                     _mm512_and_si512(_mm512_srli_epi16(front, 4), low),
                                     _mm512_and_si512(_mm512_srli_epi16(back, 4), low) };
        const __m256 scales = _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *) rows[b].d));
        const __m512 scale = _mm512_permutexvar_ps(twice, _mm512_castps256_ps512(scales));
        for (int n = 0; n < N; n++) {
            __m512i sum = _mm512_set1_epi32(with.offset[b * N + n]);
            for (int part = 0; part < 4; part++) {
                int64_t eight;
                memcpy(&eight, eight_levels<N>(levels, blocks, b, n, part), 8);
                sum = _mm512_dpbusd_epi32(sum, weights[part], _mm512_set1_epi64(eight));
            }
            const __m512 scaled = _mm512_mul_ps(scale, _mm512_set1_ps(with.scale[b * N + n]));
            sums[n] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(sum), scaled, sums[n]);
        }
    }
    for (int n = 0; n < N; n++) {
        const __m512 both = _mm512_add_ps(sums[n], _mm512_permute_ps(sums[n], 0xB1));
        const __m512i even = _mm512_set_epi32(0, 0, 0, 0, 0, 0, 0, 0, 14, 12, 10, 8, 6, 4, 2, 0);
        _mm256_storeu_ps(out + n * stride, _mm512_castps512_ps256(_mm512_permutexvar_ps(even, both)));
    }
}

#else

float sum_of(__m256 lanes) {
    const __m128 four = _mm_add_ps(_mm256_castps256_ps128(lanes), _mm256_extractf128_ps(lanes, 1));
    const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}

// As above, 32 values at a time.
template <int N> void row_q6(int blocks, const block_q6_K * row, const block_q8_K * const * columns, float * out) {
    const __m256i low = _mm256_set1_epi8(0x0F), high = _mm256_set1_epi8(0x30);
    __m256 sums[N];
    for (int n = 0; n < N; n++) {
        sums[n] = _mm256_setzero_ps();
    }
    for (int b = 0; b < blocks; b++) {
        __m256i levels[8], scaled[8];
        for (int half = 0; half < 2; half++) {
            const __m256i qh = _mm256_loadu_si256((const __m256i *) (row[b].qh + 32 * half));
            const __m256i upper[4] = { _mm256_slli_epi16(qh, 4), _mm256_slli_epi16(qh, 2), qh, _mm256_srli_epi16(qh, 2) };
            for (int i = 0; i < 4; i++) {
                const __m256i ql = _mm256_loadu_si256((const __m256i *) (row[b].ql + 64 * half + 32 * (i % 2)));
                const __m256i lower = _mm256_and_si256(i < 2 ? ql : _mm256_srli_epi16(ql, 4), low);
                levels[4 * half + i] = _mm256_or_si256(lower, _mm256_and_si256(upper[i], high));
            }
        }
        for (int i = 0; i < 8; i++) {
            scaled[i] = _mm256_set_m128i(_mm_set1_epi16(row[b].scales[2 * i + 1]), _mm_set1_epi16(row[b].scales[2 * i]));
        }
        const __m256i scales = _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *) row[b].scales));
        const __m256i offsets = _mm256_slli_epi16(_mm256_sub_epi16(_mm256_setzero_si256(), scales), 5);
        const float scale = GGML_CPU_FP16_TO_FP32(row[b].d);
        for (int n = 0; n < N; n++) {
            const block_q8_K & with = columns[n][b];
            __m256i sum = _mm256_madd_epi16(offsets, _mm256_loadu_si256((const __m256i *) with.bsums));
            for (int i = 0; i < 8; i++) {
                const __m256i two = _mm256_maddubs_epi16(levels[i], _mm256_loadu_si256((const __m256i *) (with.qs + 32 * i)));
                sum = _mm256_add_epi32(sum, _mm256_madd_epi16(two, scaled[i]));
            }
            sums[n] = _mm256_fmadd_ps(_mm256_cvtepi32_ps(sum), _mm256_set1_ps(scale * with.d), sums[n]);
        }
    }
    for (int n = 0; n < N; n++) {
        out[n] = sum_of(sums[n]);
    }
}

// As above, 4 rows at a time.
template <int N>
void rows_q4(int blocks, const block_q4_0x8 * rows, const void * levels, const Activations & with, float * out,
             size_t stride) {
    const __m256i low = _mm256_set1_epi8(0x0F), sign = _mm256_set1_epi8((char) 0x88), ones = _mm256_set1_epi16(1);
    for (int half = 0; half < 2; half++) {
        __m256 sums[N];
        for (int n = 0; n < N; n++) {
            sums[n] = _mm256_setzero_ps();
        }
        for (int b = 0; b < blocks; b++) {
            const auto at = (const __m256i *) (rows[b].qs + 32 * half);
            const __m256i front = _mm256_xor_si256(_mm256_loadu_si256(at), sign);
            const __m256i back = _mm256_xor_si256(_mm256_loadu_si256(at + 2), sign);
            const __m256i weights[4] = { _mm256_and_si256(front, low), _mm256_and_si256(back, low),
                                         _mm256_and_si256(_mm256_srli_epi16(front, 4), low),
                                         _mm256_and_si256(_mm256_srli_epi16(back, 4), low) };
            const __m128 scales = _mm_cvtph_ps(_mm_loadl_epi64((const __m128i *) (rows[b].d + 4 * half)));
            const __m256 scale = _mm256_set_m128(_mm_unpackhi_ps(scales, scales), _mm_unpacklo_ps(scales, scales));
            for (int n = 0; n < N; n++) {
                // A sum of four pairs of products of at most 15 * 128 fits in 16 bits.
                __m256i two = _mm256_setzero_si256();
                for (int part = 0; part < 4; part++) {
                    int64_t eight;
                    memcpy(&eight, eight_levels<N>(levels, blocks, b, n, part), 8);
                    two = _mm256_add_epi16(two, _mm256_maddubs_epi16(weights[part], _mm256_set1_epi64x(eight)));
                }
                const __m256i offset = _mm256_set1_epi32(with.offset[b * N + n]);
                const __m256i sum = _mm256_add_epi32(offset, _mm256_madd_epi16(two, ones));
                const __m256 scaled = _mm256_mul_ps(scale, _mm256_set1_ps(with.scale[b * N + n]));
                sums[n] = _mm256_fmadd_ps(_mm256_cvtepi32_ps(sum), scaled, sums[n]);
            }
        }
        for (int n = 0; n < N; n++) {
            const __m256 both = _mm256_add_ps(sums[n], _mm256_permute_ps(sums[n], 0xB1));
            const __m256i even = _mm256_set_epi32(0, 0, 0, 0, 6, 4, 2, 0);
            _mm_storeu_ps(out + n * stride + 4 * half, _mm256_castps256_ps128(_mm256_permutevar8x32_ps(both, even)));
        }
    }
}

#endif

// Multiplies `columns` rows of Q4_0, 8 at a time, by N columns of activations.
template <int N>
void product_q4(int blocks, float * out, size_t stride, const void * weights, const void * levels, int columns,
                Activations & with) {
    prepare<N>(blocks, levels, with);
    for (int at = 0; at < columns; at += 8) {
        rows_q4<N>(blocks, (const block_q4_0x8 *) weights + at / 8 * blocks, levels, with, out + at, stride);
    }
}

// Multiplies one row of Q6_K by up to COLUMNS columns.
void row_q6_any(int count, int blocks, const block_q6_K * row, const block_q8_K * const * columns, float * out) {
    switch (count) {
        case 1: return row_q6<1>(blocks, row, columns, out);
        case 2: return row_q6<2>(blocks, row, columns, out);
        case 3: return row_q6<3>(blocks, row, columns, out);
        case 4: return row_q6<4>(blocks, row, columns, out);
        case 5: return row_q6<5>(blocks, row, columns, out);
        case 6: return row_q6<6>(blocks, row, columns, out);
        case 7: return row_q6<7>(blocks, row, columns, out);
        case 8: return row_q6<8>(blocks, row, columns, out);
        default: GGML_ABORT("more than eight columns at a time");
    }
}

} // namespace
#endif

extern "C" {

// Replaces llamafile_sgemm; ggml calls it after quantizing the activations to Q8_K.
bool solverbox_sgemm(const struct ggml_compute_params * params, int64_t m, int64_t n, int64_t k, const void * a,
                     int64_t lda, const void * b, int64_t ldb, void * c, int64_t ldc, int a_type, int b_type, int c_type) {
#if defined(__AVX2__)
    if (a_type == GGML_TYPE_Q6_K && b_type == GGML_TYPE_Q8_K && c_type == GGML_TYPE_F32 && n >= FEW) {
        if (params->ith == 0) {
            ggml_threadpool_chunk_set(params->threadpool, params->nth);
        }
        ggml_barrier(params->threadpool);
        const int64_t chunks = (m + CHUNK_ROWS - 1) / CHUNK_ROWS;
        for (int64_t chunk = params->ith; chunk < chunks; chunk = ggml_threadpool_chunk_add(params->threadpool, 1)) {
            const int64_t end = std::min(m, (chunk + 1) * CHUNK_ROWS);
            for (int64_t from = 0; from < n; from += COLUMNS) {
                const int count = (int) std::min<int64_t>(COLUMNS, n - from);
                const block_q8_K * columns[COLUMNS];
                for (int i = 0; i < count; i++) {
                    columns[i] = (const block_q8_K *) b + (from + i) * ldb;
                }
                for (int64_t row = chunk * CHUNK_ROWS; row < end; row++) {
                    float out[COLUMNS];
                    row_q6_any(count, (int) k, (const block_q6_K *) a + row * lda, columns, out);
                    for (int i = 0; i < count; i++) {
                        ((float *) c)[(from + i) * ldc + row] = out[i];
                    }
                }
            }
        }
        return true;
    }
#endif
    return llamafile_sgemm(params, m, n, k, a, lda, b, ldb, c, ldc, a_type, b_type, c_type);
}

// Replaces ggml_compute_forward_mul_mat_tiled, which ggml tries before the sgemm.
bool solverbox_tiled(const struct ggml_compute_params * params, struct ggml_tensor * dst) {
#if defined(__AVX2__)
    if (dst->src[0]->type == GGML_TYPE_Q6_K && dst->src[1]->ne[1] < TILED_FROM) {
        return false;
    }
#endif
    return ggml_compute_forward_mul_mat_tiled(params, dst);
}

// Replaces ggml_gemm_q4_0_8x8_q8_0: `rows` activations (a multiple of 4) by `columns` weights (a multiple of 8).
void solverbox_gemm_q4_0(int n, float * out, size_t stride, const void * weights, const void * levels, int rows,
                         int columns) {
#if defined(__AVX2__)
    const int blocks = n / QK8_0;
    if (blocks <= BLOCKS_MAX) {
        Activations with;
        for (int from = 0; from < rows;) {
            const auto some = (const block_q8_0x4 *) levels + from / 4 * blocks;
            const bool is_wide = rows - from >= COLUMNS;
            const auto product = is_wide ? product_q4<COLUMNS> : product_q4<4>;
            product(blocks, out + from * stride, stride, weights, some, columns, with);
            from += is_wide ? COLUMNS : 4;
        }
        return;
    }
#endif
    ggml_gemm_q4_0_8x8_q8_0(n, out, stride, weights, levels, rows, columns);
}

// Replaces ggml_gemv_q4_0_8x8_q8_0: the same for a single activation.
void solverbox_gemv_q4_0(int n, float * out, size_t stride, const void * weights, const void * levels, int rows,
                         int columns) {
#if defined(__AVX512VNNI__)
    const int blocks = n / QK8_0;
    if (blocks <= BLOCKS_MAX && rows == 1) {
        Activations with;
        return product_q4<1>(blocks, out, stride, weights, levels, columns, with);
    }
#endif
    ggml_gemv_q4_0_8x8_q8_0(n, out, stride, weights, levels, rows, columns);
}

} // extern "C"
