// SPDX-License-Identifier: Apache-2.0
#include "dataplane/options.hpp"

#include <boost/program_options.hpp>
#include <fmt/format.h>
#include <sstream>

namespace penstock {

namespace {

namespace po = boost::program_options;

po::options_description describe(Options& options, std::string& level) {
    po::options_description flags("Flags");
    flags.add_options()(
        "config",
        po::value(&options.config_file)->value_name("FILE")->default_value(options.config_file),
        "configuration; read only if the state folder holds none"
    )("state-dir",
      po::value(&options.state_folder)->value_name("DIR")->default_value(options.state_folder),
      "where penstock-cp keeps the last applied configuration, applied.toml, which is what runs")(
        "runtime-dir",
        po::value(&options.runtime_folder)->value_name("DIR")->default_value(options.runtime_folder),
        "for the control socket and the statistics; one penstock-dp per folder"
    )("log-level",
      po::value(&level)->value_name("LEVEL")->default_value("info"),
      "debug (with all that DPDK says), info, warning or error")(
        "json-log", po::bool_switch(&options.log.is_json), "log lines as JSON objects"
    )("help", "print this and exit")("version", "print the version and exit");
    return flags;
}

} // namespace

std::expected<Options, std::string> parse_options(int argc, const char* const* argv) {
    Options options;
    std::string level;
    const po::options_description flags = describe(options, level);
    po::variables_map given;
    // The library throws for what a person mistyped; nobody else shall see that.
    try {
        const int style =
            po::command_line_style::unix_style & ~po::command_line_style::allow_guessing;
        const po::positional_options_description none;
        po::store(
            po::command_line_parser(argc, argv).options(flags).positional(none).style(style).run(),
            given
        );
        po::notify(given);
    } catch (const po::error& error) {
        return std::unexpected(fmt::format("{} (see --help)", error.what()));
    }
    const auto parsed = parse_log_level(level);
    if (!parsed) {
        return std::unexpected(fmt::format(
            "--log-level {}: there is no such level: choose debug, info, warning or error", level
        ));
    }
    options.log.level = *parsed;
    for (const auto& [flag, folder] : {
             std::pair{"--state-dir", &options.state_folder},
             std::pair{"--runtime-dir", &options.runtime_folder},
         }) {
        if (folder->empty() || folder->front() != '/') {
            return std::unexpected(fmt::format("{} {}: give an absolute path", flag, *folder));
        }
    }
    if (given.contains("help")) {
        options.action = Action::print_help;
    } else if (given.contains("version")) {
        options.action = Action::print_version;
    }
    return options;
}

std::string help_text() {
    Options options;
    std::string level;
    std::ostringstream text;
    text << "penstock-dp: the dataplane of Penstock. Forwards packets as penstock-cp tells it.\n\n"
         << "Usage: penstock-dp [flags]\n\n"
         << describe(options, level) << R"(
Examples:
  penstock-dp                                    as a service does it
  penstock-dp --config ./penstock.toml --state-dir /tmp/state --runtime-dir /tmp/run
  penstock-dp --log-level debug                  when it does not start: shows what DPDK says

Exit codes: 0 ended by SIGTERM or SIGINT, 1 did not start (one line says why and how to mend it), 2 usage.
)";
    return text.str();
}

} // namespace penstock
