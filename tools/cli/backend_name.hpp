// SPDX-License-Identifier: Apache-2.0
// SERVICE/BACKEND, as people name one backend.
//
// Thread rule: pure functions.
#pragma once

#include "tools/cli/failure.hpp"

#include <expected>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace penstock::cli {

struct BackendName {
    std::string service;
    std::string backend;

    friend bool operator==(const BackendName&, const BackendName&) = default;
};

/// All of them, or a usage Failure about the first that is none.
[[nodiscard]] std::expected<std::vector<BackendName>, Failure>
split_names(std::span<const std::string> texts);

/// "/v1/services/web/backends/web-1/drain".
[[nodiscard]] std::string backend_path(const BackendName& name, std::string_view verb);

} // namespace penstock::cli
