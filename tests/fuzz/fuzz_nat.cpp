// SPDX-License-Identifier: Apache-2.0
// Arbitrary bytes as packets of NAT services, both directions, through the whole packet path. Input:
// for each frame a byte of wishes, a byte that is its length, and that many bytes.
//
// What must hold: nothing outside a packet is read or written (exact-size memory under ASan); what
// is forwarded, given its old tuple back, is the packet that came, but for the two zeros of one's
// complement; what does not leave is untouched; the gauges say what is in the table.
#include "dataplane/core/nat_rewrite.hpp"
#include "dataplane/core/nat_state.hpp"
#include "dataplane/core/nat_tuples.hpp"
#include "tests/unit/core/worker_rig.hpp"

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <span>
#include <vector>

namespace penstock {
namespace {

using test::Bytes;
using test::WorkerRig;

constexpr std::size_t l3 = sizeof(EthernetHeader);
constexpr std::array<std::uint8_t, 4> vip{198, 51, 100, 10};
constexpr std::array<std::uint8_t, 4> server{10, 0, 1, 1};
constexpr std::array<std::uint8_t, 4> source{10, 0, 9, 1};
constexpr std::uint16_t first_port = 5120; ///< its low byte is 0
constexpr std::uint16_t port_count = 4;

enum Wish : std::uint8_t {
    ipv4 = 1,        ///< the EtherType and the version
    to_vip = 2,      ///< destination and, if it is TCP or UDP, its port
    from_server = 4, ///< a reply to one of our few ports
    checksum = 8,    ///< IPv4's is right, or no mutation ever comes past it
    error = 16,      ///< an ICMP error that quotes the bytes behind it as a packet to the server
};

void require(bool holds, const char* what) {
    if (!holds) {
        std::fprintf(stderr, "broken: %s\n", what);
        std::abort();
    }
}

void put(Bytes& frame, std::size_t at, std::span<const std::uint8_t> bytes) {
    if (at + bytes.size() <= frame.size()) {
        std::ranges::copy(bytes, frame.begin() + static_cast<std::ptrdiff_t>(at));
    }
}

void put_word(Bytes& frame, std::size_t at, unsigned word) {
    const std::array<std::uint8_t, 2> bytes{
        static_cast<std::uint8_t>(word >> 8U), static_cast<std::uint8_t>(word)
    };
    put(frame, at, bytes);
}

// The IPv4 packet at `at` becomes one between a server port and one of ours.
void make_reply(Bytes& frame, std::size_t at, bool reversed) {
    const std::size_t l4 = at + ((frame[at] & 0x0fU) * 4U);
    put(frame, at + 12, reversed ? source : server);
    put(frame, at + 16, reversed ? server : source);
    const std::size_t our_port = reversed ? l4 : l4 + 2;
    const std::size_t server_port = reversed ? l4 + 2 : l4;
    put_word(frame, server_port, 8080);
    if (our_port + 2 <= frame.size()) {
        put_word(frame, our_port, first_port + (frame[our_port + 1] % port_count));
    }
}

void grant(std::uint8_t wishes, Bytes& frame) {
    if (frame.size() < l3 + sizeof(Ipv4Header)) {
        return;
    }
    if ((wishes & ipv4) != 0) {
        put_word(frame, l3 - 2, 0x0800);
        frame[l3] = static_cast<std::uint8_t>(0x40U | std::max(frame[l3] & 0x0fU, 5U));
    }
    const std::size_t header_length = (frame[l3] & 0x0fU) * 4U;
    if ((wishes & to_vip) != 0) {
        put(frame, l3 + 16, vip);
        put_word(frame, l3 + header_length + 2, 80);
    }
    if ((wishes & from_server) != 0) {
        make_reply(frame, l3, false);
    }
    const std::size_t quoted = l3 + header_length + sizeof(IcmpHeader);
    if ((wishes & error) != 0 && quoted + sizeof(Ipv4Header) <= frame.size()) {
        frame[l3 + 9] = protocol_icmp;
        frame[l3 + header_length] = IcmpHeader::unreachable;
        frame[quoted] = 0x45;
        put(frame, l3 + 16, source);
        make_reply(frame, quoted, true);
    }
    if ((wishes & checksum) != 0 && l3 + header_length <= frame.size() && header_length >= 20) {
        put_word(frame, l3 + 10, 0);
        put_word(frame, l3 + 10, test::naive_checksum(std::span(frame).subspan(l3, header_length)));
    }
}

std::vector<Bytes> read_burst(std::span<const std::uint8_t> input) {
    std::vector<Bytes> frames;
    while (input.size() >= 2 && frames.size() < max_burst) {
        const std::uint8_t wishes = input[0];
        const std::size_t length = std::min<std::size_t>(input[1], input.size() - 2);
        Bytes frame(input.begin() + 2, input.begin() + 2 + static_cast<std::ptrdiff_t>(length));
        grant(wishes, frame);
        frames.push_back(std::move(frame));
        input = input.subspan(2 + length);
    }
    return frames;
}

// One's complement has two zeros.
void normalize(Bytes& frame, std::size_t at) {
    if (at + 2 <= frame.size() && frame[at] == 0xff && frame[at + 1] == 0xff) {
        frame[at] = frame[at + 1] = 0;
    }
}

void check_forwarded(const Bytes& in, const Bytes& out) {
    test::FrameBuffer before(in);
    test::FrameBuffer after(out);
    const ParsedPacket old_packet = parse_packet(before.packet);
    const ParsedPacket new_packet = parse_packet(after.packet);
    require(new_packet.is_ip(), "what leaves can be parsed");
    require(old_packet.l3_length == new_packet.l3_length, "neither longer nor shorter");
    if (old_packet.protocol == protocol_tcp || old_packet.protocol == protocol_udp) {
        rewrite_tuple(after.packet, new_packet, tuple_of(before.packet, old_packet));
    } else {
        const auto old_quote = quoted_in(before.packet, old_packet);
        const auto new_quote = quoted_in(after.packet, new_packet);
        require(old_quote && new_quote, "errors quote");
        rewrite_error(
            after.packet,
            new_packet,
            *new_quote,
            tuple_of(before.packet, old_packet),
            tuple_of(*old_quote)
        );
    }
    Bytes restored(after.packet.data + new_packet.l3, after.packet.data + after.packet.length);
    Bytes original(in.begin() + old_packet.l3, in.end());
    for (Bytes* bytes : {&restored, &original}) {
        const std::size_t l4 = std::size_t{old_packet.l4} - old_packet.l3;
        normalize(*bytes, 10);
        const std::size_t quoted = l4 + sizeof(IcmpHeader);
        const auto inner = old_packet.protocol == protocol_icmp && quoted < bytes->size()
                               ? quoted + (((*bytes)[quoted] & 0x0fU) * 4U)
                               : std::size_t{0};
        for (const std::size_t offset : {2U, 6U, 16U}) {
            normalize(*bytes, l4 + offset);
            normalize(*bytes, inner + offset);
        }
        normalize(*bytes, quoted + 10);
    }
    require(restored == original, "with its old tuple it is what came");
}

void forget(WorkerRig& rig) {
    rig.pass_seconds(7600); // longer than every timeout, shorter than the wrap
    rig.expire();
    require(rig.worker.nat->flows.live() == 0, "all flows expire");
    require(rig.worker.nat->flows.resting() == 0, "and have rested");
    for (const BackendCounters& backend : rig.backends.first(4)) {
        require(backend.flows.read() == 0, "the gauge is exact");
    }
    rig.worker.nat->ports = NatPorts(PortShare{.first = first_port, .count = port_count});
}

WorkerRig* make_rig() {
    auto* rig = new WorkerRig(20);
    auto web = test::service("198.51.100.10", {test::backend("10.0.1.1", 8080)});
    web.forwarding = Forwarding::nat;
    auto dns = test::service("198.51.100.10", {test::backend("10.0.1.1", 8080)}, 80, Protocol::udp);
    dns.forwarding = Forwarding::nat;
    auto state = test::desired({web, dns});
    state.nat_sources = {test::ip("10.0.9.1")};
    rig->use(state);
    rig->worker.nat->ports = NatPorts(PortShare{.first = first_port, .count = port_count});
    return rig;
}

} // namespace
} // namespace penstock

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace penstock;
    static WorkerRig* const rig = make_rig();
    const std::vector<Bytes> frames = read_burst({data, size});
    const std::vector<Verdict> verdicts = rig->send_burst(frames);
    for (std::size_t i = 0; i < frames.size(); ++i) {
        if (verdicts[i].kind == VerdictKind::forward) {
            check_forwarded(frames[i], rig->sent[i]);
        } else if (verdicts[i].kind != VerdictKind::reply) {
            require(frames[i] == rig->sent[i], "what does not leave is untouched");
        }
    }
    forget(*rig);
    return 0;
}
