// SPDX-License-Identifier: Apache-2.0
#include "controlplane/config/include.hpp"

#include "controlplane/config/parse.hpp"
#include "controlplane/config/text.hpp"
#include "controlplane/config/value_reader.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <utility>

namespace penstock::config {

namespace {

constexpr std::size_t max_path_bytes = 1024;

// Takes the member out of the table; nothing if it has none.
std::optional<Value> take_member(Value& table, std::string_view key) {
    const auto found = std::ranges::find(table.members, key, &Member::key);
    if (found == table.members.end()) {
        return std::nullopt;
    }
    Value value = std::move(found->value);
    table.members.erase(found);
    return value;
}

} // namespace

std::expected<void, Diagnostic> Includer::join(Value& root) {
    return follow(root, root);
}

// The files that `document` includes, and theirs.
std::expected<void, Diagnostic> Includer::follow(Value& document, Value& root) {
    const auto include = take_member(document, "include");
    if (!include) {
        return {};
    }
    for (const Open& file : list_files(*include)) {
        if (may_open(file)) {
            if (auto taken = take_in(file, root); !taken) {
                return taken;
            }
        }
    }
    return {};
}

std::vector<Includer::Open> Includer::list_files(const Value& include) {
    std::vector<Open> files;
    if (!expect_kind(findings_, include, ValueKind::array, "include")) {
        return files;
    }
    for (const Value& item : include.items) {
        const auto path = read_text(findings_, item, "include", max_path_bytes);
        if (!path) {
            continue;
        }
        const std::string pattern = sources_.resolve(item.span.file, *path);
        if (pattern.find_first_of("*?[") == std::string::npos) {
            files.push_back({pattern, item.span});
            continue;
        }
        const auto names = files_.list(pattern);
        if (names.empty()) {
            findings_.warn(
                item.span,
                fmt::format("no file matches {}", quote(*path)),
                "check the path: it begins at the folder of the file that it stands in"
            );
        }
        for (const std::string& name : names) {
            files.push_back({name, item.span});
        }
    }
    return files;
}

bool Includer::may_open(const Open& file) {
    const auto cycle = std::ranges::find(open_, file.path, &Open::path);
    if (cycle != open_.end()) {
        std::string way;
        for (auto step = cycle; step != open_.end(); ++step) {
            way += fmt::format("{} includes ", quote(step->path));
        }
        findings_.error(
            file.span,
            fmt::format("the includes go round: {}{}", way, quote(file.path)),
            "delete one of these includes"
        );
        return false;
    }
    const auto [known, is_new] = seen_.emplace(file.path, file.span);
    if (!is_new) {
        findings_.error(
            file.span,
            fmt::format(
                "{} is included already, at {}", quote(file.path), findings_.describe(known->second)
            ),
            "include each file once"
        );
        return false;
    }
    if (open_.size() >= max_include_depth || seen_.size() > max_included_files) {
        findings_.error(
            file.span,
            fmt::format(
                "includes go deeper than {} files, or name more than {}",
                max_include_depth,
                max_included_files
            ),
            "join files, or include them from the main file"
        );
        return false;
    }
    return true;
}

std::expected<void, Diagnostic> Includer::take_in(const Open& file, Value& root) {
    auto text = files_.read(file.path);
    if (!text) {
        findings_.error(file.span, std::move(text.error().cause), std::move(text.error().remedy));
        return {};
    }
    if (text->size() > max_file_bytes) {
        findings_.error(
            file.span,
            fmt::format(
                "{} has {} bytes; at most {} are read",
                quote(file.path),
                text->size(),
                max_file_bytes
            ),
            "divide it into several files"
        );
        return {};
    }
    const std::uint32_t index =
        sources_.add(std::move(*text), files_.displayed_name(file.path), file.path);
    auto document = parse_document(sources_.at(index), index);
    if (!document) {
        return std::unexpected(std::move(document.error()));
    }
    open_.push_back(file);
    // Its own includes first, for `document` is taken apart by merge().
    auto followed = follow(*document, root);
    open_.pop_back();
    if (followed) {
        merge(std::move(*document), root);
    }
    return followed;
}

void Includer::merge(Value document, Value& root) {
    for (Member& member : document.members) {
        const auto present = std::ranges::find(root.members, member.key, &Member::key);
        if (present == root.members.end()) {
            root.members.push_back(std::move(member));
            continue;
        }
        Value& value = present->value;
        const bool are_lists =
            value.kind == ValueKind::array && member.value.kind == ValueKind::array;
        if (member.key == "service" && are_lists) {
            std::ranges::move(member.value.items, std::back_inserter(value.items));
            continue;
        }
        findings_.error(
            member.key_span,
            fmt::format(
                "{} stands in another file already, at {}",
                quote(member.key),
                findings_.describe(present->key_span)
            ),
            "only [[service]] may stand in several files: delete one of the two"
        );
    }
}

} // namespace penstock::config
