// SPDX-License-Identifier: Apache-2.0
#include "controlplane/config/access_reader.hpp"

#include "controlplane/config/address_reader.hpp"

#include <fmt/format.h>

#include <utility>

namespace penstock::config {

namespace {

constexpr std::size_t max_path_bytes = 1024;
constexpr std::string_view blanks = " \t\r";

} // namespace

AccessSpec AccessReader::read(const TableReader& table) {
    AccessSpec access;
    read_list(table, "allow", access.allow);
    read_file(table, "allow_file", access.allow);
    read_list(table, "deny", access.deny);
    read_file(table, "deny_file", access.deny);
    return access;
}

// False once, at the first prefix beyond the limit, with a finding, and from then on.
bool AccessReader::count(const Span& span) {
    if (++count_ == max_access_prefixes + 1) {
        findings_.error(
            span,
            fmt::format("more than {} prefixes in all access lists", max_access_prefixes),
            "join neighbouring prefixes to shorter ones, or shorten the lists"
        );
    }
    return count_ <= max_access_prefixes;
}

void AccessReader::read_list(
    const TableReader& table, std::string_view key, std::vector<IpPrefix>& prefixes
) {
    const Value* list = table.find(key);
    if (list == nullptr || !expect_kind(findings_, *list, ValueKind::array, key)) {
        return;
    }
    if (list->items.empty()) {
        findings_.error(
            list->span,
            fmt::format("{} is an empty list", key),
            key == "allow" ? "to let everybody in, delete the key; to let nobody in, write deny = "
                             "[\"0.0.0.0/0\", \"::/0\"]"
                           : "delete the key"
        );
    }
    for (const Value& item : list->items) {
        if (!count(item.span)) {
            return;
        }
        if (const auto prefix = read_prefix(findings_, item, key)) {
            prefixes.push_back(*prefix);
        }
    }
}

void AccessReader::read_file(
    const TableReader& table, std::string_view key, std::vector<IpPrefix>& prefixes
) {
    const Value* value = table.find(key);
    const auto path =
        value != nullptr ? read_text(findings_, *value, key, max_path_bytes) : std::nullopt;
    if (!path) {
        return;
    }
    const std::string resolved = sources_.resolve(value->span.file, *path);
    auto text = files_.read(resolved);
    if (!text) {
        findings_.error(value->span, std::move(text.error().cause), std::move(text.error().remedy));
        return;
    }
    const std::size_t before = prefixes.size();
    const std::size_t errors_before = findings_.error_count();
    const std::uint32_t file =
        sources_.add(std::move(*text), files_.displayed_name(resolved), resolved);
    read_lines(file, key, prefixes);
    // An empty list of who may send would mean everybody.
    const bool is_empty = prefixes.size() == before && findings_.error_count() == errors_before;
    if (is_empty && key == "allow_file") {
        findings_.error(
            value->span,
            fmt::format("{} names no prefix", quote(*path)),
            "write prefixes into it, one a line; to let everybody in, delete the key"
        );
    }
}

// One prefix a line; blanks around it and what follows a # do not count.
void AccessReader::read_lines(
    std::uint32_t file, std::string_view what, std::vector<IpPrefix>& prefixes
) {
    const std::string_view text = sources_.at(file).text();
    std::uint32_t line_number = 0;
    for (std::size_t begin = 0; begin < text.size();) {
        ++line_number;
        const std::size_t end = std::min(text.find('\n', begin), text.size());
        const std::string_view line = text.substr(begin, end - begin);
        begin = end + 1;
        const std::string_view content = line.substr(0, line.find('#'));
        const std::size_t first = content.find_first_not_of(blanks);
        if (first == std::string_view::npos) {
            continue;
        }
        const std::string_view word =
            content.substr(first, content.find_last_not_of(blanks) + 1 - first);
        const Span span{
            .line = line_number,
            .column = static_cast<std::uint32_t>(first + 1),
            .length = static_cast<std::uint32_t>(word.size()),
            .file = file,
        };
        if (!count(span)) {
            return;
        }
        if (const auto prefix = IpPrefix::parse(word)) {
            prefixes.push_back(*prefix);
        } else if (!findings_.is_full()) {
            auto fault = explain_prefix(word, what);
            findings_.error(span, std::move(fault.cause), std::move(fault.remedy));
        } else {
            findings_.error(span, {}, {}); // only counted
        }
    }
}

} // namespace penstock::config
