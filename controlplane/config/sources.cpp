// SPDX-License-Identifier: Apache-2.0
#include "controlplane/config/sources.hpp"

#include "controlplane/config/text.hpp"

#include <fmt/format.h>

#include <filesystem>
#include <utility>

namespace penstock::config {

Sources::Entry::Entry(std::string content, std::string file_name, std::string own_path)
    : text(std::move(content)), path(std::move(own_path)), source(text, std::move(file_name)) {}

std::uint32_t Sources::add(std::string text, std::string file_name, std::string path) {
    texts_.emplace_back(std::move(text), std::move(file_name), std::move(path));
    return static_cast<std::uint32_t>(texts_.size() - 1);
}

std::string Sources::resolve(std::uint32_t index, const std::string& path) const {
    const std::filesystem::path folder = std::filesystem::path(texts_.at(index).path).parent_path();
    return (folder / path).lexically_normal().string();
}

std::string Sources::describe(const Span& span) const {
    const std::string place = fmt::format("line {}, column {}", span.line, span.column);
    return texts_.size() > 1
               ? fmt::format("{}, {}", make_printable(at(span.file).file_name()), place)
               : place;
}

} // namespace penstock::config
