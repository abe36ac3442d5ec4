// SPDX-License-Identifier: Apache-2.0
// What penstock-cp remembers across restarts:
//
//   applied.toml       the configuration that runs, byte by byte, and a last line that vouches for
//                      it; replaced only when the dataplane has accepted the new one
//   pending.toml       one that was accepted by us but not yet by the dataplane; gone afterwards
//   overrides.json     drain, disable and weight of single backends
//   overrides.json.previous   the one before, for when that is damaged
//   confirmation.json  a configuration is on trial: until when, and what comes back
//   history/           the configurations that were in force (history.hpp)
//   flow-hash-key      16 random bytes, mode 0600: made once, for ever (with a new key every flow
//                      misses its entry and chooses anew)
//   generation         the last one given out
//   format             the version of all this, "1"; without it files need no last line yet
//   lock               held while penstock-cp runs
//
// All but the key, the lock and `format` are sealed (sealed_text.hpp). A file that cannot be
// understood is set aside as <name>.damaged-<time> and reported, never deleted and never half used;
// what was good before takes its place: the newest of the history, the overrides before. A damaged
// key is refused instead: only people can decide to give up every flow.
//
// Thread rule: one thread; the lock keeps other processes out. Writes block for as long as the disk
// does.
#pragma once

#include "controlplane/state/confirmation.hpp"
#include "controlplane/state/history.hpp"
#include "controlplane/state/overrides.hpp"
#include "controlplane/state/sealed_text.hpp"
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
    std::optional<SealedText> applied;
    std::optional<SealedText> pending;
    std::optional<History> history; ///< always there after load()
    std::optional<Confirmation> confirmation;
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

    /// `meta`: who, from where. Refused if it is too large to be read again.
    [[nodiscard]] std::expected<void, Refusal>
    save_applied(std::string_view text, const boost::json::object& meta);
    [[nodiscard]] std::expected<void, Refusal>
    save_pending(std::string_view text, const boost::json::object& meta);
    [[nodiscard]] std::expected<void, Refusal> remove_pending();
    [[nodiscard]] std::expected<void, Refusal> save_overrides(const Overrides& overrides);
    [[nodiscard]] std::expected<void, Refusal> save_confirmation(const Confirmation& confirmation);
    [[nodiscard]] std::expected<void, Refusal> remove_confirmation();
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
    [[nodiscard]] std::expected<void, Refusal> load_configurations(LoadedState& state);
    [[nodiscard]] std::expected<void, Refusal> load_confirmation(LoadedState& state);
    /// The content of a sealed file; nothing if there is none, or if it was damaged and set aside.
    [[nodiscard]] std::expected<std::optional<SealedText>, Refusal> load_sealed(
        std::string_view name,
        std::size_t max_bytes,
        std::string_view consequence,
        LoadedState& state
    );
    [[nodiscard]] std::expected<void, Refusal> note_damage(
        std::string_view name,
        std::string_view cause,
        std::string_view consequence,
        LoadedState& state
    );
    [[nodiscard]] std::expected<void, Refusal> finish_format(const LoadedState& state);
    [[nodiscard]] std::expected<void, Refusal> save_configuration(
        std::string_view name, std::string_view text, const boost::json::object& meta
    );
    [[nodiscard]] std::expected<void, Refusal> remove(std::string_view name);

    std::string path_;
    int lock_fd_;
    bool is_unsealed_ = false; ///< of before there were seals
};

} // namespace penstock
