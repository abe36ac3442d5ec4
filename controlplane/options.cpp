// SPDX-License-Identifier: Apache-2.0
#include "controlplane/options.hpp"

#include "controlplane/api/openapi.hpp"

#include <algorithm>
#include <array>
#include <boost/program_options.hpp>
#include <fmt/format.h>
#include <string_view>

namespace penstock {

namespace po = boost::program_options;

namespace {

constexpr std::string_view help_text =
    R"(penstock-cp, the control plane of Penstock: configuration, health probes, API.

Usage: penstock-cp [options]

  --config FILE      read at the first start and on SIGHUP (default /etc/penstock/penstock.toml)
  --state-dir DIR    what survives a restart: applied configuration, overrides, flow hash key
                     (default /var/lib/penstock)
  --runtime-dir DIR  sockets and statistics: control.sock (API), dataplane.sock, dataplane.stats
                     (default /run/penstock)
  --admin-group GROUP, --operator-group GROUP, --viewer-group GROUP
                     members of GROUP may do everything; set overrides and confirm; look. With any of
                     them the API socket is open to all and others are refused; without, whoever may
                     open it (mode 0660) may do everything
  --log-level LEVEL  debug, info, warning or error (default info)
  --json-log         one JSON object a line instead of text
  --openapi          print the API's OpenAPI document and end
  --help, --version

After the first start the applied configuration in the state directory is what runs; a changed FILE
takes effect by SIGHUP. 'penstock apply' sends the file that it is given: after 'penstock apply' of
another file a SIGHUP brings FILE back. 'penstock status' shows when the two differ.

Examples:
  penstock-cp
  penstock-cp --config ./penstock.toml --state-dir ./state --runtime-dir ./run --log-level debug
  kill -HUP $(pidof penstock-cp)      reload FILE; a bad one changes nothing

Exit codes: 0 ended by SIGTERM or SIGINT, 1 could not start or go on, 2 usage.
)";

} // namespace

std::expected<std::variant<Options, PrintAndExit>, std::string>
parse_options(int argc, const char* const* argv) {
    Options options;
    po::options_description description;
    description.add_options()("help,h", "")("version", "")("openapi", "")(
        "config", po::value(&options.config_file)
    )("state-dir", po::value(&options.state_directory))(
        "runtime-dir", po::value(&options.runtime_directory)
    )("log-level", po::value(&options.log_level))("json-log", po::bool_switch(&options.json_log)
    )("admin-group", po::value(&options.role_groups.admin))(
        "operator-group", po::value(&options.role_groups.shift)
    )("viewer-group", po::value(&options.role_groups.viewer));
    po::variables_map values;
    try {
        const auto style =
            po::command_line_style::default_style & ~po::command_line_style::allow_guessing;
        po::store(
            po::command_line_parser(argc, argv)
                .options(description)
                .positional(po::positional_options_description())
                .style(style)
                .run(),
            values
        );
        po::notify(values);
    } catch (const po::error& error) {
        return std::unexpected(fmt::format("penstock-cp: {}; see penstock-cp --help", error.what())
        );
    }
    if (values.contains("help")) {
        return PrintAndExit{.text = std::string(help_text)};
    }
    if (values.contains("openapi")) {
        return PrintAndExit{.text = print_openapi_document()};
    }
    if (values.contains("version")) {
        return PrintAndExit{.text = "penstock-cp " PENSTOCK_VERSION "\n"};
    }
    static constexpr std::array<std::string_view, 4> levels{"debug", "info", "warning", "error"};
    if (std::ranges::find(levels, options.log_level) == levels.end()) {
        return std::unexpected(fmt::format(
            "penstock-cp: --log-level '{}' is none of debug, info, warning, error",
            options.log_level
        ));
    }
    return options;
}

} // namespace penstock
