// SPDX-License-Identifier: Apache-2.0
// tools/simulate: does any flow leave a backend that is still there? Millions of flows through the
// real packet path while the pool changes: at random, as a script says, or both.
#include "tools/simulator/pool.hpp"
#include "tools/simulator/script.hpp"
#include "tools/simulator/traffic.hpp"

#include <boost/json.hpp>
#include <boost/program_options.hpp>
#include <chrono>
#include <fmt/format.h>
#include <iostream>
#include <optional>
#include <string>
#include <unistd.h>
#include <utility>
#include <vector>

namespace penstock::simulator {
namespace {

struct Options {
    std::size_t flows = 1'000'000;
    std::size_t capacity = 0; ///< 0: as many as flows
    std::size_t backends = 100;
    unsigned seconds = 30;
    unsigned changes_per_second = 10;
    std::uint64_t packets_per_second = 0; ///< 0: each flow once in five seconds
    std::uint32_t flow_length = 50;
    std::uint64_t seed = 1;
    std::string script; ///< path; empty: none
    bool json = false;
};

constexpr unsigned quiet_steps_per_second = 10; // if nothing changes at random

boost::json::object
report(const Options& options, const Traffic& traffic, std::size_t scripted, double elapsed_s) {
    const Tally& tally = traffic.tally();
    const auto ratio = [](std::uint64_t part, std::uint64_t whole) {
        return whole == 0 ? 0.0 : static_cast<double>(part) / static_cast<double>(whole);
    };
    return {
        {"seed", options.seed},
        {"flows", options.flows},
        {"simulated_seconds", options.seconds},
        {"pool_changes", std::uint64_t{options.seconds} * options.changes_per_second + scripted},
        {"scripted_changes", scripted},
        {"packets", tally.packets},
        {"flows_started", tally.started},
        {"violations", tally.violations},
        {"moved_from_dead_backends", tally.moved_away},
        {"dropped", tally.dropped},
        {"flows_unplaced", traffic.counters().flows_unplaced.read()},
        {"flows_withheld", traffic.counters().flows_withheld.read()},
        {"table_occupancy", ratio(traffic.counters().flows.read(), traffic.capacity())},
        {"slots_moved_per_change", ratio(tally.slots_moved, tally.slots_compared)},
        {"elapsed_seconds", elapsed_s},
    };
}

void print(const boost::json::object& result) {
    for (const auto& [name, value] : result) {
        fmt::print("{:<26} {}\n", std::string(name), boost::json::serialize(value));
    }
}

// Makes those of `script` from `next` on whose time has come; false after saying why one cannot be.
bool make_scripted(
    const Options& options,
    const std::vector<ScriptedChange>& script,
    std::uint64_t now_ms,
    std::size_t& next,
    Pool& pool
) {
    for (; next < script.size() && script[next].at_ms <= now_ms; ++next) {
        const ScriptedChange& change = script[next];
        if (auto made = pool.apply(change.change, change.host, change.weight); !made) {
            fmt::print(
                stderr,
                "simulate: {}:{}: {} at {} s\n",
                options.script,
                change.line,
                made.error(),
                static_cast<double>(change.at_ms) / 1000
            );
            return false;
        }
    }
    return true;
}

// Sends and changes, step by step. Returns how many changes of the script were made; nothing if one
// could not be.
std::optional<std::size_t> simulate(
    const Options& options, const std::vector<ScriptedChange>& script, Pool& pool, Traffic& traffic
) {
    const std::uint64_t per_second =
        options.packets_per_second == 0 ? options.flows / 5 : options.packets_per_second;
    const bool random = options.changes_per_second > 0;
    const unsigned rate = random ? options.changes_per_second : quiet_steps_per_second;
    const unsigned steps = options.seconds * rate;
    const bool shows_progress = !options.json && isatty(STDERR_FILENO) != 0;
    std::size_t next = 0;
    for (unsigned step = 0; step < steps; ++step) {
        traffic.send(pool, per_second / rate, 1000 + step / rate, options.flow_length);
        const std::uint64_t generation = pool.state().generation;
        if (!make_scripted(options, script, (step + 1) * std::uint64_t{1000} / rate, next, pool)) {
            return std::nullopt;
        }
        if (random) {
            pool.change();
        }
        if (pool.state().generation != generation) {
            traffic.apply(pool);
        }
        if (shows_progress) {
            fmt::print(stderr, "\r{} of {} steps", step + 1, steps);
        }
    }
    if (shows_progress) {
        fmt::print(stderr, "\n");
    }
    return next;
}

int run(const Options& options) {
    const auto begin = std::chrono::steady_clock::now();
    std::vector<ScriptedChange> script;
    if (!options.script.empty()) {
        auto read = read_script(options.script);
        if (!read) {
            const Refusal& refusal = read.error();
            std::cerr << "simulate: " << refusal.place << ": " << refusal.cause << ". "
                      << refusal.remedy << '\n';
            return 2;
        }
        script = std::move(*read);
    }
    const std::size_t capacity = options.capacity == 0 ? options.flows : options.capacity;
    Pool pool(options.backends, options.seed);
    Traffic traffic(options.flows, capacity, options.seed ^ 0x9e3779b97f4a7c15ULL);
    traffic.apply(pool);
    const auto scripted = simulate(options, script, pool, traffic);
    if (!scripted) {
        return 2;
    }
    const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - begin;
    const auto result = report(options, traffic, *scripted, elapsed.count());
    if (options.json) {
        fmt::print("{}\n", boost::json::serialize(result));
    } else {
        print(result);
    }
    return traffic.tally().violations == 0 ? 0 : 1;
}

int main_of(int argc, char** argv) {
    namespace po = boost::program_options;
    Options options;
    po::options_description description("Options");
    description.add_options()("help", "this text")("version", "the version")(
        "flows", po::value(&options.flows), "flows alive at once (1000000)"
    )("capacity", po::value(&options.capacity), "entries the flow table must hold (as flows)")(
        "backends", po::value(&options.backends), "backends at the start (100)"
    )("seconds", po::value(&options.seconds), "simulated seconds (30)")(
        "changes-per-second", po::value(&options.changes_per_second), "random pool changes (10; 0 with --script: none)"
    )("packets-per-second", po::value(&options.packets_per_second), "packets (flows / 5)")(
        "flow-length", po::value(&options.flow_length), "packets of a flow, on average (50)"
    )("seed", po::value(&options.seed), "of all randomness (1)")(
        "script", po::value(&options.script), "file of changes: SECONDS CHANGE host-N [WEIGHT] a line"
    )("json", "one JSON object");
    po::variables_map values;
    try {
        po::store(po::parse_command_line(argc, argv, description), values);
        po::notify(values);
    } catch (const po::error& error) {
        std::cerr << "simulate: " << error.what() << ". See --help\n";
        return 2;
    }
    if (values.contains("help")) {
        std::cout
            << "tools/simulate: flows against a changing pool, through the real packet path.\n"
               "Reports flows that left a backend which was still there; there must be none.\n\n"
            << description
            << "\nExit codes: 0 no violation, 1 a violation, 2 usage or a script that cannot be.\n"
               "Example: tools/simulate --flows 10000000 --seconds 30 --json\n";
        return 0;
    }
    if (values.contains("version")) {
        std::cout << "simulate " PENSTOCK_VERSION "\n";
        return 0;
    }
    options.json = values.contains("json");
    if (options.flows == 0 || options.backends < 2 || options.backends > 4000 ||
        (options.changes_per_second == 0 && options.script.empty()) || options.flow_length == 0 ||
        options.seconds == 0) {
        std::cerr
            << "simulate: flows, seconds, flow-length and, without --script, changes-per-second "
               "must be above 0, backends between 2 and 4000\n";
        return 2;
    }
    return run(options);
}

} // namespace
} // namespace penstock::simulator

int main(int argc, char** argv) {
    return penstock::simulator::main_of(argc, argv);
}
