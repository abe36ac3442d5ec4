// SPDX-License-Identifier: Apache-2.0
// Why a desired state was refused.
//
// Thread rule: values.
#pragma once

#include <string>

namespace penstock {

struct CompileError {
    std::string place; ///< "service web, backend web-1"
    std::string cause;
    std::string remedy;
};

} // namespace penstock
