// SPDX-License-Identifier: Apache-2.0
#include "controlplane/api/refused_logins.hpp"

#include <fmt/format.h>
#include <utility>

namespace penstock {

std::optional<std::string> RefusedLogins::add(const std::string& why, Time now) {
    ++count_;
    if (written_ && now - *written_ < refusal_pause) {
        ++unwritten_;
        return std::nullopt;
    }
    written_ = now;
    const std::uint64_t more = std::exchange(unwritten_, 0);
    return more == 0 ? why : fmt::format("{}; {} more were refused since the last line", why, more);
}

} // namespace penstock
