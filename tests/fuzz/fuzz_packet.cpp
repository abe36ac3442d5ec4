// SPDX-License-Identifier: Apache-2.0
// Arbitrary bytes as a burst through the whole packet path. Input: for each frame a byte of wishes,
// a byte that is its length, and that many bytes.
//
// What must hold: nothing outside a packet is read or written (exact-size memory under ASan); each
// packet has one verdict and the counters say the same; the same burst has the same verdicts again;
// what leaves has a right outer checksum and its inner bytes as they came; what does not leave is
// untouched.
#include "dataplane/core/parse.hpp"
#include "tests/unit/core/worker_rig.hpp"

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <span>
#include <vector>

namespace penstock {
namespace {

using test::Bytes;
using test::WorkerRig;

enum Wish : std::uint8_t {
    right_ipv4_checksum = 1, // or no mutation ever comes past it
    to_our_vip = 2,          // likewise for the destination; which one: the next two bits
};

// By the two bits behind the wishes.
constexpr std::array vips_ipv4{"198.51.100.10", "198.51.100.12", "198.51.100.13", "198.51.100.14"};
constexpr std::array vips_ipv6{"2001:db8::10", "2001:db8::12", "2001:db8::13", "2001:db8::10"};

void require(bool holds, const char* what) {
    if (!holds) {
        std::fprintf(stderr, "broken: %s\n", what);
        std::abort();
    }
}

DesiredState realistic() {
    auto web =
        test::service("198.51.100.10", {test::backend("10.0.1.1"), test::backend("10.0.1.2")});
    web.backends[1].admin = AdminState::drain;
    auto dns = test::service("198.51.100.10", {test::backend("10.0.2.1", 53)}, 53, Protocol::udp);
    dns.forwarding = Forwarding::l2dsr;
    const auto empty = test::service("198.51.100.11", {});
    const auto tunnelled = [](const char* vip, const char* backend, Forwarding forwarding) {
        ServiceSpec service = test::service(vip, {test::backend(backend)});
        service.forwarding = forwarding;
        return service;
    };
    // Every tunnel around both families, a range, and any protocol.
    auto range = tunnelled(vips_ipv4[3], "2001:db8:1::4", Forwarding::ipip);
    range.key.port = 1000;
    range.key.more_ports = 9000;
    range.backends[0].key.port = range.key.port;
    auto any = test::service(vips_ipv6[2], {test::backend("2001:db8:1::5", 0)}, 0, Protocol::any);
    any.forwarding = Forwarding::gue;
    auto state = test::desired({
        web,
        dns,
        empty,
        tunnelled(vips_ipv4[1], "2001:db8:1::1", Forwarding::gre),
        tunnelled(vips_ipv4[2], "10.0.3.1", Forwarding::gue),
        tunnelled(vips_ipv6[0], "2001:db8:1::2", Forwarding::ipip),
        tunnelled(vips_ipv6[1], "10.0.3.2", Forwarding::gre),
        range,
        any,
    });
    state.tunnel_sources.ipv6 = IpPrefix{.address = test::ip("2001:db8:f::1")};
    return state;
}

void write_address(Bytes& frame, std::size_t at, std::span<const std::uint8_t> address) {
    if (frame.size() >= at + address.size()) {
        std::ranges::copy(address, frame.begin() + static_cast<std::ptrdiff_t>(at));
    }
}

void grant(std::uint8_t wishes, Bytes& frame) {
    constexpr std::size_t l3 = sizeof(EthernetHeader);
    if (frame.size() < l3 + sizeof(Ipv4Header)) {
        return;
    }
    if ((wishes & to_our_vip) != 0) {
        const std::size_t choice = (wishes >> 2U) & 3U;
        if (frame[l3] >> 4U == 6) {
            write_address(frame, l3 + 24, test::ip(vips_ipv6[choice]).bytes());
        } else {
            const IpAddress vip = test::ip(vips_ipv4[choice]);
            write_address(frame, l3 + 16, std::span(vip.bytes()).last(4));
        }
    }
    const std::size_t header_length = (frame[l3] & 0x0fU) * 4U;
    if ((wishes & right_ipv4_checksum) != 0 && l3 + header_length <= frame.size() &&
        header_length >= 20) {
        frame[l3 + 10] = frame[l3 + 11] = 0;
        const auto sum = test::naive_checksum(std::span(frame).subspan(l3, header_length));
        frame[l3 + 10] = static_cast<std::uint8_t>(sum >> 8U);
        frame[l3 + 11] = static_cast<std::uint8_t>(sum & 0xffU);
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

void check_forwarded(
    const Snapshot& snapshot, const Verdict& verdict, const Bytes& in, const Bytes& out
) {
    const BackendEntry& backend = snapshot.backend(verdict.backend);
    require(backend.in_use && backend.service == verdict.service, "the backend is the service's");
    require(out.size() == in.size() + backend.outer_length, "grows by the outer header");
    const test::FrameBuffer buffer(in);
    const ParsedPacket parsed = parse_packet(buffer.packet);
    require(parsed.is_ip(), "only IP is forwarded");
    require(
        std::equal(
            in.begin() + parsed.l3, in.end(), out.begin() + parsed.l3 + backend.outer_length
        ),
        "inner bytes are as they came"
    );
    const std::span<const std::uint8_t> outer(out.data() + parsed.l3, backend.outer_length);
    if (backend.rewrite == Rewrite::tunnel_ipv4) {
        require(
            test::naive_checksum(outer.first(sizeof(Ipv4Header))) == 0, "outer checksum is right"
        );
        const int length = parsed.l3_length + backend.outer_length;
        require((outer[2] << 8U | outer[3]) == length, "outer length is right");
    } else if (backend.rewrite == Rewrite::tunnel_ipv6) {
        const int payload =
            parsed.l3_length + backend.outer_length - static_cast<int>(sizeof(Ipv6Header));
        require(outer[0] >> 4U == 6, "outer version is right");
        require((outer[4] << 8U | outer[5]) == payload, "outer length is right");
    }
}

std::uint64_t sum_of_drops(const WorkerRig& rig) {
    std::uint64_t sum = 0;
    for (const Counter& counter : rig.counters->drops) {
        sum += counter.read();
    }
    return sum;
}

bool equal(const Verdict& a, const Verdict& b) {
    return a.kind == b.kind && a.backend == b.backend && a.service == b.service &&
           (a.kind != VerdictKind::drop || a.reason == b.reason);
}

void check_burst(
    WorkerRig& rig, const std::vector<Bytes>& frames, const std::vector<Verdict>& verdicts
) {
    for (std::size_t i = 0; i < frames.size(); ++i) {
        switch (verdicts[i].kind) {
        case VerdictKind::forward:
            check_forwarded(*rig.snapshot, verdicts[i], frames[i], rig.sent[i]);
            break;
        case VerdictKind::reply:
            // A neighbour advertisement has an option that its question may lack.
            require(rig.sent[i].size() <= frames[i].size() + 8, "an answer does not amplify");
            break;
        case VerdictKind::hold:
        case VerdictKind::hand_over:
        case VerdictKind::kernel:
        case VerdictKind::drop:
            require(rig.sent[i] == frames[i], "what does not leave is untouched");
            break;
        }
    }
}

// Forgets everything, so that an input means the same whatever came before it.
void forget(WorkerRig& rig) {
    rig.pass_seconds(7600); // longer than every timeout, shorter than the wrap
    rig.expire();
    require(rig.flows().size() == 0, "all flows expire");
    FragmentTracker& fragments = rig.worker.fragments;
    fragments.expire(rig.now, fragments.bucket_count());
    while (fragments.take_ready(rig.now)) {
    }
}

} // namespace
} // namespace penstock

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace penstock;
    static WorkerRig* const rig = [] {
        auto* made = new WorkerRig(20); // few entries: full tables are reached
        made->use(realistic());
        return made;
    }();
    const std::vector<Bytes> frames = read_burst({data, size});
    const std::uint64_t drops_before = sum_of_drops(*rig);
    const std::uint64_t replies_before = rig->counters->replies.read();
    const std::vector<Verdict> verdicts = rig->send_burst(frames);
    check_burst(*rig, frames, verdicts);
    std::uint64_t drops = 0;
    std::uint64_t replies = 0;
    for (const Verdict& verdict : verdicts) {
        drops += verdict.kind == VerdictKind::drop ? 1U : 0U;
        replies += verdict.kind == VerdictKind::reply ? 1U : 0U;
    }
    require(sum_of_drops(*rig) - drops_before == drops, "every drop is counted once");
    require(
        rig->counters->replies.read() - replies_before == replies, "every reply is counted once"
    );
    require(rig->counters->flows.read() == rig->flows().size(), "the gauge is exact");
    const std::vector<Bytes> sent = rig->sent;
    forget(*rig);
    const std::vector<Verdict> again = rig->send_burst(frames);
    for (std::size_t i = 0; i < verdicts.size(); ++i) {
        require(equal(verdicts[i], again[i]), "the same burst has the same verdicts");
    }
    require(sent == rig->sent, "the same burst leaves as the same bytes");
    forget(*rig);
    return 0;
}
