// SPDX-License-Identifier: Apache-2.0
// What penstock-cp remembers across restarts:
//
//   applied.toml     the configuration that runs, byte by byte; replaced only when the dataplane
//   has
//                    accepted the new one
//   pending.toml     one that was accepted by us but not yet by the dataplane; gone afterwards
//   overrides.json   drain and disable of single backends
//   flow-hash-key    16 random bytes, mode 0600: made once, for ever (with a new key every flow
//                    misses its entry and chooses anew)
//   generation       the last one given out, in decimal
//   lock             held while penstock-cp runs
//
// A file that cannot be understood is set aside as <name>.damaged-<time> and reported, never
// deleted and never half used. A damaged key is refused instead: only people can decide to give up
// every flow.
//
// Thread rule: one thread; the lock keeps other processes out. Writes block for as long as the disk
// does.
#pragma once

#include "controlplane/state/overrides.hpp"
#include "dataplane/api/refusal.hpp"
#include "dataplane/core/desired_state.hpp"

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace penstock {

/// What was found at the start.
struct LoadedState {
    std::optional<std::string> applied;
    std::optional<std::string> pending;
    Overrides overrides;
    FlowHashKey flow_hash_key{};
    std::uint64_t generation = 0;
    std::vector<std::string> set_aside; ///< a sentence for each file that was damaged
};

class StateDirectory {
public:
    /// True if `path` has a configuration, so that the file of the command line is not read at the
    /// start. Makes nothing; what cannot be looked at counts as there, open() says why.
    [[nodiscard]] static bool has_configuration(const std::string& path);

    /// Makes the directory (mode 0750) if needed, locks it and removes unfinished files. Refused if
    /// another penstock-cp holds it.
    [[nodiscard]] static std::expected<StateDirectory, Refusal> open(const std::string& path);

    StateDirectory(StateDirectory&& other) noexcept;
    StateDirectory& operator=(StateDirectory&&) = delete;
    ~StateDirectory();

    /// Reads everything; makes the flow hash key if there is none, refuses a damaged one. TOML
    /// texts are not parsed here.
    [[nodiscard]] std::expected<LoadedState, Refusal> load();

    [[nodiscard]] std::expected<void, Refusal> save_applied(std::string_view text);
    [[nodiscard]] std::expected<void, Refusal> save_pending(std::string_view text);
    [[nodiscard]] std::expected<void, Refusal> remove_pending();
    [[nodiscard]] std::expected<void, Refusal> save_overrides(const Overrides& overrides);
    [[nodiscard]] std::expected<void, Refusal> save_generation(std::uint64_t generation);

    /// Renames a damaged file; returns a sentence that says what and where.
    [[nodiscard]] std::expected<std::string, Refusal>
    set_aside(std::string_view name, std::string_view why);

    [[nodiscard]] std::string applied_path() const { return path_of("applied.toml"); }

private:
    StateDirectory(std::string path, int lock_fd) : path_(std::move(path)), lock_fd_(lock_fd) {}

    [[nodiscard]] std::string path_of(std::string_view name) const;
    [[nodiscard]] std::expected<void, Refusal> load_key(LoadedState& state);
    [[nodiscard]] std::expected<void, Refusal> load_generation(LoadedState& state);
    [[nodiscard]] std::expected<void, Refusal> load_overrides(LoadedState& state);

    std::string path_;
    int lock_fd_;
};

} // namespace penstock
