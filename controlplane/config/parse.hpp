// SPDX-License-Identifier: Apache-2.0
// Text → Configuration, or every error in one go with its place, cause and remedy. The one parser: `penstock
// check` offline, `apply`, penstock-cp and penstock-dp.
//
// Thread rule: pure functions; read_configuration() reads one file and nothing else.
#pragma once

#include "controlplane/config/configuration.hpp"

#include <cstddef>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

namespace penstock::config {

/// Larger files are refused unread.
inline constexpr std::size_t max_file_bytes = 8U << 20U;

struct Diagnostic {
    Place place;
    std::string cause;  ///< "unknown key 'adress' in a backend"
    std::string remedy; ///< "did you mean 'address'?"
    std::string line;   ///< the source line, for the caret; may be empty

    friend bool operator==(const Diagnostic&, const Diagnostic&) = default;
};

using Diagnostics = std::vector<Diagnostic>; ///< in order of place, never empty in an error

/// `file_name` is only used in places. No network, no look-ups, no environment: the same text gives the
/// same result on every machine.
[[nodiscard]] std::expected<Configuration, Diagnostics> parse_configuration(
    std::string_view text, const std::string& file_name
);

/// Reads and parses; a file that cannot be read is a diagnostic too.
[[nodiscard]] std::expected<Configuration, Diagnostics> read_configuration(const std::string& path);

/// As compilers do it:
///   penstock.toml:14:5: error: unknown key 'adress' in a backend
///       { name = "web-1", adress = "10.0.1.11" },
///                         ^~~~~~
///   help: did you mean 'address'?
[[nodiscard]] std::string render(const Diagnostic& diagnostic);
[[nodiscard]] std::string render(const Diagnostics& diagnostics);

} // namespace penstock::config
