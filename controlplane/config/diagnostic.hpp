// SPDX-License-Identifier: Apache-2.0
// What is wrong with a configuration, where, and what to do: the one form in which Penstock speaks
// about a file, in `penstock check`, at the start of a daemon and in the answer to `apply`.
//
// Thread rule: values and pure functions, but diagnose(), which reads a file.
#pragma once

#include "controlplane/config/place.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace penstock::config {

enum class Severity : std::uint8_t {
    error,   ///< refused
    warning, ///< accepted, but hardly meant
};

struct Diagnostic {
    Place place;        ///< line 0: the file as a whole
    std::string cause;  ///< "unknown key 'adress' in a backend"
    std::string remedy; ///< "did you mean 'address'?"
    std::string line;   ///< the source line, or the part of it around the place; may be empty
    std::uint32_t caret_column =
        0; ///< where in `line` the place begins, from 1; meaningless without it
    Severity severity = Severity::error;

    friend bool operator==(const Diagnostic&, const Diagnostic&) = default;
};

using Diagnostics = std::vector<Diagnostic>; ///< in order of place, never empty in an error

/// An error that the environment found in a value that had passed the parser ("there is no
/// interface eth9"), with the source line read again from `place.file` if it can be.
[[nodiscard]] Diagnostic diagnose(const Place& place, std::string cause, std::string remedy);

/// As compilers do it, one newline after each line:
///   penstock.toml:14:21: error: unknown key 'adress' in a backend
///       { name = "web-1", adress = "10.0.1.11" },
///                         ^~~~~~
///   help: did you mean 'address'?
[[nodiscard]] std::string render(const Diagnostic& diagnostic);
[[nodiscard]] std::string render(const Diagnostics& diagnostics);

} // namespace penstock::config
