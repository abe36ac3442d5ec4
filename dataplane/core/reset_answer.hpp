// SPDX-License-Identifier: Apache-2.0
// Ends a client's connection whose server is gone, for services with on_down = "reset": the client
// learns at once what it would otherwise wait for.
//
// Thread rule: pure edits of one packet.
#pragma once

#include "dataplane/core/packet.hpp"
#include "dataplane/core/parse.hpp"
#include "dataplane/core/port_facts.hpp"

namespace penstock {

/// Turns a TCP segment of the client into the RST that its receiver would send for a connection
/// that it does not know (RFC 9293 3.10.7.1), from the VIP. Dropped, and left as it came, if it is
/// a RST itself (no_backend) or its source must not be answered (bad_reply_target). REQUIRES: TCP,
/// no later fragment.
[[nodiscard]] Verdict
answer_reset(Packet& packet, const ParsedPacket& parsed, const PortFacts& port);

} // namespace penstock
