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
    /// The index of the new source, for Span::file.
    std::uint32_t add(std::string text, std::string file_name);

    [[nodiscard]] std::size_t size() const { return texts_.size(); }

    /// REQUIRES: index < size().
    [[nodiscard]] const Source& at(std::uint32_t index) const { return texts_.at(index).source; }

    /// "line 12, column 5", with the file before it if there are several: the other place of a
    /// duplicate.
    [[nodiscard]] std::string describe(const Span& span) const;

private:
    struct Entry {
        std::string text;
        Source source;

        Entry(std::string content, std::string file_name);
        Entry(const Entry&) = delete;
        Entry& operator=(const Entry&) = delete;
    };

    std::deque<Entry> texts_;
};

} // namespace penstock::config
