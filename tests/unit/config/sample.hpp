// SPDX-License-Identifier: Apache-2.0
// Texts that several tests of the parser begin with.
#pragma once

#include "controlplane/config/parse.hpp"

#include <string>
#include <string_view>

namespace penstock::config::testing {

inline const std::string head = R"([node]
name = "lb-a"
[dataplane]
workers = [1]
[[dataplane.port]]
name = "edge0"
interface = "eth1"
)"; // 7 lines

inline const std::string service = R"([[service]]
name = "web"
vip = "198.51.100.10"
protocol = "tcp"
port = 80
forwarding = "ipip"
backend = [ { name = "web-1", address = "10.0.1.11" } ]
)";

/// The first occurrence of `what` becomes `with`.
inline std::string replace(std::string text, std::string_view what, std::string_view with) {
    const std::size_t at = text.find(what);
    return at == std::string::npos ? "the text has no " + std::string(what)
                                   : text.replace(at, what.size(), with);
}

/// The diagnostics of a text that must be refused; none if it was accepted.
inline Diagnostics refuse(const std::string& text) {
    auto result = parse_configuration(text, "t.toml");
    return result ? Diagnostics{} : result.error();
}

} // namespace penstock::config::testing
