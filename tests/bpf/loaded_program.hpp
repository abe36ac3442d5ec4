// SPDX-License-Identifier: Apache-2.0
// One of our objects, loaded into the kernel as a stranger would load it (DPDK does): opened from
// its bytes, with libbpf alone. Frames are run through it with BPF_PROG_TEST_RUN.
#pragma once

#include "bpf/file_descriptor.hpp"
#include "tests/bpf/frame.hpp"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

namespace penstock::bpf::test {

struct Outcome {
    std::uint32_t verdict = 0; ///< XDP_PASS, TC_ACT_SHOT, …
    Bytes frame;               ///< as the program left it

    friend bool operator==(const Outcome&, const Outcome&) = default;
};

class LoadedProgram {
public:
    /// Aborts the test run, with libbpf's words, if the kernel refuses the object.
    explicit LoadedProgram(std::span<const std::byte> object);

    /// Runs one frame as if it came from RX queue 0 of lo. REQUIRES: at least 14 bytes; the kernel
    /// takes no less.
    [[nodiscard]] Outcome run(const Bytes& frame) const;

    /// The same for a tc program: a packet with this mark that leaves by `interface_index`.
    [[nodiscard]] Outcome
    run_at_egress(const Bytes& frame, std::uint32_t mark, unsigned int interface_index) const;

    /// An own descriptor of the map.
    [[nodiscard]] FileDescriptor map(const std::string& name) const;

    [[nodiscard]] int program() const { return bpf_program__fd(program_); }

private:
    [[nodiscard]] Outcome run(const Bytes& frame, bpf_test_run_opts options) const;

    struct Close {
        void operator()(bpf_object* object) const { bpf_object__close(object); }
    };

    std::unique_ptr<bpf_object, Close> object_;
    bpf_program* program_ = nullptr;
};

} // namespace penstock::bpf::test
