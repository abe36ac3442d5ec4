// SPDX-License-Identifier: Apache-2.0
#include "controlplane/api/example_frame.hpp"
#include "controlplane/api/views.hpp"
#include "dataplane/core/headers.hpp"
#include "dataplane/core/parse.hpp"
#include "dataplane/core/verdict_name.hpp"

#include <boost/json/array.hpp>
#include <fmt/format.h>

namespace penstock {

namespace {

namespace json = boost::json;

std::string_view to_word(FlowState state) {
    switch (state) {
    case FlowState::tcp_syn:
        return "tcp_syn";
    case FlowState::tcp_established:
        return "tcp_established";
    case FlowState::tcp_closing:
        return "tcp_closing";
    case FlowState::udp:
        return "udp";
    }
    return "unknown";
}

/// The first IP header of what would leave, in words.
json::value describe_outside(const std::vector<std::uint8_t>& sent) {
    std::vector<std::uint8_t> bytes = sent;
    const auto length = static_cast<std::uint32_t>(bytes.size());
    const ParsedPacket parsed =
        parse_packet(Packet{.data = bytes.data(), .length = length, .total_length = length});
    if (parsed.kind == PacketKind::ipv4) {
        const auto& ip = header_at<Ipv4Header>(bytes.data() + parsed.l3);
        return json::object{
            {"source", IpAddress::from_ipv4(ip.source).to_string()},
            {"destination", IpAddress::from_ipv4(ip.destination).to_string()},
            {"protocol", ip.protocol},
            {"ttl", ip.ttl},
            {"tos", ip.tos},
            {"dont_fragment", (ip.fragment.host() & Ipv4Header::dont_fragment) != 0},
            {"length", parsed.l3_length}
        };
    }
    if (parsed.kind == PacketKind::ipv6) {
        const auto& ip = header_at<Ipv6Header>(bytes.data() + parsed.l3);
        return json::object{
            {"source", IpAddress::from_ipv6(ip.source).to_string()},
            {"destination", IpAddress::from_ipv6(ip.destination).to_string()},
            {"protocol", ip.next_header},
            {"ttl", ip.hop_limit},
            {"tos", (ip.version_class_flow.host() >> 20U) & 0xffU},
            {"dont_fragment", true},
            {"length", parsed.l3_length}
        };
    }
    return nullptr;
}

json::array view_flows(const ExplainedPacket& packet) {
    json::array flows;
    for (const ExplainedFlow& flow : packet.flows) {
        flows.push_back(json::object{
            {"worker", flow.worker},
            {"age_s", flow.age_s},
            {"state", to_word(flow.state)},
            {"backend", text_or_null(flow.backend_name)}
        });
    }
    return flows;
}

json::value view_backend(const ExplainedPacket& packet) {
    if (!packet.backend) {
        return nullptr;
    }
    const BackendSpec& spec = packet.backend->spec;
    json::object view{
        {"name", text_or_null(spec.name)},
        {"address", spec.key.address.to_string()},
        {"port", spec.key.port},
        {"forwarding", to_string(packet.backend->forwarding)},
        {"removed", packet.backend->removed}
    };
    const bool known = !packet.backend->removed;
    view["weight"] = known ? json::value(spec.weight) : json::value(nullptr);
    view["admin"] = known ? json::value(to_string(spec.admin)) : json::value(nullptr);
    view["health"] = known ? json::value(to_string(spec.health)) : json::value(nullptr);
    view["next_hop"] =
        packet.next_hop_mac ? json::value(packet.next_hop_mac->to_string()) : json::value(nullptr);
    return view;
}

json::object view_packet(const ExplainedPacket& packet) {
    json::object view{
        {"verdict", verdict_name(packet.verdict)},
        {"reason", text_or_null(packet.reason)},
        {"reason_text", text_or_null(packet.reason_text)},
        {"service", text_or_null(packet.service_name)},
        {"service_key",
         packet.service ? json::value(to_string(*packet.service)) : json::value(nullptr)},
        {"hash", nullptr},
        {"slot", nullptr},
        {"flows", view_flows(packet)},
        {"backend", view_backend(packet)},
        {"port", text_or_null(packet.tx_port)},
        {"outside", nullptr},
        {"sent", nullptr}
    };
    if (packet.service) {
        view["hash"] = fmt::format("{:016x}", packet.hash);
    }
    if (packet.slot_count > 0) {
        view["slot"] = json::object{
            {"number", packet.slot},
            {"of", packet.slot_count},
            {"backend", text_or_null(packet.slot_backend)}
        };
    }
    if (!packet.sent.empty()) {
        view["outside"] = describe_outside(packet.sent);
        view["sent"] = encode_hex(packet.sent);
    }
    return view;
}

} // namespace

json::object make_explain_view(const Explained& explained) {
    json::array packets;
    for (const ExplainedPacket& packet : explained.packets) {
        packets.push_back(view_packet(packet));
    }
    return {{"generation", explained.generation}, {"packets", std::move(packets)}};
}

} // namespace penstock
