// SPDX-License-Identifier: Apache-2.0
// Memory for a flow table in tests: aligned, zeroed and no byte longer than asked for.
#pragma once

#include "dataplane/core/flow_table.hpp"

#include <cstddef>
#include <cstring>
#include <memory>
#include <new>
#include <span>

namespace penstock::test {

class TableMemory {
public:
    explicit TableMemory(std::size_t flows)
        : size_(FlowTable::bytes_for(flows)),
          memory_(static_cast<std::byte*>(::operator new(size_, line))) {
        std::memset(memory_.get(), 0, size_);
    }

    [[nodiscard]] std::span<std::byte> span() const { return {memory_.get(), size_}; }

private:
    static constexpr std::align_val_t line{64};

    struct Release {
        void operator()(std::byte* memory) const { ::operator delete(memory, line); }
    };

    std::size_t size_;
    std::unique_ptr<std::byte, Release> memory_;
};

} // namespace penstock::test
