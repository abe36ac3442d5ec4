// SPDX-License-Identifier: Apache-2.0
// Messages ↔ protobuf bytes. Decoding validates everything that comes from outside; protobuf itself
// stays in the .cpp files.
//
// Thread rule: pure functions.
#pragma once

#include "dataplane/api/framing.hpp"
#include "dataplane/api/messages.hpp"
#include "dataplane/api/refusal.hpp"

#include <cstdint>
#include <expected>
#include <span>
#include <vector>

namespace penstock {

/// Decodes one message as the server gets it. Checked: the bytes are the message, one of the known
/// requests is in it, addresses are of 4 or 16 bytes, enumerations name something, numbers are in
/// range, counts are within core/identity.hpp's limits, names are 1 … max_name_bytes printable
/// bytes, keys are unique, ids and sequences are above 0.
[[nodiscard]] std::expected<ClientMessage, Refusal>
decode_client_message(std::span<const std::uint8_t> message);

/// As above, as the client gets it.
[[nodiscard]] std::expected<ServerMessage, Refusal>
decode_server_message(std::span<const std::uint8_t> message);

/// A whole frame, length first. An error if the message would exceed max_message_bytes.
[[nodiscard]] std::expected<std::vector<std::uint8_t>, Refusal>
encode_frame(const ClientMessage& message);
[[nodiscard]] std::expected<std::vector<std::uint8_t>, Refusal>
encode_frame(const ServerMessage& message);

/// Accepts the other end's hello, or says why not: a version other than ours, an instance id of 0.
[[nodiscard]] std::expected<void, Refusal> check_hello(const Hello& hello);

} // namespace penstock
