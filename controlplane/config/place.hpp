// SPDX-License-Identifier: Apache-2.0
// Where in a configuration file something stands.
//
// Thread rule: values.
#pragma once

#include <cstdint>
#include <string>

namespace penstock::config {

/// Line and column begin at 1, 0 is unknown; columns count characters (code points), not bytes.
/// `length` is the number of columns worth underlining in that line.
struct Place {
    std::string file;
    std::uint32_t line = 0;
    std::uint32_t column = 0;
    std::uint32_t length = 1;

    friend bool operator==(const Place&, const Place&) = default;
};

/// The place a value carries with it. Where something stands is no part of what it says: all
/// origins are equal, so that a configuration whose lines moved equals the one before and is no
/// change to apply.
struct Origin : Place {
    friend bool operator==(const Origin&, const Origin&) { return true; }
};

} // namespace penstock::config
