// SPDX-License-Identifier: Apache-2.0
// Runs a capture through the core alone, as a worker of penstock-dp does, in memory of its exact
// size, under the sanitizers:
//
//   golden-core CONFIG IN.pcap OUT.pcap [N|N=SERVICE/BACKEND …]
//
// OUT.pcap gets what is sent, packet by packet of IN.pcap: pieces of what is cut in their order, and
// what was held back in the place of the packet that it was. One line a packet on standard output is
// its verdict: forward, reply, kernel or the reason of the drop. N=SERVICE/BACKEND: before packet N
// (from 1) that backend goes down; N alone: that packet begins a burst, for it follows from one before
// it. Every packet is a burst of its own first, and another time bursts are as large as they may be:
// the two must agree. Exit code 1 with a line on standard error if that
// cannot be done, if they disagree, or if packets are lost in the counters.
#include "controlplane/config/parse.hpp"
#include "tools/replay/capture.hpp"
#include "tools/replay/replayer.hpp"
#include "tools/replay/verdict_words.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace penstock::replay {
namespace {

using Bytes = std::vector<std::uint8_t>;

/// Packets (from 0) that begin a burst, and the "service/backend" that goes down before it, if any.
using Falls = std::map<std::size_t, std::string>;

int fail(const std::string& what) {
    std::fprintf(stderr, "golden-core: %s\n", what.c_str());
    return 1;
}

// What became of a packet, in the terms of the golden files.
struct Fate {
    std::string word;
    std::vector<Outcome::Sent> sent;

    friend bool operator==(const Fate&, const Fate&) = default;
};

// Penstock in one thread, and what comes out of it by the packet's place in the capture.
class CoreRun {
public:
    explicit CoreRun(const config::Configuration& configuration) {
        auto replayer = Replayer::create(
            configuration, {.next_hops = NextHops::configured, .burst = max_burst}
        );
        if (!replayer) {
            std::exit(fail(to_string(replayer.error())));
        }
        replayer_ = std::move(*replayer);
    }

    // In bursts of `burst` at most.
    std::vector<Fate> run(const std::vector<Bytes>& frames, std::size_t burst, const Falls& falls) {
        fates_.assign(frames.size(), {});
        std::vector<Frame> together;
        for (std::size_t i = 0; i < frames.size(); ++i) {
            if (const auto fall = falls.find(i); fall != falls.end()) {
                process(std::exchange(together, {}));
                if (!fall->second.empty()) {
                    take_down(fall->second);
                }
            }
            const auto length = static_cast<std::uint32_t>(frames[i].size());
            together.push_back({.time_ns = time_ns, .length = length, .bytes = frames[i]});
            if (together.size() == burst) {
                process(std::exchange(together, {}));
            }
        }
        process(std::exchange(together, {}));
        std::vector<Outcome> decided;
        replayer_->finish(decided);
        take(decided);
        return std::move(fates_);
    }

    [[nodiscard]] std::uint64_t counted_drops() const {
        std::uint64_t sum = 0;
        for (const auto& drop : replayer_->counters().drops) {
            sum += drop.read();
        }
        return sum;
    }

private:
    static constexpr std::uint64_t time_ns = 1000 * ns_per_s;

    void process(const std::vector<Frame>& frames) {
        std::vector<Outcome> decided;
        replayer_->process(frames, decided);
        take(decided);
    }

    void take(std::vector<Outcome>& decided) {
        for (Outcome& outcome : decided) {
            fates_[outcome.index] = {
                std::string(word_of(outcome.verdict)), std::move(outcome.sent)
            };
        }
    }

    void take_down(const std::string& name) {
        const std::size_t slash = name.find('/');
        if (slash == std::string::npos ||
            !replayer_->set_health(name.substr(0, slash), name.substr(slash + 1), Health::down)) {
            std::exit(fail("there is no backend " + name));
        }
    }

    std::unique_ptr<Replayer> replayer_;
    std::vector<Fate> fates_;
};

std::expected<std::vector<Bytes>, Refusal> read_all(const std::string& path) {
    auto reader = CaptureReader::open(path);
    if (!reader) {
        return std::unexpected(std::move(reader.error()));
    }
    std::vector<Bytes> frames;
    while (true) {
        auto packet = reader->next();
        if (!packet) {
            return std::unexpected(std::move(packet.error()));
        }
        if (!*packet) {
            return frames;
        }
        frames.emplace_back((*packet)->bytes.begin(), (*packet)->bytes.end());
    }
}

bool is_drop(const Fate& fate) {
    return fate.word != "forward" && fate.word != "reply" && fate.word != "kernel";
}

int write_all(const std::vector<Fate>& fates, const std::string& path) {
    auto out = CaptureWriter::create(path);
    if (!out) {
        return fail(to_string(out.error()));
    }
    for (const Fate& fate : fates) {
        std::puts(fate.word.c_str());
        for (const Outcome::Sent& sent : fate.sent) {
            out->write(0, sent.bytes, sent.length);
        }
    }
    const auto written = out->finish();
    return written ? 0 : fail(to_string(written.error()));
}

int run(
    const std::string& config_path, const std::string& in, const std::string& out, Falls falls
) {
    const auto configuration = config::read_configuration(config_path);
    if (!configuration) {
        return fail(config::render(configuration.error()));
    }
    const auto frames = read_all(in);
    if (!frames) {
        return fail(to_string(frames.error()));
    }
    CoreRun alone(*configuration);
    CoreRun together(*configuration);
    const auto fates = alone.run(*frames, 1, falls);
    const auto again = together.run(*frames, max_burst, falls);
    for (std::size_t i = 0; i < fates.size(); ++i) {
        if (fates[i] != again[i]) {
            return fail("packet " + std::to_string(i + 1) + ": alone it is decided otherwise");
        }
    }
    const auto drops = static_cast<std::uint64_t>(std::ranges::count_if(fates, is_drop));
    if (alone.counted_drops() != drops || together.counted_drops() != drops) {
        return fail("the counters have another number of drops");
    }
    return write_all(fates, out);
}

Falls read_falls(int argc, char** argv) {
    Falls falls;
    for (int i = 4; i < argc; ++i) {
        const std::string_view word = argv[i];
        const std::size_t equals = word.find('=');
        std::size_t number = 0;
        std::from_chars(word.data(), word.data() + std::min(equals, word.size()), number);
        if (number == 0) {
            std::exit(fail("neither N nor N=SERVICE/BACKEND: " + std::string(word)));
        }
        falls.emplace(number - 1, equals == std::string_view::npos ? "" : word.substr(equals + 1));
    }
    return falls;
}

} // namespace
} // namespace penstock::replay

int main(int argc, char** argv) {
    using namespace penstock::replay;
    if (argc < 4) {
        return fail("usage: golden-core CONFIG IN.pcap OUT.pcap [N|N=SERVICE/BACKEND ...]");
    }
    return run(argv[1], argv[2], argv[3], read_falls(argc, argv));
}
