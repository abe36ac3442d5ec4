// SPDX-License-Identifier: Apache-2.0
// Everything that is found wrong with one configuration, collected in any order.
//
// Thread rule: one thread. Invariant: memory is bounded whatever the text.
#pragma once

#include "controlplane/config/sources.hpp"

#include <cstddef>
#include <string>
#include <vector>

namespace penstock::config {

class Findings {
public:
    explicit Findings(const Sources& sources) : sources_(sources) {}

    /// `span` is of the value or the key, whichever is wrong.
    void error(const Span& span, std::string cause, std::string remedy);
    void warn(const Span& span, std::string cause, std::string remedy);

    [[nodiscard]] std::size_t error_count() const { return error_count_; }

    /// True once nothing more is kept: costly advice is no longer needed.
    [[nodiscard]] bool is_full() const { return findings_.size() >= max_kept; }

    [[nodiscard]] Origin origin(const Span& span) const {
        return {sources_.at(span.file).place(span)};
    }

    /// "line 12, column 5", for the other place of a duplicate.
    [[nodiscard]] std::string describe(const Span& span) const { return sources_.describe(span); }

    /// In order of place; at most max_diagnostics, and the last then says how many more there are.
    [[nodiscard]] Diagnostics take();

private:
    // Kept so that the first in order of place can be listed, without letting a hostile file fill
    // memory.
    static constexpr std::size_t max_kept = 10000;

    struct Finding {
        Span span;
        std::string cause;
        std::string remedy;
        Severity severity;
        std::size_t order = 0; ///< of discovery, for findings about one place
    };

    void add(Finding finding);

    const Sources& sources_;
    std::vector<Finding> findings_;
    std::size_t error_count_ = 0;
    std::size_t count_ = 0;
};

} // namespace penstock::config
