// SPDX-License-Identifier: Apache-2.0
#include "controlplane/config/sections.hpp"

#include <array>

namespace penstock::config {

namespace {

constexpr std::array<std::string_view, 4> access_keys{"allow", "deny", "allow_file", "deny_file"};

} // namespace

AccessSpec read_access(Findings& findings, const Value& value, AccessReader& access_reader) {
    if (!expect_kind(findings, value, ValueKind::table, "access")) {
        return {};
    }
    const TableReader table(findings, value, "[access]", access_keys);
    return access_reader.read(table);
}

} // namespace penstock::config
