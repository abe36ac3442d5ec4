// SPDX-License-Identifier: Apache-2.0
// What a replay came to: packets by verdict and destination and, of two configurations, what would
// move.
//
// Thread rule: one owner. Bounded: the flows that move are counted one by one up to max_flows_told,
// "at least" beyond.
#pragma once

#include "tools/replay/report.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <tuple>
#include <unordered_set>

namespace penstock::replay {

/// What is told of a frame when its bytes are gone.
struct FrameNote {
    std::uint64_t time_ns = 0;
    std::uint32_t length = 0;          ///< on the wire
    std::optional<std::uint64_t> flow; ///< as flow_of() says
};

/// The flow that a frame belongs to, as a number; nothing if it has no addresses.
[[nodiscard]] std::optional<std::uint64_t> flow_of(const Frame& frame);

class Summary {
public:
    static constexpr std::size_t max_flows_told = 4'000'000;

    /// Where packets went: "forward", "web", "web-1"; "drop", reason and service.
    struct Group {
        std::string_view verdict;
        std::string_view reason; ///< of a drop
        std::string service;
        std::string backend;

        friend auto operator<=>(const Group&, const Group&) = default;
    };

    struct Count {
        std::uint64_t packets = 0;
        std::uint64_t bytes = 0;
    };

    /// Packets that would go elsewhere.
    struct Move {
        std::string from; ///< as describe() says it
        std::string to;

        friend auto operator<=>(const Move&, const Move&) = default;
    };

    struct MoveCount {
        std::uint64_t packets = 0;
        std::unordered_set<std::uint64_t> flows;
    };

    void add(const FrameNote& frame, const NamedVerdict& verdict);

    /// As add(), and what the other configuration says of the packet. `changed` as in Report.
    void
    compare(const FrameNote& frame, const NamedVerdict& from, const NamedVerdict& to, bool changed);

    void set_flows(std::size_t flows) { flows_ = flows; }

    /// Entries of the flow table at the end.
    [[nodiscard]] std::size_t flows() const { return flows_; }

    [[nodiscard]] std::uint64_t packets() const { return packets_; }

    [[nodiscard]] std::uint64_t changed_packets() const { return changed_packets_; }

    [[nodiscard]] bool tells_all_flows() const { return flows_told_ < max_flows_told; }

    [[nodiscard]] const std::map<Group, Count>& groups() const { return groups_; }

    [[nodiscard]] const std::map<Move, MoveCount>& moves() const { return moves_; }

private:
    std::uint64_t packets_ = 0;
    std::size_t flows_ = 0;
    std::uint64_t changed_packets_ = 0;
    std::size_t flows_told_ = 0;
    std::map<Group, Count> groups_;
    std::map<Move, MoveCount> moves_;
};

} // namespace penstock::replay
