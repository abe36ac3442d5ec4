// SPDX-License-Identifier: Apache-2.0
// Access lists: `allow`, `deny`, `allow_file` and `deny_file` of a service and of [access].
//
// Thread rule: one thread, the Findings'. After any finding the result is incomplete and must be
// discarded.
#pragma once

#include "controlplane/config/file_access.hpp"
#include "controlplane/config/findings.hpp"
#include "controlplane/config/value_reader.hpp"
#include "dataplane/core/desired_state.hpp"

#include <cstddef>
#include <string_view>
#include <vector>

namespace penstock::config {

/// Reads all lists of a configuration, because their prefixes are limited together.
class AccessReader {
public:
    AccessReader(Findings& findings, Sources& sources, FileAccess& files)
        : findings_(findings), sources_(sources), files_(files) {}

    /// The lists in this table, those of their files included.
    [[nodiscard]] AccessSpec read(const TableReader& table);

private:
    void read_list(const TableReader& table, std::string_view key, std::vector<IpPrefix>& prefixes);
    void read_file(const TableReader& table, std::string_view key, std::vector<IpPrefix>& prefixes);
    void read_lines(std::uint32_t file, std::string_view what, std::vector<IpPrefix>& prefixes);
    [[nodiscard]] bool count(const Span& span);

    Findings& findings_;
    Sources& sources_;
    FileAccess& files_;
    std::size_t count_ = 0;
};

} // namespace penstock::config
