// SPDX-License-Identifier: Apache-2.0
#include "controlplane/config/file_pack.hpp"

#include <fmt/format.h>

#include <charconv>
#include <utility>

namespace penstock::config {

namespace {

constexpr std::string_view first_line = "# penstock files 1\n";
constexpr std::string_view file_word = "# file ";
constexpr std::string_view missing_word = "# missing ";

void append(std::string& out, std::string_view word, std::string_view name, std::string_view text) {
    out += word;
    out += fmt::format("{}{}{}\n", text.size(), name.empty() ? "" : " ", name);
    out += text;
    out += '\n';
}

struct Entry {
    bool is_missing = false;
    std::string name;
    std::string text;
};

// Takes one entry off the front of `text`.
std::optional<Entry> take_entry(std::string_view& text) {
    const std::size_t end = text.find('\n');
    if (end == std::string_view::npos) {
        return std::nullopt;
    }
    std::string_view head = text.substr(0, end);
    Entry entry;
    entry.is_missing = head.starts_with(missing_word);
    if (!entry.is_missing && !head.starts_with(file_word)) {
        return std::nullopt;
    }
    head.remove_prefix(entry.is_missing ? missing_word.size() : file_word.size());
    std::size_t bytes = 0;
    const auto parsed = std::from_chars(head.begin(), head.end(), bytes);
    const std::string_view name = head.substr(static_cast<std::size_t>(parsed.ptr - head.begin()));
    text.remove_prefix(end + 1);
    const bool good = parsed.ec == std::errc() && (name.empty() || name.starts_with(' ')) &&
                      bytes < text.size() && text[bytes] == '\n';
    if (!good) {
        return std::nullopt;
    }
    entry.name = name.empty() ? "" : name.substr(1);
    entry.text = text.substr(0, bytes);
    text.remove_prefix(bytes + 1);
    return entry;
}

} // namespace

std::string pack(const FilePack& files) {
    if (files.files.empty()) {
        return files.main;
    }
    std::string out(first_line);
    append(out, file_word, "", files.main);
    for (const auto& [name, text] : files.files) {
        if (text) {
            append(out, file_word, name, *text);
        } else {
            append(out, missing_word, name, text.error().cause + '\n' + text.error().remedy);
        }
    }
    return out;
}

bool is_packed(std::string_view text) {
    return text.starts_with(first_line);
}

std::optional<FilePack> unpack(std::string_view text) {
    text.remove_prefix(first_line.size());
    auto main = take_entry(text);
    if (!main || main->is_missing || !main->name.empty()) {
        return std::nullopt;
    }
    FilePack files{.main = std::move(main->text), .files = {}};
    while (!text.empty()) {
        auto entry = take_entry(text);
        if (!entry || entry->name.empty()) {
            return std::nullopt;
        }
        const std::size_t newline = entry->text.find('\n');
        if (!entry->is_missing) {
            files.files.insert_or_assign(entry->name, std::move(entry->text));
        } else if (newline != std::string::npos) {
            files.files.insert_or_assign(
                entry->name,
                std::unexpected(
                    FileRefusal{entry->text.substr(0, newline), entry->text.substr(newline + 1)}
                )
            );
        } else {
            return std::nullopt;
        }
    }
    return files;
}

} // namespace penstock::config
