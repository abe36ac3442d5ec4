// SPDX-License-Identifier: Apache-2.0
// Changes that wait for the builder, and which of them become one: many may arrive while one is
// compiled, only the newest state is worth compiling, and each still gets its own truthful answer.
//
//   waiting: apply 5, health a, apply 7, health b     → one batch: state 7 with health b
//   live:    all four are answered Applied{7}: 5 was overtaken, 7 carries a's backend's health anew
//   refused: apply 7 is answered Refused; 5, a and b wait again and become the next batch
//
// Thread rule: the main loop's thread. Pure: no I/O, no clock.
#pragma once

#include "dataplane/api/messages.hpp"
#include "dataplane/dpdk/control_server.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <variant>
#include <vector>

namespace penstock {

/// The live state once more, because something beside it changed (the address of a port).
struct Refresh {};

struct Change {
    ConnectionId connection; ///< who gets the answer; none for a Refresh
    std::uint64_t request_id = 0;
    std::variant<std::shared_ptr<const DesiredState>, UpdateHealth, Refresh> body;
};

/// Changes that go live together.
struct Batch {
    std::map<std::uint64_t, Change> changes; ///< by order of arrival
    std::optional<std::uint64_t> apply; ///< the one whose state is compiled; nothing: the live one
    std::vector<std::uint64_t> updates; ///< the health updates to be put on top, in order

    /// The state of `apply`, or null.
    [[nodiscard]] std::shared_ptr<const DesiredState> desired() const;
};

class ChangeQueue {
public:
    void push(Change change);

    [[nodiscard]] bool empty() const { return waiting_.empty(); }

    /// Takes what is to be compiled next: the waiting state of the highest generation (the later of
    /// two equal ones) with everything that it overtakes and the health updates after it. A lower
    /// generation that arrived after it stays. REQUIRES: not empty.
    [[nodiscard]] Batch take();

    /// After a refusal: removes the change that is to blame from the batch and returns it, and lets
    /// the others wait again. A batch without a state blames nobody: all of its changes are
    /// returned.
    [[nodiscard]] std::vector<Change> take_back(Batch batch);

private:
    std::uint64_t next_order_ = 1;
    std::map<std::uint64_t, Change> waiting_;
};

} // namespace penstock
