// SPDX-License-Identifier: Apache-2.0
// Memory for a flow table as penstock-dp takes it without reserved hugepages: zeroed, touched,
// with the wish for transparent huge pages, so that no benchmark needs the machine prepared.
//
// Thread rule: one owner.
#pragma once

#include <cstddef>
#include <cstring>
#include <new>
#include <span>
#include <sys/mman.h>

namespace penstock::bench {

class TableMemory {
public:
    /// Throws std::bad_alloc if the kernel has no room.
    explicit TableMemory(std::size_t length) : length_(length) {
        memory_ =
            ::mmap(nullptr, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (memory_ == MAP_FAILED) {
            throw std::bad_alloc();
        }
        (void)::madvise(memory_, length, MADV_HUGEPAGE); // a wish: read_transparent_mb() tells
        std::memset(memory_, 0, length);
    }

    ~TableMemory() { ::munmap(memory_, length_); }

    TableMemory(const TableMemory&) = delete;
    TableMemory& operator=(const TableMemory&) = delete;

    [[nodiscard]] std::span<std::byte> bytes() const {
        return {static_cast<std::byte*>(memory_), length_};
    }

private:
    std::size_t length_;
    void* memory_;
};

} // namespace penstock::bench
