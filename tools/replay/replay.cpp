// SPDX-License-Identifier: Apache-2.0
#include "tools/replay/replay.hpp"

#include "dataplane/core/headers.hpp"
#include "dataplane/core/parse.hpp"
#include "tools/replay/capture.hpp"
#include "tools/replay/report.hpp"

#include <deque>
#include <filesystem>
#include <optional>
#include <system_error>
#include <utility>
#include <vector>

namespace penstock::replay {
namespace {

constexpr std::size_t batch_packets = 1024;

// Packets of the capture with their bytes kept, up to a batch.
struct Batch {
    std::vector<std::vector<std::uint8_t>> bytes;
    std::vector<Frame> frames;

    void add(const CapturedPacket& packet) {
        bytes.emplace_back(packet.bytes.begin(), packet.bytes.end());
        frames.push_back({.time_ns = packet.time_ns, .length = packet.length, .bytes = bytes.back()}
        );
    }

    void clear() {
        bytes.clear();
        frames.clear();
    }
};

std::expected<std::unique_ptr<Replayer>, Refusal> make_replayer(
    const config::Configuration& configuration, const Settings& settings, const char* which
) {
    auto replayer = Replayer::create(configuration, settings);
    if (!replayer) {
        replayer.error().place = which + replayer.error().place;
    }
    return replayer;
}

// A frame of which something is still to be told: it waits for its verdict, or for an earlier frame
// that does.
struct Pending {
    FrameNote note;
    std::optional<Outcome> outcome;
    std::optional<Outcome> other;
};

// Both ends of the replay and what lies between. Frames that are held back make those after them
// wait, for the report is in the order of the capture: those of a few seconds at most.
class Run {
public:
    [[nodiscard]] std::expected<void, Refusal> open(const ReplayRequest& request);
    [[nodiscard]] std::expected<void, Refusal> read_all(const ReplayRequest& request);
    [[nodiscard]] std::expected<Summary, Refusal> finish();

private:
    void process();
    template <typename Step>
    void decide(Step&& step);
    void take(std::optional<Outcome> Pending::* place);
    void send(Outcome& outcome);
    void tell_pending();
    void tell(const Pending& frame);

    std::unique_ptr<Replayer> replayer_;
    std::unique_ptr<Replayer> other_;
    std::optional<CaptureReader> in_;
    std::optional<CaptureWriter> out_;
    std::optional<Report> report_;
    Batch batch_;
    std::vector<Outcome> decided_;
    std::deque<Pending> pending_;
    std::uint64_t told_ = 0; ///< frames before pending_
    std::uint64_t packets_ = 0;
    Summary summary_;
};

template <typename Value>
std::expected<void, Refusal> keep(std::optional<Value>& place, std::expected<Value, Refusal> made) {
    if (!made) {
        return std::unexpected(std::move(made.error()));
    }
    place.emplace(std::move(*made));
    return {};
}

std::expected<void, Refusal> Run::open(const ReplayRequest& request) {
    auto replayer = make_replayer(*request.configuration, request.settings, "configuration: ");
    if (!replayer) {
        return std::unexpected(std::move(replayer.error()));
    }
    replayer_ = std::move(*replayer);
    if (request.other != nullptr) {
        auto other = make_replayer(*request.other, request.settings, "other configuration: ");
        if (!other) {
            return std::unexpected(std::move(other.error()));
        }
        other_ = std::move(*other);
    }
    if (auto in = keep(in_, CaptureReader::open(request.in)); !in) {
        return in;
    }
    if (!request.out.empty()) {
        if (auto out = keep(out_, CaptureWriter::create(request.out)); !out) {
            return out;
        }
    }
    return request.report.empty() ? std::expected<void, Refusal>{}
                                  : keep(report_, Report::create(request.report));
}

void Run::tell(const Pending& frame) {
    const Outcome& outcome = *frame.outcome;
    const NamedVerdict named{outcome.verdict, replayer_->destination(outcome.verdict)};
    const std::uint64_t index = told_ + 1;
    if (!other_) {
        summary_.add(frame.note, named);
        if (report_) {
            report_->add(index, frame.note.time_ns, named, nullptr, false);
        }
        return;
    }
    const Outcome& other = *frame.other;
    const NamedVerdict compared{other.verdict, other_->destination(other.verdict)};
    const bool changed = differs(*replayer_, outcome, *other_, other);
    summary_.compare(frame.note, named, compared, changed);
    if (report_) {
        report_->add(index, frame.note.time_ns, named, &compared, changed);
    }
}

void Run::tell_pending() {
    while (!pending_.empty() && pending_.front().outcome && (!other_ || pending_.front().other)) {
        tell(pending_.front());
        pending_.pop_front();
        ++told_;
    }
}

void Run::send(Outcome& outcome) {
    for (const Outcome::Sent& sent : outcome.sent) {
        if (out_) {
            out_->write(outcome.time_ns, sent.bytes, sent.length);
        }
    }
    if (!other_) {
        outcome.sent.clear(); // nothing will be compared with it
    }
}

void Run::take(std::optional<Outcome> Pending::* place) {
    for (Outcome& outcome : decided_) {
        const std::size_t at = outcome.index - told_;
        pending_[at].*place = std::move(outcome);
    }
    decided_.clear();
}

void Run::process() {
    for (const Frame& frame : batch_.frames) {
        FrameNote note{.time_ns = frame.time_ns, .length = frame.length, .flow = {}};
        if (other_) {
            note.flow = flow_of(frame);
        }
        pending_.push_back({.note = note, .outcome = {}, .other = {}});
    }
    packets_ += batch_.frames.size();
    decide([this](Replayer& replayer) { replayer.process(batch_.frames, decided_); });
    batch_.clear();
}

template <typename Step>
void Run::decide(Step&& step) {
    step(*replayer_);
    for (Outcome& outcome : decided_) {
        send(outcome);
    }
    take(&Pending::outcome);
    if (other_) {
        step(*other_);
        take(&Pending::other);
    }
    tell_pending();
}

std::expected<void, Refusal> Run::read_all(const ReplayRequest& request) {
    while (true) {
        auto packet = in_->next();
        if (!packet) {
            return std::unexpected(std::move(packet.error()));
        }
        if (*packet) {
            batch_.add(**packet);
        }
        if (batch_.frames.size() == batch_packets || !*packet) {
            process();
            if (request.progress) {
                request.progress(packets_);
            }
        }
        if (!*packet) {
            decide([this](Replayer& replayer) { replayer.finish(decided_); });
            return {};
        }
    }
}

std::expected<Summary, Refusal> Run::finish() {
    if (out_) {
        if (auto written = out_->finish(); !written) {
            return std::unexpected(std::move(written.error()));
        }
    }
    if (report_) {
        if (auto written = report_->finish(); !written) {
            return std::unexpected(std::move(written.error()));
        }
    }
    summary_.set_flows(replayer_->flows());
    return std::move(summary_);
}

// Writing over what is being read would be the end of it.
std::expected<void, Refusal> check_files(const ReplayRequest& request) {
    for (const std::string* path : {&request.out, &request.report}) {
        std::error_code ignored;
        if (!path->empty() && std::filesystem::equivalent(*path, request.in, ignored)) {
            return std::unexpected(
                Refusal{*path, "is the capture that is replayed", "write to another file"}
            );
        }
    }
    if (!request.out.empty() && request.out == request.report) {
        return std::unexpected(Refusal{request.out, "is out and report", "write to two files"});
    }
    return {};
}

bool same_key(const auto* a, const auto* b) {
    return a == nullptr || b == nullptr ? a == b : *a == *b;
}

// Frames without what only says how many left before them: identification and checksum of the first
// IPv4 header.
std::vector<Outcome::Sent> without_sequence(const Outcome& outcome) {
    std::vector<Outcome::Sent> frames = outcome.sent;
    for (Outcome::Sent& frame : frames) {
        const ParsedPacket parsed = parse_packet(Packet{
            .data = frame.bytes.data(),
            .length = static_cast<std::uint32_t>(frame.bytes.size()),
            .total_length = frame.length,
        });
        if (parsed.kind == PacketKind::ipv4) {
            auto ip = header_at<Ipv4Header>(frame.bytes.data() + parsed.l3);
            ip.id = {0};
            ip.checksum = {0};
            write_header(frame.bytes.data() + parsed.l3, ip);
        }
    }
    return frames;
}

} // namespace

bool differs(const Replayer& a, const Outcome& from, const Replayer& b, const Outcome& to) {
    const Destination before = a.destination(from.verdict);
    const Destination after = b.destination(to.verdict);
    return from.verdict.kind != to.verdict.kind ||
           (from.verdict.kind == VerdictKind::drop && from.verdict.reason != to.verdict.reason) ||
           !same_key(before.service_key, after.service_key) ||
           !same_key(before.backend_key, after.backend_key) ||
           without_sequence(from) != without_sequence(to);
}

std::expected<Summary, Refusal> replay(const ReplayRequest& request) {
    if (auto checked = check_files(request); !checked) {
        return std::unexpected(std::move(checked.error()));
    }
    Run run;
    if (auto opened = run.open(request); !opened) {
        return std::unexpected(std::move(opened.error()));
    }
    if (auto read = run.read_all(request); !read) {
        return std::unexpected(std::move(read.error()));
    }
    return run.finish();
}

} // namespace penstock::replay
