// SPDX-License-Identifier: Apache-2.0
#include "bpf/libbpf_messages.hpp"

#include <array>
#include <cstdarg>
#include <cstdio>

namespace penstock::bpf {

namespace {

thread_local std::string complaint;

int keep_complaint(libbpf_print_level level, const char* format, va_list arguments) {
    if (level != LIBBPF_WARN)
        return 0;
    std::array<char, 256> text{};
    const int length = std::vsnprintf(text.data(), text.size(), format, arguments);
    complaint = text.data();
    complaint.erase(complaint.find_last_not_of(" \n") + 1);
    return length;
}

} // namespace

LibbpfMessages::LibbpfMessages() : previous_(libbpf_set_print(keep_complaint)) {
    complaint.clear();
}

LibbpfMessages::~LibbpfMessages() {
    libbpf_set_print(previous_);
}

std::string LibbpfMessages::suffix() const {
    return complaint.empty() ? "" : " (" + complaint + ")";
}

} // namespace penstock::bpf
