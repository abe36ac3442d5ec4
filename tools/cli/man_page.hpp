// SPDX-License-Identifier: Apache-2.0
// The manual page penstock(1), made from the command table.
//
// Thread rule: pure.
#pragma once

#include <string>

namespace penstock::cli {

/// In roff, for man(1).
[[nodiscard]] std::string man_page();

} // namespace penstock::cli
