// SPDX-License-Identifier: Apache-2.0
// penstock: the operator's command. Wiring only: parse, run, tell how it ended.
#include "tools/cli/arguments.hpp"
#include "tools/cli/help.hpp"
#include "tools/cli/output.hpp"
#include "tools/cli/problem.hpp"

#include <curl/curl.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <exception>
#include <string>
#include <thread>
#include <vector>

namespace penstock::cli {
namespace {

std::expected<ExitCode, Failure> run(const Invocation& invocation, Output& output) {
    switch (invocation.action) {
    case Action::version:
        output.print_line("penstock " PENSTOCK_VERSION);
        return ExitCode::ok;
    case Action::help:
        output.print(help_text(invocation));
        return ExitCode::ok;
    case Action::run:
        break;
    }
    const auto every_s = invocation.seconds("watch");
    while (every_s && !output.broken()) {
        output.clear_screen();
        if (auto result = invocation.command->run(invocation, output); !result)
            return result;
        output.flush();
        std::this_thread::sleep_for(std::chrono::duration<double>(*every_s));
    }
    return invocation.command->run(invocation, output);
}

std::string read_variable(const char* name) {
    // NOLINTNEXTLINE(concurrency-mt-unsafe): there is no other thread
    const char* value = std::getenv(name);
    return value == nullptr ? "" : value;
}

Surroundings read_surroundings() {
    return {
        .socket = read_variable("PENSTOCK_SOCKET"),
        .api = read_variable("PENSTOCK_API"),
        .cacert = read_variable("PENSTOCK_CACERT"),
        .cert = read_variable("PENSTOCK_CERT"),
        .key = read_variable("PENSTOCK_KEY"),
        .token_file = read_variable("PENSTOCK_TOKEN_FILE"),
    };
}

int run_program(const std::vector<std::string>& arguments) {
    Output output = Output::of_process();
    const auto invocation = parse_arguments(arguments, read_surroundings());
    const auto result = invocation ? run(*invocation, output) : std::unexpected(invocation.error());
    if (!result) {
        if (std::ranges::find(arguments, "--json") != arguments.end())
            output.print_json(to_problem(result.error()));
        output.print_failure(result.error());
    }
    if (const auto written = output.finish(); !written) {
        output.print_failure(written.error());
        return static_cast<int>(written.error().code);
    }
    return static_cast<int>(result ? *result : result.error().code);
}

} // namespace
} // namespace penstock::cli

int main(int argc, char** argv) {
    // An exception here is out of memory or a mistake of ours; either way in words, and as a
    // failure.
    try {
        curl_global_init(CURL_GLOBAL_DEFAULT);
        const int code = penstock::cli::run_program({argv + std::min(argc, 1), argv + argc});
        curl_global_cleanup();
        return code;
    } catch (const std::exception& error) {
        std::fprintf(
            stderr,
            "penstock: error: internal: %s\n  help: please report this as a bug\n",
            error.what()
        );
        return static_cast<int>(penstock::cli::ExitCode::refused);
    }
}
