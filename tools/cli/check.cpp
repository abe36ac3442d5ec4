// SPDX-License-Identifier: Apache-2.0
// penstock check: the configuration parser, offline.
#include "controlplane/config/configuration.hpp"
#include "controlplane/config/parse.hpp"
#include "controlplane/config/unsupported.hpp"
#include "tools/cli/arguments.hpp"
#include "tools/cli/configuration_text.hpp"
#include "tools/cli/output.hpp"
#include "tools/cli/run.hpp"
#include "tools/cli/units.hpp"

#include <boost/algorithm/string/join.hpp>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <fmt/format.h>

#include <algorithm>

namespace penstock::cli {
namespace {

namespace json = boost::json;

json::array to_json(const config::Diagnostics& diagnostics) {
    json::array array;
    for (const config::Diagnostic& diagnostic : diagnostics) {
        array.push_back(json::object{
            {"file", diagnostic.place.file},
            {"line", diagnostic.place.line},
            {"column", diagnostic.place.column},
            {"severity", diagnostic.severity == config::Severity::error ? "error" : "warning"},
            {"cause", diagnostic.cause},
            {"remedy", diagnostic.remedy}
        });
    }
    return array;
}

std::size_t count_backends(const config::Configuration& configuration) {
    std::size_t count = 0;
    for (const config::ServiceConfig& service : configuration.services)
        count += service.spec.backends.size();
    return count;
}

json::object summarize_json(const config::Configuration& configuration) {
    return {
        {"node", configuration.node.name},
        {"workers", configuration.dataplane.workers.size()},
        {"ports", configuration.dataplane.ports.size()},
        {"services", configuration.services.size()},
        {"backends", count_backends(configuration)}
    };
}

std::string describe_port(const config::PortConfig& port) {
    return port.interface ? fmt::format("{} (interface {}, AF_XDP)", port.name, *port.interface)
                          : fmt::format("{} (device {})", port.name, port.device.value_or("?"));
}

// What would run, in a sentence or two.
std::string summarize(const config::Configuration& configuration, std::string_view file) {
    const config::DataplaneConfig& dataplane = configuration.dataplane;
    std::vector<std::string> workers;
    workers.reserve(dataplane.workers.size());
    for (const std::uint16_t lcore : dataplane.workers)
        workers.push_back(fmt::format("{}", lcore));
    std::vector<std::string> ports;
    ports.reserve(dataplane.ports.size());
    for (const config::PortConfig& port : dataplane.ports)
        ports.push_back(describe_port(port));
    std::vector<std::string> services;
    services.reserve(configuration.services.size());
    for (const config::ServiceConfig& service : configuration.services) {
        services.push_back(fmt::format(
            "{} ({}, {}, {})",
            service.spec.name,
            to_string(service.spec.key),
            to_string(service.spec.forwarding),
            format_plural(service.spec.backends.size(), "backend", "backends")
        ));
    }
    constexpr std::size_t services_named_max = 8;
    const std::size_t unnamed = services.size() - std::min(services.size(), services_named_max);
    services.resize(services.size() - unnamed);
    if (unnamed > 0)
        services.push_back(fmt::format("and {} more", unnamed));
    std::string text = fmt::format(
        "{} is valid. Node {} would run {} on {} {} with {}.",
        file,
        configuration.node.name,
        format_plural(dataplane.workers.size(), "worker", "workers"),
        dataplane.workers.size() == 1 ? "lcore" : "lcores",
        boost::algorithm::join(workers, ", "),
        ports.empty()
            ? "no port"
            : fmt::format(
                  "{} {}", ports.size() == 1 ? "port" : "ports", boost::algorithm::join(ports, ", ")
              )
    );
    text += fmt::format(
        " {}, {}{}{}.",
        format_plural(configuration.services.size(), "service", "services"),
        format_plural(count_backends(configuration), "backend", "backends"),
        services.empty() ? "" : ": ",
        boost::algorithm::join(services, ", ")
    );
    return text;
}

// A file that passes never fails when it is applied: what the dataplane would refuse is an error.
std::expected<config::Configuration, config::Diagnostics>
read_checked(const std::string& file, config::Diagnostics& warnings) {
    const auto source = read_text(file);
    if (!source)
        return std::unexpected(config::Diagnostics{source.error()});
    config::DiskFiles files(file == "-" ? "" : file);
    auto configuration = config::parse_configuration(source->text, source->name, files, &warnings);
    if (configuration) {
        if (auto unsupported = config::find_unsupported(*configuration); !unsupported.empty())
            return std::unexpected(std::move(unsupported));
    }
    return configuration;
}

} // namespace

RunResult run_check(const Invocation& invocation, Output& output) {
    const std::string& file = invocation.arguments[0];
    config::Diagnostics diagnostics; // of an accepted file: warnings
    auto configuration = read_checked(file, diagnostics);
    if (!configuration)
        diagnostics = configuration.error();
    const ExitCode code = configuration ? ExitCode::ok : ExitCode::refused;
    if (invocation.json) {
        output.print_json(json::object{
            {"ok", configuration.has_value()},
            {"file", displayed_name(file)},
            {"diagnostics", to_json(diagnostics)},
            {"summary",
             configuration ? json::value(summarize_json(*configuration)) : json::value(nullptr)}
        });
        return code;
    }
    output.print_error_lines(config::render(diagnostics));
    if (configuration)
        output.print_line(summarize(*configuration, displayed_name(file)));
    return code;
}

} // namespace penstock::cli
