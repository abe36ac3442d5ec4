// SPDX-License-Identifier: Apache-2.0
// A text of the state directory with a last line that vouches for it:
//
//   # penstock-state {"version":1,"bytes":812,"sha256":"…","meta":{…}}
//
// The line is a comment in TOML, so a configuration that is sealed is still one, byte by byte before it.
// `bytes` are the text's, `sha256` covers text and meta. What was cut, flipped or edited does not fit
// and is not used.
//
// Thread rule: pure functions.
#pragma once

#include <boost/json/object.hpp>
#include <expected>
#include <string>
#include <string_view>

namespace penstock {

struct SealedText {
    std::string text;
    boost::json::object meta; ///< who, when, …; empty for a text without a seal
    bool is_sealed = false;   ///< false: there is no such line at all
};

[[nodiscard]] std::string seal(std::string_view text, const boost::json::object& meta);

/// Or what is wrong with the seal. A text without one comes back as it is: whoever knows that there
/// must be one asks is_sealed.
[[nodiscard]] std::expected<SealedText, std::string> unseal(std::string_view content);

} // namespace penstock
