// SPDX-License-Identifier: Apache-2.0
#include "controlplane/config/parse.hpp"

#include "controlplane/config/document.hpp"
#include "controlplane/config/findings.hpp"
#include "controlplane/config/read_file.hpp"
#include "controlplane/config/sections.hpp"

#include <array>
#include <utility>

namespace penstock::config {

namespace {

constexpr std::array<std::string_view, 4> root_keys{"node", "dataplane", "flow", "service"};
constexpr std::array<std::string_view, 1> node_keys{"name"};

NodeConfig read_node(Findings& findings, const Value& value) {
    NodeConfig node;
    if (!expect_kind(findings, value, ValueKind::table, "node")) {
        return node;
    }
    const TableReader table(findings, value, "[node]", node_keys);
    if (const Value* name = table.require("name", "name = \"lb-a\"")) {
        node.name = read_name(findings, *name, "node name").value_or("");
    }
    return node;
}

Configuration read_root(Findings& findings, const Value& root) {
    Configuration configuration;
    const TableReader table(findings, root, "the file", root_keys);
    if (const Value* node = table.require("node", "[node] with name = \"lb-a\"")) {
        configuration.node = read_node(findings, *node);
    }
    constexpr std::string_view example = "[dataplane] with workers = [1], and a [[dataplane.port]]";
    if (const Value* dataplane = table.require("dataplane", example)) {
        configuration.dataplane =
            read_dataplane(findings, *dataplane, configuration.tunnel_sources);
    }
    if (const Value* flow = table.find("flow")) {
        configuration.flow_timeouts = read_flow(findings, *flow);
    }
    if (const Value* services = table.find("service")) {
        configuration.services = read_services(findings, *services);
    }
    return configuration;
}

} // namespace

std::expected<Configuration, Diagnostics>
parse_configuration(std::string_view text, const std::string& file_name, Diagnostics* warnings) {
    const Source source(text, file_name);
    if (text.size() > max_file_bytes) {
        return std::unexpected(Diagnostics{explain_size(file_name, text.size())});
    }
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
    Findings findings(source);
    Configuration configuration = read_root(findings, *root);
    if (findings.error_count() > 0) {
        return std::unexpected(findings.take());
    }
    if (warnings != nullptr) {
        *warnings = findings.take();
    }
    return configuration;
}

} // namespace penstock::config
