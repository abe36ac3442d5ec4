// SPDX-License-Identifier: Apache-2.0
// `include = ["services/*.toml"]`: the documents of other files, joined to the main file's.
//
// Thread rule: one thread.
#pragma once

#include "controlplane/config/document.hpp"
#include "controlplane/config/file_access.hpp"
#include "controlplane/config/findings.hpp"

#include <expected>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace penstock::config {

/// Files of one configuration, lists aside, and how deep one may include another.
inline constexpr std::size_t max_included_files = 1000;
inline constexpr std::size_t max_include_depth = 8;

class Includer {
public:
    Includer(Findings& findings, Sources& sources, FileAccess& files)
        : findings_(findings), sources_(sources), files_(files) {}

    /// Puts what the files that `root` includes say into `root`, and takes `include` out of it:
    /// services one after the other in order of the files, every other section from one file only.
    /// What is wrong with an include is a finding; the error is a file that is no TOML.
    [[nodiscard]] std::expected<void, Diagnostic> join(Value& root);

private:
    /// A file whose includes are being followed, and where it was named.
    struct Open {
        std::string path;
        Span span;
    };

    [[nodiscard]] std::expected<void, Diagnostic> follow(Value& document, Value& root);
    [[nodiscard]] std::expected<void, Diagnostic> take_in(const Open& file, Value& root);
    [[nodiscard]] std::vector<Open> list_files(const Value& include);
    [[nodiscard]] bool may_open(const Open& file);
    void merge(Value document, Value& root);

    Findings& findings_;
    Sources& sources_;
    FileAccess& files_;
    std::map<std::string, Span> seen_;
    std::vector<Open> open_; ///< from the main file down
};

} // namespace penstock::config
