// SPDX-License-Identifier: Apache-2.0
// The configurations that were in force, newest last: each a sealed file of its own
// (history/000012.toml), so that adding one touches no other.
//
// Bounds: the newest max_history_entries, and at most max_history_bytes together, but always the two
// newest. Numbers grow and are not used again.
//
// Thread rule: the loop's thread; blocks for as long as the disk does.
#pragma once

#include "controlplane/actor.hpp"
#include "controlplane/wall_time.hpp"
#include "dataplane/api/refusal.hpp"

#include <cstddef>
#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

namespace penstock {

inline constexpr std::size_t max_history_entries = 100;
inline constexpr std::size_t max_history_bytes = 64U << 20U;

struct HistoryEntry {
    std::uint64_t number = 0;     ///< given by add()
    std::string time;             ///< RFC 3339: when it came into force
    std::uint64_t generation = 0; ///< as which it went live
    std::string source;           ///< "api", "sighup", "start", "rollback", "not-confirmed"
    Actor actor;
    std::string name; ///< of the file, as it was given
    std::uint64_t services = 0;
    std::uint64_t backends = 0;
    std::size_t bytes = 0; ///< of the text
};

class History {
public:
    /// Reads what is there; makes the folder if it is missing. A damaged entry is set aside
    /// (<name>.damaged), and a sentence about it is added to `set_aside`.
    [[nodiscard]] static std::expected<History, Refusal>
    open(std::string folder, std::vector<std::string>& set_aside);

    /// Oldest first.
    [[nodiscard]] const std::vector<HistoryEntry>& entries() const { return entries_; }

    /// Null if there is none.
    [[nodiscard]] const HistoryEntry* find(std::uint64_t number) const;
    [[nodiscard]] const HistoryEntry* newest() const;

    /// The text, its checksum proven again.
    [[nodiscard]] std::expected<std::string, Refusal> read(std::uint64_t number) const;

    /// Gives the next number and forgets what is beyond the bounds.
    [[nodiscard]] std::expected<std::uint64_t, Refusal>
    add(HistoryEntry entry, std::string_view text);

private:
    explicit History(std::string folder) : folder_(std::move(folder)) {}

    [[nodiscard]] std::string path_of(std::uint64_t number) const;
    void forget_old();

    std::string folder_;
    std::vector<HistoryEntry> entries_;
};

} // namespace penstock
