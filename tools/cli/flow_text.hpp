// SPDX-License-Identifier: Apache-2.0
// "tcp 203.0.113.7:40000 198.51.100.10:443" → a flow, as penstock explain takes it: from the command
// line, and line by line from a file.
//
// Thread rule: pure functions, but read_flow_list(), which reads one file.
#pragma once

#include "tools/cli/failure.hpp"

#include <cstdint>
#include <expected>
#include <span>
#include <string>
#include <vector>

namespace penstock::cli {

struct FlowText {
    std::string protocol; ///< "tcp" or "udp"
    std::string source;
    std::string destination;
    std::uint16_t source_port = 0;
    std::uint16_t destination_port = 0;
    bool syn = false;

    /// As it was written.
    [[nodiscard]] std::string text() const;
};

/// Protocol, source, destination and perhaps "syn"; the error is a cause in words.
[[nodiscard]] std::expected<FlowText, std::string> parse_flow(std::span<const std::string> words);

/// One flow a line; empty lines and those that begin with # say nothing. An error names file and
/// line.
[[nodiscard]] std::expected<std::vector<FlowText>, Failure> read_flow_list(const std::string& file);

} // namespace penstock::cli
