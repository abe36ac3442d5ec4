// SPDX-License-Identifier: Apache-2.0
#include "controlplane/health/grpc_message.hpp"

#include <grpc_health.pb.h>

#include <cstdint>

namespace penstock {

namespace {

constexpr std::size_t frame_size = 5;

} // namespace

std::string encode_grpc_request(std::string_view service) {
    grpc::health::v1::HealthCheckRequest request;
    request.set_service(std::string(service));
    const std::string message = request.SerializeAsString();
    const auto length = static_cast<std::uint32_t>(message.size());
    std::string body(1, '\0'); // not compressed
    for (unsigned shift = 32; shift > 0;) {
        shift -= 8;
        body += static_cast<char>((length >> shift) & 0xffU);
    }
    return body + message;
}

std::string decode_grpc_response(std::string_view body) {
    if (body.size() < frame_size || body.front() != '\0') {
        return "malformed";
    }
    std::uint32_t length = 0;
    for (std::size_t i = 1; i < frame_size; ++i) {
        length = (length << 8U) | static_cast<std::uint8_t>(body[i]);
    }
    grpc::health::v1::HealthCheckResponse response;
    const std::string_view message = body.substr(frame_size);
    if (message.size() != length ||
        !response.ParseFromArray(message.data(), static_cast<int>(message.size()))) {
        return "malformed";
    }
    const auto status = response.status();
    return grpc::health::v1::HealthCheckResponse::ServingStatus_IsValid(status)
               ? grpc::health::v1::HealthCheckResponse::ServingStatus_Name(status)
               : "malformed";
}

} // namespace penstock
