// SPDX-License-Identifier: Apache-2.0
#include "controlplane/config/parse.hpp"

#include "controlplane/config/document.hpp"
#include "controlplane/config/findings.hpp"
#include "controlplane/config/include.hpp"
#include "controlplane/config/read_file.hpp"
#include "controlplane/config/sections.hpp"

#include <algorithm>
#include <array>
#include <iterator>
#include <utility>

namespace penstock::config {

namespace {

constexpr std::array<std::string_view, 8> root_keys{
    "include", "node", "api", "dataplane", "flow", "nat", "access", "service"
};
constexpr std::array<std::string_view, 1> node_keys{"name"};

NodeConfig read_node(Findings& findings, const Value& value) {
    NodeConfig node;
    if (!expect_kind(findings, value, ValueKind::table, "node")) {
        return node;
    }
    node.place = findings.origin(value.span);
    const TableReader table(findings, value, "[node]", node_keys);
    if (const Value* name = table.require("name", "name = \"lb-a\"")) {
        node.name = read_name(findings, *name, "node name").value_or("");
    }
    return node;
}

Configuration read_root(Findings& findings, const Value& root, AccessReader& access_reader) {
    Configuration configuration;
    const TableReader table(findings, root, "the file", root_keys);
    if (const Value* node = table.require("node", "[node] with name = \"lb-a\"")) {
        configuration.node = read_node(findings, *node);
    }
    if (const Value* api = table.find("api")) {
        configuration.api = read_api(findings, *api);
    }
    constexpr std::string_view example = "[dataplane] with workers = [1], and a [[dataplane.port]]";
    if (const Value* dataplane = table.require("dataplane", example)) {
        configuration.dataplane =
            read_dataplane(findings, *dataplane, configuration.tunnel_sources);
    }
    if (const Value* flow = table.find("flow")) {
        configuration.flow_timeouts = read_flow(findings, *flow);
    }
    std::vector<AddressPlace> nat_sources;
    if (const Value* nat = table.find("nat")) {
        nat_sources = read_nat(findings, *nat);
        std::ranges::transform(
            nat_sources, std::back_inserter(configuration.nat_sources), &AddressPlace::address
        );
    }
    if (const Value* access = table.find("access")) {
        configuration.access = read_access(findings, *access, access_reader);
    }
    if (const Value* services = table.find("service")) {
        configuration.services = read_services(findings, *services, access_reader, nat_sources);
    }
    return configuration;
}

} // namespace

std::expected<Configuration, Diagnostics>
parse_configuration(std::string_view text, const std::string& file_name, Diagnostics* warnings) {
    if (!is_packed(text)) {
        PackedFiles none({}, file_name);
        return parse_configuration(text, file_name, none, warnings);
    }
    auto packed = unpack(text);
    if (!packed) {
        const Source source(text, file_name);
        return std::unexpected(Diagnostics{source.diagnose(
            {.line = 1, .column = 1},
            "this packed configuration is damaged",
            "apply the configuration by its path again"
        )});
    }
    const std::string main = std::move(packed->main);
    PackedFiles files(std::move(*packed), file_name);
    return parse_configuration(main, file_name, files, warnings);
}

std::expected<Configuration, Diagnostics> parse_configuration(
    std::string_view text, const std::string& file_name, FileAccess& files, Diagnostics* warnings
) {
    if (text.size() > max_file_bytes) {
        return std::unexpected(Diagnostics{explain_size(file_name, text.size(), max_file_bytes)});
    }
    Sources sources;
    const Source& source = sources.at(sources.add(std::string(text), file_name));
    if (source.text().find_first_not_of(" \t\r\n") == std::string_view::npos) {
        return std::unexpected(Diagnostics{source.diagnose(
            {.line = 1, .column = 1},
            "the file is empty",
            "begin with docs/examples/penstock.toml; to forward nothing, keep [node] and "
            "[dataplane]"
        )});
    }
    auto root = parse_document(source);
    if (!root) {
        return std::unexpected(Diagnostics{std::move(root.error())});
    }
    root->span = {.line = 1, .column = 1};
    Findings findings(sources);
    if (auto joined = Includer(findings, sources, files).join(*root); !joined) {
        return std::unexpected(Diagnostics{std::move(joined.error())});
    }
    AccessReader access_reader(findings, sources, files);
    Configuration configuration = read_root(findings, *root, access_reader);
    if (findings.error_count() > 0) {
        return std::unexpected(findings.take());
    }
    if (warnings != nullptr) {
        *warnings = findings.take();
    }
    return configuration;
}

} // namespace penstock::config
