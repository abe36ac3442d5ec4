// SPDX-License-Identifier: Apache-2.0
// A packet of a flow as a frame, to ask the dataplane about.
//
// Thread rule: pure functions.
#pragma once

#include "dataplane/core/addresses.hpp"
#include "dataplane/core/desired_state.hpp"

#include <cstdint>
#include <expected>
#include <string>
#include <vector>

namespace penstock {

/// A flow by its addresses and ports, in host order.
struct ExampleFlow {
    Protocol protocol = Protocol::tcp;
    IpAddress source;
    IpAddress destination;
    std::uint16_t source_port = 0;
    std::uint16_t destination_port = 0;
    bool opens = false; ///< TCP: a SYN instead of an ACK
};

/// Without payload, TTL 64, DF. REQUIRES: both addresses are of one family.
[[nodiscard]] std::vector<std::uint8_t> make_example_frame(const ExampleFlow& flow);

/// Hexadecimal digits, two a byte; an error says what is wrong.
[[nodiscard]] std::expected<std::vector<std::uint8_t>, std::string>
decode_hex(const std::string& text);

[[nodiscard]] std::string encode_hex(const std::vector<std::uint8_t>& bytes);

} // namespace penstock
