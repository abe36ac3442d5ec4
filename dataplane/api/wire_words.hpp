// SPDX-License-Identifier: Apache-2.0
// The words of dataplane.proto for the enumerations of core and messages.hpp, both ways. Private to
// codec.
//
// Thread rule: pure functions. This and decoder.hpp are the headers here that name protobuf types:
// codec's .cpp files include them, nobody else does.
#pragma once

#include "dataplane/api/messages.hpp"

#include <dataplane.pb.h>

#include <array>
#include <optional>
#include <utility>

namespace penstock {

template <typename Value>
struct WireWords;

template <>
struct WireWords<Protocol> {
    static constexpr std::array words{
        std::pair{Protocol::any, wire::PROTOCOL_ANY},
        std::pair{Protocol::tcp, wire::PROTOCOL_TCP},
        std::pair{Protocol::udp, wire::PROTOCOL_UDP},
    };
};

template <>
struct WireWords<Forwarding> {
    static constexpr std::array words{
        std::pair{Forwarding::l2dsr, wire::FORWARDING_L2DSR},
        std::pair{Forwarding::ipip, wire::FORWARDING_IPIP},
        std::pair{Forwarding::gre, wire::FORWARDING_GRE},
        std::pair{Forwarding::gue, wire::FORWARDING_GUE},
        std::pair{Forwarding::nat, wire::FORWARDING_NAT},
    };
};

template <>
struct WireWords<Affinity> {
    static constexpr std::array words{
        std::pair{Affinity::tuple, wire::AFFINITY_TUPLE},
        std::pair{Affinity::client, wire::AFFINITY_CLIENT},
        std::pair{Affinity::client_port, wire::AFFINITY_CLIENT_PORT},
    };
};

template <>
struct WireWords<DownPolicy> {
    static constexpr std::array words{
        std::pair{DownPolicy::rehash, wire::DOWN_POLICY_REHASH},
        std::pair{DownPolicy::keep, wire::DOWN_POLICY_KEEP},
        std::pair{DownPolicy::reset, wire::DOWN_POLICY_RESET},
    };
};

template <>
struct WireWords<bool> {
    static constexpr std::array words{
        std::pair{false, wire::SWITCH_OFF},
        std::pair{true, wire::SWITCH_ON},
    };
};

/// ServiceSpec::gue_variant.
template <>
struct WireWords<std::uint8_t> {
    static constexpr std::array words{
        std::pair{std::uint8_t{0}, wire::GUE_VARIANT_0},
        std::pair{std::uint8_t{1}, wire::GUE_VARIANT_1},
    };
};

template <>
struct WireWords<AdminState> {
    static constexpr std::array words{
        std::pair{AdminState::ready, wire::ADMIN_STATE_READY},
        std::pair{AdminState::drain, wire::ADMIN_STATE_DRAIN},
        std::pair{AdminState::disabled, wire::ADMIN_STATE_DISABLED},
    };
};

template <>
struct WireWords<Health> {
    static constexpr std::array words{
        std::pair{Health::unknown, wire::HEALTH_UNKNOWN},
        std::pair{Health::up, wire::HEALTH_UP},
        std::pair{Health::down, wire::HEALTH_DOWN},
    };
};

template <>
struct WireWords<LinkState> {
    static constexpr std::array words{
        std::pair{LinkState::down, wire::LINK_STATE_DOWN},
        std::pair{LinkState::up, wire::LINK_STATE_UP},
    };
};

template <>
struct WireWords<NextHopState> {
    static constexpr std::array words{
        std::pair{NextHopState::unresolved, wire::NEXT_HOP_STATE_UNRESOLVED},
        std::pair{NextHopState::resolved, wire::NEXT_HOP_STATE_RESOLVED},
    };
};

template <>
struct WireWords<VerdictKind> {
    static constexpr std::array words{
        std::pair{VerdictKind::forward, wire::VERDICT_KIND_FORWARD},
        std::pair{VerdictKind::reply, wire::VERDICT_KIND_REPLY},
        std::pair{VerdictKind::kernel, wire::VERDICT_KIND_KERNEL},
        std::pair{VerdictKind::drop, wire::VERDICT_KIND_DROP},
        std::pair{VerdictKind::hold, wire::VERDICT_KIND_HOLD},
        std::pair{VerdictKind::hand_over, wire::VERDICT_KIND_HAND_OVER},
    };
};

template <>
struct WireWords<FlowState> {
    static constexpr std::array words{
        std::pair{FlowState::tcp_syn, wire::FLOW_STATE_TCP_SYN},
        std::pair{FlowState::tcp_established, wire::FLOW_STATE_TCP_ESTABLISHED},
        std::pair{FlowState::tcp_closing, wire::FLOW_STATE_TCP_CLOSING},
        std::pair{FlowState::udp, wire::FLOW_STATE_UDP},
    };
};

/// The wire's word; its 0 (unspecified, which every decoder refuses) for a value that has none.
template <typename Value>
[[nodiscard]] auto to_wire(Value value) {
    for (const auto& [ours, theirs] : WireWords<Value>::words) {
        if (ours == value) {
            return theirs;
        }
    }
    return typename decltype(WireWords<Value>::words)::value_type::second_type{};
}

/// Nothing for 0 and for words of a newer protocol.
template <typename Value>
[[nodiscard]] std::optional<Value> from_wire(int word) {
    for (const auto& [ours, theirs] : WireWords<Value>::words) {
        if (static_cast<int>(theirs) == word) {
            return ours;
        }
    }
    return std::nullopt;
}

} // namespace penstock
