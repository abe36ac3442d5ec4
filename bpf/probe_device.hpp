// SPDX-License-Identifier: Apache-2.0
// The probe device: a TAP interface without neighbours, at whose egress probe.bpf.c runs. Its
// program takes every packet, so nothing is ever read from it.
//
// The device lives as long as the process that opened it: also a kill -9 takes it away, and with it
// its program and the routes through it.
//
// Thread rule: one thread; every call makes system calls.
#pragma once

#include "bpf/error.hpp"
#include "bpf/file_descriptor.hpp"

#include <string>
#include <string_view>

namespace penstock::bpf {

inline constexpr std::string_view probe_device_name = "penstock-probe";

class ProbeDevice {
public:
    /// Makes the device and takes it up. An error if another process has it.
    [[nodiscard]] static BpfResult<ProbeDevice> open();

    [[nodiscard]] unsigned int ifindex() const { return ifindex_; }

    /// Whether this kernel has IPv6 on it.
    [[nodiscard]] bool has_ipv6() const { return has_ipv6_; }

    /// Runs `program` on each packet that leaves by the device.
    [[nodiscard]] BpfResult<void> attach(int program);

private:
    explicit ProbeDevice(FileDescriptor tap) : tap_(std::move(tap)) {}

    FileDescriptor tap_;
    unsigned int ifindex_ = 0;
    bool has_ipv6_ = false;
};

} // namespace penstock::bpf
