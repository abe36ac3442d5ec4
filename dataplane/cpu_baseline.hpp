// SPDX-License-Identifier: Apache-2.0
// The CPU that penstock-dp is compiled for: x86-64-v3 with AES (ARCHITECTURE.md). An older one
// would die of SIGILL somewhere in a constructor, so it is turned away before anything else runs.
//
// The check itself is an entry of .preinit_array (cpu_baseline.cpp): it runs before every
// constructor of the program and of its libraries, is compiled for plain x86-64 and calls nothing
// but the kernel.
//
// Thread rule: pure function.
#pragma once

#include <cstdint>

namespace penstock {

/// The registers that tell what the CPU can do, and what the kernel lets it do.
struct CpuidWords {
    std::uint32_t leaf1_ecx = 0;
    std::uint32_t leaf7_ebx = 0;
    std::uint32_t extended1_ecx = 0; ///< leaf 0x80000001
    std::uint64_t xcr0 = 0;          ///< 0 if the kernel has not enabled XSAVE
};

/// The first feature of the baseline that is missing, as /proc/cpuinfo spells it, or nullptr.
[[nodiscard]] const char* missing_cpu_feature(const CpuidWords& words);

} // namespace penstock
