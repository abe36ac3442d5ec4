// SPDX-License-Identifier: Apache-2.0
// Why an XDP program could not be loaded, attached, found or fed, in an operator's words.
//
// Thread rule: values.
#pragma once

#include <expected>
#include <string>
#include <string_view>

namespace penstock::bpf {

struct BpfError {
    std::string cause;  ///< "cannot attach to eth0: Operation not permitted"
    std::string remedy; ///< "run as root"; never empty

    /// One line: cause and remedy.
    [[nodiscard]] std::string text() const { return cause + "; " + remedy; }
};

template <typename Value>
using BpfResult = std::expected<Value, BpfError>;

using BpfFailure = std::unexpected<BpfError>;

/// The error of a kernel call: `what` ("cannot read the map 'vips'"), the text of `error_number`
/// (positive) and the remedy that fits the number, or else `remedy`.
[[nodiscard]] BpfFailure
kernel_failure(std::string_view what, int error_number, std::string_view remedy);

/// For a map that cannot be read or written though it was there.
inline constexpr std::string_view map_remedy = "restart the program that owns the map";

/// "eth0", or "interface 7" if there is none of that index (any more).
[[nodiscard]] std::string interface_name(unsigned int interface_index);

} // namespace penstock::bpf
