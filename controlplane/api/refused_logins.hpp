// SPDX-License-Identifier: Apache-2.0
// Logins that were refused, for the audit log: the first at once, then at most one line in
// refusal_pause with the number of those in between. Strangers who try passwords must be seen, and must not
// turn the log over.
//
// Thread rule: plain object; time is given.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

namespace penstock {

inline constexpr std::chrono::seconds refusal_pause{10};

class RefusedLogins {
public:
    using Time = std::chrono::steady_clock::time_point;

    /// One more, for `why`. What is to be written, if something is.
    [[nodiscard]] std::optional<std::string> add(const std::string& why, Time now);

    /// Since the start.
    [[nodiscard]] std::uint64_t count() const { return count_; }

private:
    std::optional<Time> written_;
    std::uint64_t unwritten_ = 0;
    std::uint64_t count_ = 0;
};

} // namespace penstock
