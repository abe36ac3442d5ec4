// SPDX-License-Identifier: Apache-2.0
// tools/bench micro: the cases of cases.hpp under Google Benchmark; its options are the command
// line (--benchmark_filter=…). Started with --count-instructions under
// `valgrind --tool=callgrind --collect-atstart=no` it runs each case a few times instead and asks
// callgrind to write down what it counted, under the case's name (bench/instructions.py).
#include "bench/micro/cases.hpp"

#include <benchmark/benchmark.h>
#include <cstdio>
#include <fmt/format.h>
#include <string_view>
#include <valgrind/callgrind.h>

namespace penstock::bench {
namespace {

// Few: callgrind is a hundred times slower, and the count of every run is the same.
constexpr unsigned counted_runs = 8;

void count_instructions(const std::vector<MicroCase>& cases) {
    for (const MicroCase& micro : cases) {
        micro.run(); // what only the first call does is not counted
        CALLGRIND_ZERO_STATS;
        CALLGRIND_TOGGLE_COLLECT;
        for (unsigned i = 0; i < counted_runs; ++i) {
            micro.run();
        }
        CALLGRIND_TOGGLE_COLLECT;
        const std::string label = fmt::format("{} {}", micro.name, counted_runs * micro.items);
        CALLGRIND_DUMP_STATS_AT(label.c_str());
    }
}

void register_all(const std::vector<MicroCase>& cases) {
    for (const MicroCase& micro : cases) {
        benchmark::RegisterBenchmark(micro.name.c_str(), [&micro](benchmark::State& state) {
            for (auto _ : state) {
                micro.run();
            }
            state.SetItemsProcessed(static_cast<std::int64_t>(
                static_cast<std::uint64_t>(state.iterations()) * micro.items
            ));
        });
    }
}

} // namespace
} // namespace penstock::bench

int main(int argc, char** argv) {
    const auto cases = penstock::bench::make_micro_cases();
    if (argc == 2 && std::string_view(argv[1]) == "--count-instructions") {
        penstock::bench::count_instructions(cases);
        return 0;
    }
    penstock::bench::register_all(cases);
    benchmark::Initialize(&argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv)) {
        return 2;
    }
    benchmark::RunSpecifiedBenchmarks();
    benchmark::Shutdown();
    return 0;
}
