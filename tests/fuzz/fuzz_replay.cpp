// SPDX-License-Identifier: Apache-2.0
// Arbitrary bytes as a capture file through penstock replay. Input: the file.
//
// What must hold: a broken file is a refusal that names the file and says what to do; every packet
// before the break has one verdict and the counters say the same; the capture decided packet by
// packet is the capture decided in bursts; what does not leave has no bytes.
#include "controlplane/config/parse.hpp"
#include "tools/replay/capture.hpp"
#include "tools/replay/replayer.hpp"
#include "tools/replay/verdict_words.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace penstock::replay {
namespace {

constexpr std::size_t max_packets = 256; // the rest says nothing new

constexpr const char* text = R"(
[node]
name = "fuzzed"
[dataplane]
workers = [0]
flows_per_worker = 1024
tunnel_source = "10.0.0.1"
[[dataplane.port]]
name = "edge0"
interface = "edge0"
[[service]]
name = "web"
vip = "198.51.100.10"
protocol = "tcp"
port = 80
forwarding = "ipip"
probe = { type = "none" }
backend = [{ name = "a", address = "10.0.1.1" }, { name = "b", address = "10.0.1.2", state = "drain" }]
[[service]]
name = "dns"
vip = "198.51.100.10"
protocol = "udp"
port = 53
forwarding = "l2dsr"
probe = { type = "none" }
backend = [{ name = "c", address = "10.0.2.1" }, { name = "d", address = "10.0.2.2" }]
)";

void require(bool holds, const char* what) {
    if (!holds) {
        std::fprintf(stderr, "broken: %s\n", what);
        std::abort();
    }
}

std::unique_ptr<Replayer> make_replayer() {
    const auto configuration = config::parse_configuration(text, "fuzzed.toml");
    require(configuration.has_value(), "the configuration is valid");
    auto replayer = Replayer::create(*configuration, {.burst = max_burst});
    require(replayer.has_value(), "the configuration compiles");
    return std::move(*replayer);
}

struct Capture {
    std::vector<std::vector<std::uint8_t>> bytes;
    std::vector<Frame> frames;
};

Capture read_capture(const std::uint8_t* data, std::size_t size) {
    Capture capture;
    std::FILE* const stream = fmemopen(const_cast<std::uint8_t*>(data), size, "rb");
    require(stream != nullptr, "memory can be opened");
    auto reader = CaptureReader::take(stream, "fuzzed");
    if (!reader) {
        require(
            !reader.error().cause.empty() && !reader.error().remedy.empty(), "refused in words"
        );
        return capture;
    }
    while (capture.frames.size() < max_packets) {
        const auto packet = reader->next();
        if (!packet) {
            require(packet.error().place.starts_with("fuzzed, packet "), "the place is named");
            return capture;
        }
        if (!*packet) {
            return capture;
        }
        require((*packet)->length >= (*packet)->bytes.size(), "no frame is shorter than its bytes");
        require((*packet)->index == capture.frames.size() + 1, "packets are numbered");
        capture.bytes.emplace_back((*packet)->bytes.begin(), (*packet)->bytes.end());
        capture.frames.push_back(
            {.time_ns = (*packet)->time_ns,
             .length = (*packet)->length,
             .bytes = capture.bytes.back()}
        );
    }
    return capture;
}

std::uint64_t sum_of_drops(const Replayer& replayer) {
    std::uint64_t sum = 0;
    for (const Counter& counter : replayer.counters().drops) {
        sum += counter.read();
    }
    return sum;
}

// By place in the capture.
std::vector<Outcome> decide(Replayer& replayer, std::span<const Frame> frames, std::size_t step) {
    replayer.forget();
    std::vector<Outcome> decided;
    for (std::size_t i = 0; i < frames.size(); i += step) {
        replayer.process(frames.subspan(i, std::min(step, frames.size() - i)), decided);
    }
    replayer.finish(decided);
    require(decided.size() == frames.size(), "every packet has one verdict");
    std::vector<Outcome> outcomes(frames.size());
    std::vector<bool> seen(frames.size());
    for (Outcome& outcome : decided) {
        require(outcome.index < frames.size() && !seen[outcome.index], "and no packet has two");
        seen[outcome.index] = true;
        outcomes[outcome.index] = std::move(outcome);
    }
    return outcomes;
}

void check(const Outcome& outcome) {
    const VerdictKind kind = outcome.verdict.kind;
    const bool leaves = kind == VerdictKind::forward || kind == VerdictKind::reply;
    require(leaves == !outcome.sent.empty(), "what leaves, and nothing else, has bytes");
    require(kind != VerdictKind::hold, "nothing is held back at the end");
    for (const Outcome::Sent& sent : outcome.sent) {
        require(
            sent.length > 0 && sent.bytes.size() <= sent.length,
            "no frame is shorter than its bytes"
        );
    }
    require(
        kind != VerdictKind::forward || outcome.verdict.backend != null_backend,
        "what is forwarded has a backend"
    );
}

// A router's word about a tunnel counts for all of its burst, also for what came before it.
bool is_of_tunnel(const Outcome& outcome) {
    if (outcome.verdict.kind == VerdictKind::drop) {
        return outcome.verdict.reason == DropReason::tunnel_error;
    }
    constexpr std::size_t icmp_at = 14 + 20;
    return outcome.verdict.kind == VerdictKind::reply && outcome.sent[0].bytes.size() > icmp_at &&
           outcome.sent[0].bytes[icmp_at] == 3;
}

} // namespace
} // namespace penstock::replay

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace penstock::replay;
    static const std::unique_ptr<Replayer> replayer = make_replayer();
    if (size == 0) {
        return 0; // fmemopen takes no empty memory
    }
    const Capture capture = read_capture(data, size);
    const std::span<const Frame> frames(capture.frames);
    const std::uint64_t drops_before = sum_of_drops(*replayer);
    const std::vector<Outcome> outcomes = decide(*replayer, frames, max_packets);
    std::uint64_t drops = 0;
    for (const Outcome& outcome : outcomes) {
        check(outcome);
        drops += outcome.verdict.kind == penstock::VerdictKind::drop ? 1U : 0U;
    }
    require(sum_of_drops(*replayer) - drops_before == drops, "every drop is counted once");
    require(replayer->counters().flows.read() == replayer->flows(), "the gauge is exact");
    if (std::ranges::any_of(outcomes, is_of_tunnel)) {
        return 0;
    }
    const std::vector<Outcome> again = decide(*replayer, frames, 1);
    for (std::size_t i = 0; i < frames.size(); ++i) {
        require(
            word_of(outcomes[i].verdict) == word_of(again[i].verdict) &&
                outcomes[i].verdict.backend == again[i].verdict.backend &&
                outcomes[i].sent == again[i].sent,
            "alone a packet is decided as in a burst"
        );
    }
    return 0;
}
