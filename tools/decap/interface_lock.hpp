// SPDX-License-Identifier: Apache-2.0
// At most one penstock-decap an interface. The lock goes away with its process, however that ends,
// so the program of a killed one is a leftover that the next start may replace.
//
// Theory: flock(2) on a file in /run/penstock that is named after the network namespace and the
// interface index, because two namespaces may each have an eth0 and share /run. The file holds the
// owner's pid for people and is removed by its owner; whoever locks a file that was removed
// meanwhile tries again.
//
// Thread rule: one thread.
#pragma once

#include "bpf/error.hpp"
#include "bpf/file_descriptor.hpp"

#include <string>

namespace penstock::decap {

class InterfaceLock {
public:
    /// Refused at once, with the owner's pid, if another process holds it.
    [[nodiscard]] static bpf::BpfResult<InterfaceLock> acquire(unsigned int interface_index);

    InterfaceLock(InterfaceLock&&) noexcept = default;
    InterfaceLock& operator=(InterfaceLock&&) = delete;
    ~InterfaceLock();

private:
    InterfaceLock(bpf::FileDescriptor file, std::string path)
        : file_(std::move(file)), path_(std::move(path)) {}

    bpf::FileDescriptor file_;
    std::string path_;
};

} // namespace penstock::decap
