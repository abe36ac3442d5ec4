// SPDX-License-Identifier: Apache-2.0
// Replays a capture in bursts of any size and in memory of its exact size, under the sanitizers:
// replay-core CONFIG IN.pcap OUT.pcap
//
// What is sent goes to OUT.pcap; one line a packet on standard output is its verdict: forward,
// reply, kernel or the reason of the drop. Exit code 1 with a line on standard error if that cannot
// be done. `penstock replay` does the same with a report; here every packet is one burst first and
// the whole capture another time, and the two must agree.
#include "controlplane/config/parse.hpp"
#include "tools/replay/capture.hpp"
#include "tools/replay/replayer.hpp"
#include "tools/replay/verdict_words.hpp"

#include <cstdio>
#include <string>
#include <utility>
#include <vector>

namespace penstock::replay {
namespace {

int fail(const std::string& what) {
    std::fprintf(stderr, "replay-core: %s\n", what.c_str());
    return 1;
}

struct Frames {
    std::vector<std::vector<std::uint8_t>> bytes;
    std::vector<Frame> frames;
};

std::expected<Frames, Refusal> read_all(const std::string& path) {
    auto reader = CaptureReader::open(path);
    if (!reader) {
        return std::unexpected(std::move(reader.error()));
    }
    Frames all;
    while (true) {
        auto packet = reader->next();
        if (!packet) {
            return std::unexpected(std::move(packet.error()));
        }
        if (!*packet) {
            return all;
        }
        all.bytes.emplace_back((*packet)->bytes.begin(), (*packet)->bytes.end());
        all.frames.push_back(
            {.time_ns = (*packet)->time_ns, .length = (*packet)->length, .bytes = all.bytes.back()}
        );
    }
}

// As one call, which makes the largest bursts, or packet by packet.
std::expected<std::vector<Outcome>, Refusal>
decide(const config::Configuration& configuration, const Frames& all, bool one_by_one) {
    auto replayer = Replayer::create(configuration, {.next_hops = NextHops::configured});
    if (!replayer) {
        return std::unexpected(std::move(replayer.error()));
    }
    std::vector<Outcome> outcomes(all.frames.size());
    const std::span<const Frame> frames(all.frames);
    const std::size_t step = one_by_one ? 1 : frames.size();
    for (std::size_t i = 0; i < frames.size(); i += step) {
        (*replayer)->process(frames.subspan(i, step), std::span(outcomes).subspan(i, step));
    }
    return outcomes;
}

bool agree(const Outcome& a, const Outcome& b) {
    return word_of(a.verdict) == word_of(b.verdict) && a.verdict.backend == b.verdict.backend &&
           a.sent == b.sent && a.sent_length == b.sent_length;
}

int run(const std::string& config_path, const std::string& in, const std::string& out_path) {
    const auto configuration = config::read_configuration(config_path);
    if (!configuration) {
        return fail(config::render(configuration.error()));
    }
    const auto all = read_all(in);
    if (!all) {
        return fail(to_string(all.error()));
    }
    const auto outcomes = decide(*configuration, *all, false);
    const auto again = decide(*configuration, *all, true);
    if (!outcomes || !again) {
        return fail(to_string(outcomes ? again.error() : outcomes.error()));
    }
    auto out = CaptureWriter::create(out_path);
    if (!out) {
        return fail(to_string(out.error()));
    }
    for (std::size_t i = 0; i < outcomes->size(); ++i) {
        const Outcome& outcome = (*outcomes)[i];
        if (!agree(outcome, (*again)[i])) {
            return fail("packet " + std::to_string(i + 1) + ": alone it is decided otherwise");
        }
        std::puts(std::string(word_of(outcome.verdict)).c_str());
        if (outcome.sent_length > 0) {
            out->write(all->frames[i].time_ns, outcome.sent, outcome.sent_length);
        }
    }
    const auto written = out->finish();
    return written ? 0 : fail(to_string(written.error()));
}

} // namespace
} // namespace penstock::replay

int main(int argc, char** argv) {
    if (argc != 4) {
        return penstock::replay::fail("usage: replay-core CONFIG IN.pcap OUT.pcap");
    }
    return penstock::replay::run(argv[1], argv[2], argv[3]);
}
