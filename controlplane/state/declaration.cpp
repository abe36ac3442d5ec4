// SPDX-License-Identifier: Apache-2.0
#include "controlplane/state/declaration.hpp"

#include "controlplane/state/actor_json.hpp"
#include "controlplane/state/atomic_file.hpp"

#include <fmt/format.h>
#include <utility>

namespace penstock {

std::string describe_size(const config::Configuration& configuration) {
    std::size_t backends = 0;
    for (const config::ServiceConfig& service : configuration.services) {
        backends += service.spec.backends.size();
    }
    const std::size_t services = configuration.services.size();
    return fmt::format(
        "{} service{}, {} backend{}",
        services,
        services == 1 ? "" : "s",
        backends,
        backends == 1 ? "" : "s"
    );
}

boost::json::object make_meta(const Declaration& declaration) {
    return {
        {"name", declaration.name},
        {"source", to_string(declaration.source)},
        {"actor", make_actor_object(declaration.actor)},
    };
}

std::expected<Declaration, std::string> read_declaration(const std::string& path) {
    auto text = read_whole_file(path, config::max_file_bytes);
    if (!text) {
        return std::unexpected(to_string(text.error()));
    }
    if (!*text) {
        return std::unexpected(fmt::format(
            "{}: no such file, and the state directory has no applied configuration; write one "
            "(docs/reference/configuration.md) or name it with --config",
            path
        ));
    }
    std::string packed = config::pack_named_files(std::move(**text), path);
    config::Diagnostics warnings;
    auto parsed = config::parse_configuration(packed, path, &warnings);
    if (!parsed) {
        return std::unexpected(config::render(parsed.error()));
    }
    return Declaration{
        .text = std::move(packed),
        .configuration = std::move(*parsed),
        .notes = render_warnings(warnings),
        .name = path,
        .actor = {.user = {}, .uid = {}, .pid = {}, .from = "start", .role = Role::administer},
    };
}

std::vector<std::string> render_warnings(const config::Diagnostics& warnings) {
    std::vector<std::string> notes;
    for (const config::Diagnostic& warning : warnings) {
        notes.push_back(config::render(warning));
    }
    return notes;
}

} // namespace penstock
