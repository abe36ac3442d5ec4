// SPDX-License-Identifier: Apache-2.0
// A TOML syntax error in words that help: what toml++ says of its own state, and what the line
// looks like, become a cause and a remedy.
//
// Thread rule: pure.
#pragma once

#include "controlplane/config/source.hpp"

#include <string_view>

namespace penstock::config {

/// `description` is toml++'s.
[[nodiscard]] Diagnostic
explain_syntax_error(const Source& source, const Span& span, std::string_view description);

} // namespace penstock::config
