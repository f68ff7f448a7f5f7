// Large pages for repacked weights. build/kernels.rs compiles this into every set and has repack.cpp call it
// where it asks for its buffer.
//
// Memory a program has never touched comes page by page, each with a fault, and 703 MB of weights are 180,000 of
// them: a fifth of a second of a start. Linux gives pages of 2 MB and more where it is asked to (madvise(2),
// MADV_HUGEPAGE); decoding then also misses fewer addresses' translations. No memory is used that the plan does not
// have: the buffer is filled to its end. Where the kernel does not know large pages, nothing changes.
//
// A thread that fetches the memory ahead (MADV_POPULATE_WRITE) was tried: the same start, with more to go wrong.
#include "ggml-backend-impl.h"

#include <sys/mman.h>
#include <unistd.h>

extern "C" ggml_backend_buffer_t solverbox_alloc_buffer(ggml_backend_buffer_type_t type, size_t size) {
    ggml_backend_buffer_t buffer = ggml_backend_buft_alloc_buffer(type, size);
    if (buffer != nullptr) {
        const size_t page = (size_t) sysconf(_SC_PAGESIZE);
        const uintptr_t base = (uintptr_t) ggml_backend_buffer_get_base(buffer);
        const uintptr_t from = (base + page - 1) / page * page, to = (base + size) / page * page;
        if (from < to) {
            madvise((void *) from, to - from, MADV_HUGEPAGE);
        }
    }
    return buffer;
}
