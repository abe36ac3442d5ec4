// SPDX-License-Identifier: Apache-2.0
#include "tools/replay/summary.hpp"

#include "dataplane/core/hash.hpp"
#include "dataplane/core/headers.hpp"
#include "dataplane/core/parse.hpp"
#include "dataplane/core/verdict_name.hpp"
#include "tools/replay/verdict_words.hpp"

#include <cstring>
#include <optional>
#include <utility>
#include <vector>

namespace penstock::replay {
// The hash of the key 0 over addresses, ports and protocol: two of a few million flows share a number
// about never.
std::optional<std::uint64_t> flow_of(const Frame& frame) {
    std::vector<std::uint8_t> bytes(frame.bytes.begin(), frame.bytes.end());
    const Packet packet{
        .data = bytes.data(),
        .length = static_cast<std::uint32_t>(bytes.size()),
        .total_length = frame.length,
    };
    const ParsedPacket parsed = parse_packet(packet);
    FlowTuple tuple{
        .source = {},
        .destination = {},
        .source_port = parsed.source_port,
        .destination_port = parsed.destination_port,
        .protocol = parsed.protocol,
    };
    if (parsed.kind == PacketKind::ipv4) {
        const auto& ip = header_at<Ipv4Header>(bytes.data() + parsed.l3);
        tuple.source = IpAddress::from_ipv4(ip.source);
        tuple.destination = IpAddress::from_ipv4(ip.destination);
    } else if (parsed.kind == PacketKind::ipv6) {
        const auto& ip = header_at<Ipv6Header>(bytes.data() + parsed.l3);
        tuple.source = IpAddress::from_ipv6(ip.source);
        tuple.destination = IpAddress::from_ipv6(ip.destination);
    } else {
        return std::nullopt;
    }
    return FlowHasher().hash(tuple).value;
}

void Summary::add(const FrameNote& frame, const NamedVerdict& verdict) {
    const bool dropped = verdict.verdict.kind == VerdictKind::drop;
    Count& count = groups_[Group{
        .verdict = verdict_name(verdict.verdict.kind),
        .reason = dropped ? drop_reason_name(verdict.verdict.reason) : std::string_view{},
        .service = std::string(verdict.destination.service),
        .backend = std::string(verdict.destination.backend),
    }];
    ++packets_;
    ++count.packets;
    count.bytes += frame.length;
}

void Summary::compare(
    const FrameNote& frame, const NamedVerdict& from, const NamedVerdict& to, bool changed
) {
    add(frame, from);
    if (!changed) {
        return;
    }
    ++changed_packets_;
    Move names{
        .from = describe(from.verdict, from.destination),
        .to = describe(to.verdict, to.destination),
    };
    if (names.from == names.to) {
        names.to += ", in another way";
    }
    MoveCount& move = moves_[std::move(names)];
    ++move.packets;
    if (frame.flow && tells_all_flows()) {
        flows_told_ += move.flows.insert(*frame.flow).second ? 1U : 0U;
    }
}

} // namespace penstock::replay
