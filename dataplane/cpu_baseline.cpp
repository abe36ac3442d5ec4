// SPDX-License-Identifier: Apache-2.0
#include "dataplane/cpu_baseline.hpp"

#if defined(__x86_64__)

#include <cpuid.h>
#include <cstddef>
#include <sys/syscall.h>

namespace penstock {

namespace {

struct Feature {
    std::uint32_t CpuidWords::* word;
    unsigned bit;
    const char* name;
};

// Intel SDM vol. 2A, CPUID; the psABI's list for x86-64-v3, and AES.
constexpr Feature baseline[] = {
    {&CpuidWords::leaf1_ecx, 0, "pni"},
    {&CpuidWords::leaf1_ecx, 9, "ssse3"},
    {&CpuidWords::leaf1_ecx, 12, "fma"},
    {&CpuidWords::leaf1_ecx, 13, "cx16"},
    {&CpuidWords::leaf1_ecx, 19, "sse4_1"},
    {&CpuidWords::leaf1_ecx, 20, "sse4_2"},
    {&CpuidWords::leaf1_ecx, 22, "movbe"},
    {&CpuidWords::leaf1_ecx, 23, "popcnt"},
    {&CpuidWords::leaf1_ecx, 25, "aes"},
    {&CpuidWords::leaf1_ecx, 28, "avx"},
    {&CpuidWords::leaf1_ecx, 29, "f16c"},
    {&CpuidWords::leaf7_ebx, 3, "bmi1"},
    {&CpuidWords::leaf7_ebx, 5, "avx2"},
    {&CpuidWords::leaf7_ebx, 8, "bmi2"},
    {&CpuidWords::extended1_ecx, 0, "lahf_lm"},
    {&CpuidWords::extended1_ecx, 5, "abm"},
};

constexpr unsigned osxsave_bit = 27;
constexpr std::uint64_t sse_and_avx_state = 0x6;

} // namespace

__attribute__((no_sanitize("address", "undefined"))) const char*
missing_cpu_feature(const CpuidWords& words) {
    for (const Feature& feature : baseline) {
        if ((words.*feature.word & (1U << feature.bit)) == 0) {
            return feature.name;
        }
    }
    if ((words.leaf1_ecx & (1U << osxsave_bit)) == 0 ||
        (words.xcr0 & sse_and_avx_state) != sse_and_avx_state) {
        return "xsave (the kernel has not enabled AVX state)";
    }
    return nullptr;
}

namespace {

__attribute__((no_sanitize("address", "undefined"))) CpuidWords read_cpuid() {
    CpuidWords words;
    std::uint32_t eax = 0;
    std::uint32_t ebx = 0;
    std::uint32_t ecx = 0;
    std::uint32_t edx = 0;
    if (__get_cpuid(1, &eax, &ebx, &ecx, &edx) != 0) {
        words.leaf1_ecx = ecx;
    }
    if (__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) != 0) {
        words.leaf7_ebx = ebx;
    }
    if (__get_cpuid(0x80000001U, &eax, &ebx, &ecx, &edx) != 0) {
        words.extended1_ecx = ecx;
    }
    if ((words.leaf1_ecx & (1U << osxsave_bit)) != 0) {
        std::uint32_t low = 0;
        std::uint32_t high = 0;
        __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
        words.xcr0 = (std::uint64_t{high} << 32U) | low;
    }
    return words;
}

// The C library is not ready and may itself be unable to run here: system calls by hand.
__attribute__((no_sanitize("address", "undefined"))) long
call_kernel(long number, long first, long second, long third) {
    long result = 0;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(first), "S"(second), "d"(third)
                     : "rcx", "r11", "memory");
    return result;
}

__attribute__((no_sanitize("address", "undefined"))) void write_error(const char* text) {
    std::size_t length = 0;
    // volatile: or the loop becomes a call of strlen, which the C library has not chosen yet.
    for (const volatile char* at = text; *at != '\0'; ++at) {
        ++length;
    }
    // A failure to complain cannot be complained about.
    (void)call_kernel(SYS_write, 2, reinterpret_cast<long>(text), static_cast<long>(length));
}

__attribute__((no_sanitize("address", "undefined"))) void check_cpu_baseline() {
    const CpuidWords words = read_cpuid();
    const char* const missing = missing_cpu_feature(words);
    if (missing == nullptr) {
        return;
    }
    write_error("penstock-dp: this CPU lacks ");
    write_error(missing);
    write_error(": Penstock needs x86-64-v3 with AES (servers since 2013/2017); "
                "in a virtual machine, pass the host's CPU through\n");
    (void)call_kernel(SYS_exit_group, 1, 0, 0);
}

// NOLINTNEXTLINE: the attribute is what makes it run
__attribute__((section(".preinit_array"), used)
) void (*const run_cpu_baseline_check)() = check_cpu_baseline;

} // namespace
} // namespace penstock

#else

namespace penstock {

const char* missing_cpu_feature(const CpuidWords&) {
    return nullptr;
}

} // namespace penstock

#endif
