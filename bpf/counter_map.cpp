// SPDX-License-Identifier: Apache-2.0
#include "bpf/counter_map.hpp"

#include <algorithm>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <cassert>
#include <cerrno>

namespace penstock::bpf {

BpfResult<CounterMap>
CounterMap::adopt(FileDescriptor map, std::uint32_t counters, std::uint32_t words) {
    bpf_map_info info{};
    std::uint32_t info_size = sizeof(info);
    if (bpf_obj_get_info_by_fd(map.number(), &info, &info_size) != 0)
        return kernel_failure("cannot read the map of counters", errno, map_remedy);
    if (info.type != BPF_MAP_TYPE_PERCPU_ARRAY || info.max_entries != counters ||
        info.value_size != words * sizeof(std::uint64_t))
        return BpfFailure(
            {"the map of counters has another layout than this build knows",
             "another version of Penstock attached the program: stop that one first"}
        );
    const int cpus = libbpf_num_possible_cpus();
    if (cpus <= 0)
        return kernel_failure("cannot tell the number of CPUs", -cpus, "mount /sys");
    return CounterMap(std::move(map), static_cast<std::size_t>(cpus), words);
}

BpfResult<void> CounterMap::read(std::uint32_t counter, std::span<std::uint64_t> sums) {
    assert(sums.size() == words_);
    if (bpf_map_lookup_elem(map_.number(), &counter, values_.data()) != 0)
        return kernel_failure("cannot read a counter", errno, map_remedy);
    std::fill(sums.begin(), sums.end(), 0);
    for (std::size_t index = 0; index < values_.size(); ++index)
        sums[index % words_] += values_[index];
    return {};
}

} // namespace penstock::bpf
