// SPDX-License-Identifier: Apache-2.0
// The texts that make up one configuration: the main file, and those that it names.
//
// Thread rule: one thread. A Source stays where it is when others are added.
#pragma once

#include "controlplane/config/source.hpp"

#include <cstdint>
#include <deque>
#include <string>

namespace penstock::config {

class Sources {
public:
    /// The index of the new source, for Span::file. `path` is from the main file's folder; the main
    /// file has none.
    std::uint32_t add(std::string text, std::string file_name, std::string path = {});

    [[nodiscard]] std::size_t size() const { return texts_.size(); }

    /// REQUIRES: index < size().
    [[nodiscard]] const Source& at(std::uint32_t index) const { return texts_.at(index).source; }

    /// A path that stands in this source, as a path from the main file's folder.
    [[nodiscard]] std::string resolve(std::uint32_t index, const std::string& path) const;

    /// "line 12, column 5", with the file before it if there are several: the other place of a
    /// duplicate.
    [[nodiscard]] std::string describe(const Span& span) const;

private:
    struct Entry {
        std::string text;
        std::string path;
        Source source;

        Entry(std::string content, std::string file_name, std::string own_path);
        Entry(const Entry&) = delete;
        Entry& operator=(const Entry&) = delete;
    };

    std::deque<Entry> texts_;
};

} // namespace penstock::config
