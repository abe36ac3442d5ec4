// SPDX-License-Identifier: Apache-2.0
// Memory for the tables of core, where hugepages are not to be had or not worth it.
//
// Thread rule: made and destroyed by one thread; what is in it has the rules of its table.
#pragma once

#include <cstddef>
#include <memory>
#include <new>
#include <span>

namespace penstock {

/// Zeroed memory aligned to cache lines.
class LineMemory {
public:
    explicit LineMemory(std::size_t bytes);

    [[nodiscard]] std::span<std::byte> span() const { return {bytes_.get(), size_}; }

private:
    static constexpr std::align_val_t line{64};

    struct Release {
        void operator()(std::byte* bytes) const { ::operator delete(bytes, line); }
    };

    std::size_t size_;
    std::unique_ptr<std::byte, Release> bytes_;
};

} // namespace penstock
