// SPDX-License-Identifier: Apache-2.0
// Wire messages → checked values: what codec.hpp does on the way in. Private to codec.
//
// Thread rule: one Decoder decodes one message. Every value is checked where it is read. A function
// returns false after it has said why in `error_`, and its callers return at once; `place` grows as
// they go down, so that the reason names the spot. decode_values.cpp has addresses, texts and
// numbers, decode_state.cpp the desired state, decode.cpp the rest.
#pragma once

#include "dataplane/api/messages.hpp"

#include <dataplane.pb.h>
#include <fmt/format.h>

#include <cstdint>
#include <string>
#include <vector>

namespace penstock {

class Decoder {
public:
    bool decode(const wire::ClientMessage& in, ClientMessage& out);
    bool decode(const wire::ServerMessage& in, ServerMessage& out);

    [[nodiscard]] const Refusal& error() const { return error_; }

private:
    bool fail(const std::string& place, std::string cause, std::string remedy) {
        error_ = {place, std::move(cause), std::move(remedy)};
        return false;
    }

    bool decode(const wire::Hello& in, Hello& out);
    bool decode(const wire::Request& in, Request& out);
    bool decode(const wire::ApplyDesiredState& in, DesiredState& out);
    bool decode(const wire::FlowTimeouts& in, FlowTimeouts& out);
    bool decode(const std::string& place, const wire::Service& in, ServiceSpec& out);
    bool decode(const std::string& place, const wire::Backend& in, BackendSpec& out);
    bool decode(const std::string& place, const wire::ServiceKey& in, ServiceKey& out);
    bool decode(const std::string& place, const wire::BackendKey& in, BackendKey& out);
    bool decode(const std::string& place, const wire::Prefix& in, IpPrefix& out);
    bool decode(const std::string& place, const wire::Access& in, AccessSpec& out);
    bool decode(const std::string& place, const wire::ServiceLimits& in, ServiceLimits& out);
    bool decode(const std::string& place, const wire::QuicLb& in, QuicLbSpec& out);
    bool decode_policy(const std::string& place, const wire::Service& in, ServiceSpec& out);
    bool decode_gue(const std::string& place, const wire::Service& in, ServiceSpec& out);
    bool decode_affinity(const std::string& place, const wire::Service& in, ServiceSpec& out);
    bool decode_quic(const std::string& place, const wire::Service& in, ServiceSpec& out);
    bool decode_backends(const std::string& place, const wire::Service& in, ServiceSpec& out);
    bool decode_sources(const wire::ApplyDesiredState& in, DesiredState& out);
    bool decode_services(const wire::ApplyDesiredState& in, DesiredState& out);
    bool decode(const wire::UpdateHealth& in, UpdateHealth& out);
    bool decode(const wire::ExplainPackets& in, ExplainPackets& out);
    bool decode(const wire::Reply& in, Reply& out);
    bool decode(const wire::Explained& in, Explained& out);
    bool decode(const std::string& place, const wire::ExplainedPacket& in, ExplainedPacket& out);
    bool
    decode_choice(const std::string& place, const wire::ExplainedPacket& in, ExplainedPacket& out);
    bool decode(const wire::Refused& in, Refused& out);
    bool decode(const wire::Status& in, Status& out);
    bool decode(const std::string& place, const wire::WorkerStatus& in, WorkerStatus& out);
    bool decode(const std::string& place, const wire::PortStatus& in, PortStatus& out);
    bool decode(const std::string& place, const wire::BackendStatus& in, BackendStatus& out);

    bool decode_address(const std::string& place, const std::string& bytes, IpAddress& out);
    bool
    decode_prefixes(const std::string& place, const std::string& bytes, std::vector<IpPrefix>& out);
    bool decode_mac(const std::string& place, const std::string& bytes, MacAddress& out);
    bool decode_name(const std::string& place, const std::string& text, std::string& out);
    bool decode_text(
        const std::string& place, const std::string& text, std::size_t max_bytes, std::string& out
    );
    template <typename Number>
    bool decode_number(
        const std::string& place,
        std::uint64_t value,
        std::uint64_t min,
        std::uint64_t max,
        Number& out
    );
    template <typename Value>
    bool
    decode_word(const std::string& place, int word, Value& out); ///< those in decode_values.cpp
    bool check_count(const std::string& place, std::size_t count, std::size_t max);

    std::size_t access_prefixes_ = 0; ///< decoded so far, in all lists
    Refusal error_;
};

template <typename Number>
bool Decoder::decode_number(
    const std::string& place, std::uint64_t value, std::uint64_t min, std::uint64_t max, Number& out
) {
    if (value < min || value > max) {
        return fail(
            place, fmt::format("{} is out of range", value), fmt::format("send {} to {}", min, max)
        );
    }
    out = static_cast<Number>(value);
    return true;
}

} // namespace penstock
