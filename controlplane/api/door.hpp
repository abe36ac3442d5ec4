// SPDX-License-Identifier: Apache-2.0
// Who stands before a request: asked when its head has arrived and before its body is read, so that a
// stranger cannot make us hold one.
//
// Thread rule: the loop's thread. A door belongs to one connection.
#pragma once

#include "controlplane/api/http.hpp"

#include <expected>
#include <string>

namespace penstock {

/// What of a request's head says who asks; empty: the field is not there.
struct Knock {
    std::string authorization;
    std::string origin; ///< a browser's page
};

class Door {
public:
    Door() = default;
    Door(const Door&) = delete;
    Door& operator=(const Door&) = delete;
    virtual ~Door() = default;

    /// Who asks, or the answer that refuses them; after it the connection is closed.
    [[nodiscard]] virtual std::expected<Actor, HttpResponse> admit(const Knock& knock) = 0;

    /// Whether admit() would still let in who was let in before, for replies that go on. Counts as no
    /// request.
    [[nodiscard]] virtual bool still_admits(const Knock& knock) = 0;
};

} // namespace penstock
