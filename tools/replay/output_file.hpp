// SPDX-License-Identifier: Apache-2.0
// A file that is there whole or not at all: it is written beside its place and renamed at the end.
// What is no regular file (a pipe, /dev/null) is written directly.
//
// Thread rule: one owner.
#pragma once

#include "dataplane/api/refusal.hpp"

#include <expected>
#include <string>

namespace penstock::replay {

class OutputFile {
public:
    /// Only names; the user opens working_path().
    explicit OutputFile(std::string path);

    OutputFile(const OutputFile&) = delete;
    OutputFile& operator=(const OutputFile&) = delete;

    /// Removes what was not committed.
    ~OutputFile();

    [[nodiscard]] const std::string& path() const { return path_; }

    [[nodiscard]] const std::string& working_path() const { return working_path_; }

    /// Puts the file in its place. REQUIRES: it is written and closed.
    [[nodiscard]] std::expected<void, Refusal> commit();

private:
    std::string path_;
    std::string working_path_;
};

} // namespace penstock::replay
