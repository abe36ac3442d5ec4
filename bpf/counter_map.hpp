// SPDX-License-Identifier: Apache-2.0
// The per-CPU counters of a loaded program, summed over the CPUs.
//
// Thread rule: one thread. The program goes on counting meanwhile: each counter is exact, their sum
// is only as of the duration of the call.
#pragma once

#include "bpf/error.hpp"
#include "bpf/file_descriptor.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace penstock::bpf {

class CounterMap {
public:
    /// Takes over the descriptor of a per-CPU array of `counters` entries, each of `words` 64-bit
    /// numbers.
    [[nodiscard]] static BpfResult<CounterMap>
    adopt(FileDescriptor map, std::uint32_t counters, std::uint32_t words);

    /// Entry `counter`, word by word, into `sums`. REQUIRES: sums.size() is `words`.
    [[nodiscard]] BpfResult<void> read(std::uint32_t counter, std::span<std::uint64_t> sums);

private:
    CounterMap(FileDescriptor map, std::size_t cpus, std::uint32_t words)
        : map_(std::move(map)), words_(words), values_(cpus * words) {}

    FileDescriptor map_;
    std::size_t words_;
    std::vector<std::uint64_t>
        values_; // what the kernel writes: `words_` numbers for each possible CPU
};

} // namespace penstock::bpf
