// SPDX-License-Identifier: Apache-2.0
#include "tools/cli/drain_wait.hpp"

#include "tools/cli/arguments.hpp"
#include "tools/cli/control_client.hpp"
#include "tools/cli/document.hpp"
#include "tools/cli/output.hpp"
#include "tools/cli/units.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <deque>
#include <optional>
#include <thread>

namespace penstock::cli {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds look_every{500};
/// The rate is that of the last so many looks: long enough to be steady, short enough to be of now.
constexpr std::size_t looks_kept = 20;
constexpr std::chrono::seconds report_every{10};

struct Look {
    Clock::time_point time;
    std::vector<std::uint64_t> flows; ///< by backend, as named

    [[nodiscard]] std::uint64_t total() const {
        std::uint64_t sum = 0;
        for (const std::uint64_t count : flows)
            sum += count;
        return sum;
    }
};

std::expected<Look, Failure> look(const std::vector<BackendName>& names, ControlClient& client) {
    const auto reply = client.get("/v1/backends");
    if (!reply)
        return std::unexpected(reply.error());
    Document document(*reply);
    Look seen{.time = Clock::now(), .flows = std::vector<std::uint64_t>(names.size(), 0)};
    for (const Object& backend : document.root().objects("backends")) {
        const BackendName name{.service = backend.text("service"), .backend = backend.text("name")};
        const auto place = std::ranges::find(names, name);
        if (place == names.end())
            continue;
        const auto flows = backend.maybe_count("flows");
        if (!flows) {
            return std::unexpected(Failure{
                .code = ExitCode::refused,
                .cause = "how many flows are left cannot be seen: the statistics of penstock-dp "
                         "cannot be read",
                .remedy = "the drain itself goes on; is penstock-dp running? penstock status"
            });
        }
        seen.flows[static_cast<std::size_t>(place - names.begin())] = *flows;
    }
    if (const auto complete = document.check(); !complete)
        return std::unexpected(complete.error());
    return seen;
}

/// "12 flows left, 3.1/s, about 4 s".
std::string describe(const std::deque<Look>& looks) {
    const std::uint64_t left = looks.back().total();
    std::string text = format_plural(left, "flow left", "flows left");
    const std::chrono::duration<double> elapsed = looks.back().time - looks.front().time;
    const std::uint64_t first = looks.front().total();
    if (elapsed.count() > 0 && first > left) {
        const double rate = static_cast<double>(first - left) / elapsed.count();
        text += fmt::format(
            ", {} end, about {}",
            format_rate(rate),
            format_duration(static_cast<std::int64_t>(static_cast<double>(left) / rate * 1000))
        );
    }
    return text;
}

void print_result(
    const std::vector<BackendName>& names,
    const Look& last,
    double waited_s,
    const Invocation& invocation,
    Output& output
) {
    const bool done = last.total() == 0;
    if (invocation.json) {
        boost::json::array list;
        for (std::size_t i = 0; i < names.size(); ++i) {
            list.push_back(boost::json::object{
                {"service", names[i].service}, {"name", names[i].backend}, {"flows", last.flows[i]}
            });
        }
        output.print_json(boost::json::object{
            {"backends", std::move(list)}, {"waited_s", waited_s}, {"done", done}
        });
        return;
    }
    for (std::size_t i = 0; i < names.size(); ++i) {
        output.print_line(fmt::format(
            "{}/{}: {}",
            make_printable(names[i].service),
            make_printable(names[i].backend),
            last.flows[i] == 0 ? output.painted("drained", Colour::green)
                               : format_plural(last.flows[i], "flow left", "flows left")
        ));
    }
}

} // namespace

RunResult wait_for_drain(
    const std::vector<BackendName>& names,
    double timeout_s,
    ControlClient& client,
    const Invocation& invocation,
    Output& output
) {
    const auto begun = Clock::now();
    const auto deadline =
        begun +
        std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(timeout_s));
    auto reported = begun;
    std::deque<Look> looks;
    while (true) {
        auto seen = look(names, client);
        if (!seen)
            return std::unexpected(seen.error());
        looks.push_back(std::move(*seen));
        if (looks.size() > looks_kept)
            looks.pop_front();
        const bool done = looks.back().total() == 0;
        if (done || Clock::now() >= deadline || output.broken())
            break;
        output.print_progress(describe(looks));
        // In a pipe or a log there is no progress line: a note now and then.
        if (!output.error_terminal() && Clock::now() - reported >= report_every) {
            reported = Clock::now();
            output.print_note(describe(looks));
        }
        std::this_thread::sleep_for(look_every);
    }
    const std::chrono::duration<double> waited = Clock::now() - begun;
    print_result(names, looks.back(), waited.count(), invocation, output);
    if (looks.back().total() == 0)
        return ExitCode::ok;
    output.print_note(
        fmt::format("{} after {:.0f} s; the drain goes on", describe(looks), waited.count())
    );
    return ExitCode::timed_out;
}

} // namespace penstock::cli
