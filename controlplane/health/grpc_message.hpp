// SPDX-License-Identifier: Apache-2.0
// The two messages of grpc.health.v1.Health/Check in their gRPC framing: one byte "compressed",
// four bytes length in network order, the protobuf.
//
// Thread rule: pure functions. Keeps protobuf's headers in one unit.
#pragma once

#include <string>
#include <string_view>

namespace penstock {

/// The body of a request about `service`; empty asks for the server as a whole.
[[nodiscard]] std::string encode_grpc_request(std::string_view service);

/// The status that a response's body carries, as its word: "SERVING", "NOT_SERVING", …; "malformed"
/// for what is none. Any bytes are fine.
[[nodiscard]] std::string decode_grpc_response(std::string_view body);

} // namespace penstock
