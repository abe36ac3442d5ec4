// SPDX-License-Identifier: Apache-2.0
// The text of a configuration for check and apply: a file, or standard input.
//
// Thread rule: called from main; reads one file and nothing else.
#pragma once

#include "controlplane/config/diagnostic.hpp"
#include "tools/cli/failure.hpp"

#include <expected>
#include <string>

namespace penstock::cli {

struct ConfigurationText {
    std::string name; ///< for diagnostics
    std::string text;
};

/// "-" is standard input. At most config::max_file_bytes; what is longer or cannot be read is a
/// diagnostic.
[[nodiscard]] std::expected<ConfigurationText, config::Diagnostic> read_text(const std::string& file
);

/// A file that cannot be read, as a command's failure.
[[nodiscard]] Failure unreadable(const config::Diagnostic& diagnostic);

/// As read_text(), with the files that it names packed into the text (file_pack.hpp).
[[nodiscard]] std::expected<ConfigurationText, config::Diagnostic>
read_packed_text(const std::string& file);

/// "<stdin>" for "-".
[[nodiscard]] std::string displayed_name(const std::string& file);

} // namespace penstock::cli
