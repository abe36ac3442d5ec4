// SPDX-License-Identifier: Apache-2.0
// What libbpf complains about, kept for an error's text instead of printed: it knows more than
// errno does.
//
// Thread rule: one thread at a time; libbpf has one place to print for the whole process.
#pragma once

#include <bpf/libbpf.h>
#include <string>

namespace penstock::bpf {

/// While it lives, libbpf's messages are kept.
class LibbpfMessages {
public:
    LibbpfMessages();
    ~LibbpfMessages();

    LibbpfMessages(const LibbpfMessages&) = delete;
    LibbpfMessages& operator=(const LibbpfMessages&) = delete;

    /// " (the last complaint)", or nothing if there was none.
    [[nodiscard]] std::string suffix() const;

private:
    libbpf_print_fn_t previous_;
};

} // namespace penstock::bpf
