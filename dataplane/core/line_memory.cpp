// SPDX-License-Identifier: Apache-2.0
#include "dataplane/core/line_memory.hpp"

#include <cstring>

namespace penstock {

LineMemory::LineMemory(std::size_t bytes)
    : size_(bytes), bytes_(static_cast<std::byte*>(::operator new(bytes, line))) {
    std::memset(bytes_.get(), 0, bytes);
}

} // namespace penstock
