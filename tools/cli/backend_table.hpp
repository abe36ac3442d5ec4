// SPDX-License-Identifier: Apache-2.0
// Backends as a table: penstock backend list and penstock service show.
//
// Thread rule: called from main.
#pragma once

#include "tools/cli/document.hpp"
#include "tools/cli/table.hpp"

#include <vector>

namespace penstock::cli {

/// `backends` are BACKEND objects of the API; `with_service` adds the column SERVICE.
[[nodiscard]] Table make_backend_table(const std::vector<Object>& backends, bool with_service);

} // namespace penstock::cli
