// Huge pages for repacked weights. build/kernels.rs compiles this into every set and makes repack.cpp call it to
// allocate its buffer.
//
// Untouched memory is mapped page by page, each with a page fault; 703 MB of weights take 180,000 of them, a fifth
// of a second at start-up. On request (madvise(2), MADV_HUGEPAGE) Linux maps pages of 2 MB and more, which also
// reduces TLB misses during decoding. Memory use stays within the plan, because the buffer is filled completely.
// On a kernel without huge pages nothing changes.
//
// A thread that faults the memory in ahead of time (MADV_POPULATE_WRITE) was tried: it did not shorten the start
// and added failure modes.
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
