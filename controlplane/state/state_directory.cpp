// SPDX-License-Identifier: Apache-2.0
// This file is long because every file of the directory has its own way to be read, found damaged and
// replaced by what was good before.
#include "controlplane/state/state_directory.hpp"

#include "controlplane/config/parse.hpp"
#include "controlplane/state/atomic_file.hpp"
#include "controlplane/wall_time.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <fcntl.h>
#include <filesystem>
#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace penstock {

namespace json = boost::json;

namespace {

constexpr std::string_view format_text = "1\n";
constexpr std::size_t max_overrides_bytes = 16U << 20U; // max_backends entries are 2 MB
constexpr std::size_t max_small_bytes = 16384;
constexpr mode_t secret_mode = 0600;
constexpr mode_t file_mode = 0640;

std::unexpected<Refusal>
fail(const std::string& path, std::string_view what, int error, std::string remedy) {
    return std::unexpected(Refusal{
        .place = path,
        .cause = fmt::format("{}: {}", what, std::generic_category().message(error)),
        .remedy = std::move(remedy),
    });
}

/// A crash between creating a file and renaming it leaves this behind.
void remove_unfinished(const std::string& path) {
    std::error_code ignored; // what cannot be removed is overwritten by the next write
    for (const auto& entry : std::filesystem::directory_iterator(path, ignored)) {
        if (entry.path().native().ends_with(unfinished_suffix)) {
            std::filesystem::remove(entry.path(), ignored);
        }
    }
}

} // namespace

bool StateDirectory::has_configuration(const std::string& path) {
    const auto is_there = [&path](std::string_view name) {
        struct stat ignored{};
        return ::stat(fmt::format("{}/{}", path, name).c_str(), &ignored) == 0 ||
               (errno != ENOENT && errno != ENOTDIR);
    };
    return is_there("applied.toml") || is_there("pending.toml");
}

std::expected<StateDirectory, Refusal> StateDirectory::open(const std::string& path) {
    std::error_code error;
    if (std::filesystem::create_directories(path, error)) {
        ::chmod(path.c_str(), 0750);
    }
    if (error) {
        return fail(
            path,
            "the state directory cannot be made",
            error.value(),
            "make it writable for penstock-cp, or choose another with --state-dir"
        );
    }
    const std::string lock_path = path + "/lock";
    const int fd = ::open(lock_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, file_mode);
    if (fd < 0) {
        return fail(
            lock_path,
            "the state directory cannot be used",
            errno,
            "make it writable for penstock-cp, or choose another with --state-dir"
        );
    }
    if (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
        const int lock_error = errno;
        ::close(fd);
        return fail(
            path,
            lock_error == EWOULDBLOCK ? "another penstock-cp uses this state directory"
                                      : "the state directory cannot be locked",
            lock_error,
            "stop the other one (it goes on undisturbed), or choose another with --state-dir"
        );
    }
    remove_unfinished(path);
    return StateDirectory(path, fd);
}

StateDirectory::StateDirectory(StateDirectory&& other) noexcept
    : path_(std::move(other.path_)), lock_fd_(std::exchange(other.lock_fd_, -1)) {}

StateDirectory::~StateDirectory() {
    if (lock_fd_ >= 0) {
        ::close(lock_fd_);
    }
}

std::expected<LoadedState, Refusal> StateDirectory::load() {
    auto format = read_whole_file(path_of("format"), max_small_bytes);
    if (!format) {
        return std::unexpected(format.error());
    }
    if (*format && **format != format_text) {
        return std::unexpected(Refusal{
            .place = path_of("format"),
            .cause = "the state directory is of another version",
            .remedy = "start the penstock-cp that wrote it, or choose another directory with "
                      "--state-dir",
        });
    }
    is_unsealed_ = !*format;
    LoadedState state;
    for (const auto step : {
             &StateDirectory::load_key,
             &StateDirectory::load_generation,
             &StateDirectory::load_overrides,
             &StateDirectory::load_configurations,
             &StateDirectory::load_confirmation,
         }) {
        if (auto done = (this->*step)(state); !done) {
            return std::unexpected(done.error());
        }
    }
    if (auto done = finish_format(state); !done) {
        return std::unexpected(done.error());
    }
    return state;
}

/// What an earlier version left gets its seals, so that a missing one is damage from now on.
std::expected<void, Refusal> StateDirectory::finish_format(const LoadedState& state) {
    if (!is_unsealed_) {
        return {};
    }
    is_unsealed_ = false;
    std::expected<void, Refusal> saved;
    if (state.applied && !state.applied->is_sealed) {
        saved = save_applied(state.applied->text, {});
    }
    if (saved && state.pending && !state.pending->is_sealed) {
        saved = save_pending(state.pending->text, {});
    }
    if (saved && !state.overrides.empty()) {
        saved = save_overrides(state.overrides);
    }
    if (saved && state.generation > 0) {
        saved = save_generation(state.generation);
    }
    return saved ? write_file_atomically(path_of("format"), format_text, file_mode) : saved;
}

std::expected<std::optional<SealedText>, Refusal> StateDirectory::load_sealed(
    std::string_view name, std::size_t max_bytes, std::string_view consequence, LoadedState& state
) {
    auto content = read_whole_file(path_of(name), max_bytes);
    if (!content) {
        return std::unexpected(content.error());
    }
    if (!*content) {
        return std::nullopt;
    }
    auto sealed = unseal(**content);
    if (sealed && (sealed->is_sealed || is_unsealed_)) {
        return std::move(*sealed);
    }
    const std::string cause =
        sealed ? "its last line, with the checksum, is missing" : sealed.error();
    if (auto noted = note_damage(name, cause, consequence, state); !noted) {
        return std::unexpected(noted.error());
    }
    return std::nullopt;
}

std::expected<void, Refusal> StateDirectory::note_damage(
    std::string_view name, std::string_view cause, std::string_view consequence, LoadedState& state
) {
    auto sentence = set_aside(name, fmt::format("{}; {}", cause, consequence));
    if (!sentence) {
        return std::unexpected(sentence.error());
    }
    state.set_aside.push_back(std::move(*sentence));
    return {};
}

std::expected<void, Refusal> StateDirectory::load_configurations(LoadedState& state) {
    auto history = History::open(path_of("history"), state.set_aside);
    if (!history) {
        return std::unexpected(history.error());
    }
    state.history = std::move(*history);
    const std::size_t damaged = state.set_aside.size();
    const HistoryEntry* newest = state.history->newest();
    auto applied = load_sealed(
        "applied.toml",
        config::max_pack_bytes + max_small_bytes,
        newest == nullptr ? std::string("there is no older one")
                          : fmt::format("number {} of the history takes its place", newest->number),
        state
    );
    if (!applied) {
        return std::unexpected(applied.error());
    }
    state.applied = std::move(*applied);
    if (!state.applied && state.set_aside.size() > damaged && newest != nullptr) {
        if (auto text = state.history->read(newest->number)) {
            state.applied = SealedText{.text = std::move(*text), .meta = {}, .is_sealed = true};
        }
    }
    auto pending = load_sealed(
        "pending.toml",
        config::max_pack_bytes + max_small_bytes,
        "the applied configuration stays in force: apply that change again",
        state
    );
    if (!pending) {
        return std::unexpected(pending.error());
    }
    state.pending = std::move(*pending);
    return {};
}

std::expected<void, Refusal> StateDirectory::load_confirmation(LoadedState& state) {
    constexpr std::string_view consequence =
        "the configuration that was on trial stays: roll it back by hand if it should not";
    auto sealed = load_sealed("confirmation.json", max_small_bytes, consequence, state);
    if (!sealed) {
        return std::unexpected(sealed.error());
    }
    if (!*sealed) {
        return {};
    }
    auto confirmation = parse_confirmation((*sealed)->text);
    if (!confirmation) {
        return note_damage("confirmation.json", confirmation.error(), consequence, state);
    }
    state.confirmation = std::move(*confirmation);
    return {};
}

std::expected<void, Refusal> StateDirectory::load_key(LoadedState& state) {
    const std::string path = path_of("flow-hash-key");
    auto content = read_whole_file(path, max_small_bytes);
    if (!content) {
        return std::unexpected(content.error());
    }
    if (*content && (*content)->size() == state.flow_hash_key.size()) {
        std::copy((*content)->begin(), (*content)->end(), state.flow_hash_key.begin());
        return {};
    }
    if (*content) {
        // A new key is a choice for people: the key feeds the hash that finds a flow's entry.
        return std::unexpected(Refusal{
            .place = path,
            .cause = fmt::format(
                "damaged: {} bytes instead of {}", (*content)->size(), state.flow_hash_key.size()
            ),
            .remedy = "put a backup of it back; without one remove the file: the next start makes "
                      "a new key, with which every flow misses its entry and chooses its backend "
                      "anew",
        });
    }
    if (::getrandom(state.flow_hash_key.data(), state.flow_hash_key.size(), 0) !=
        static_cast<ssize_t>(state.flow_hash_key.size())) {
        return fail(path, "no random bytes for a new key", errno, "");
    }
    const std::string bytes(state.flow_hash_key.begin(), state.flow_hash_key.end());
    return write_file_atomically(path, bytes, secret_mode);
}

std::expected<void, Refusal> StateDirectory::load_generation(LoadedState& state) {
    constexpr std::string_view consequence = "counting goes on from what the dataplane has";
    auto sealed = load_sealed("generation", max_small_bytes, consequence, state);
    if (!sealed) {
        return std::unexpected(sealed.error());
    }
    if (!*sealed) {
        return {};
    }
    const std::string& text = (*sealed)->text;
    const auto [end, error] =
        std::from_chars(text.data(), text.data() + text.size(), state.generation);
    if (error == std::errc{} && std::string_view(end, text.data() + text.size()) == "\n") {
        return {};
    }
    state.generation = 0;
    return note_damage("generation", "it is no number", consequence, state);
}

std::expected<void, Refusal> StateDirectory::load_overrides(LoadedState& state) {
    // Twice at most: a damaged one is set aside, and then the one before is looked at.
    for (const auto* name : {"overrides.json", "overrides.json.previous"}) {
        const bool is_first = std::string_view(name) == "overrides.json";
        const std::string_view consequence =
            is_first ? "what overrides there were before the last change of them is used: look at "
                       "penstock override list"
                     : "every override is lost: set them again";
        const std::size_t damaged = state.set_aside.size();
        auto sealed = load_sealed(name, max_overrides_bytes, consequence, state);
        if (!sealed) {
            return std::unexpected(sealed.error());
        }
        if (*sealed) {
            auto overrides = parse_overrides((*sealed)->text);
            if (overrides) {
                state.overrides = std::move(*overrides);
                return {};
            }
            if (auto noted = note_damage(name, overrides.error().cause, consequence, state);
                !noted) {
                return noted;
            }
        }
        if (state.set_aside.size() == damaged) {
            return {}; // there is none
        }
    }
    return {};
}

std::expected<void, Refusal>
StateDirectory::save_applied(std::string_view text, const json::object& meta) {
    return save_configuration("applied.toml", text, meta);
}

std::expected<void, Refusal>
StateDirectory::save_pending(std::string_view text, const json::object& meta) {
    return save_configuration("pending.toml", text, meta);
}

std::expected<void, Refusal> StateDirectory::save_configuration(
    std::string_view name, std::string_view text, const json::object& meta
) {
    const std::string content = seal(text, meta);
    if (content.size() > config::max_pack_bytes) {
        return std::unexpected(Refusal{
            .place = path_of(name),
            .cause = "with its last line it would be larger than a configuration may be",
            .remedy = "shorten the configuration, for example its comments",
        });
    }
    return write_file_atomically(path_of(name), content, file_mode);
}

std::expected<void, Refusal> StateDirectory::remove_pending() {
    return remove("pending.toml");
}

std::expected<void, Refusal> StateDirectory::remove(std::string_view name) {
    const std::string path = path_of(name);
    if (::unlink(path.c_str()) != 0 && errno != ENOENT) {
        return fail(path, "cannot be removed", errno, "remove it by hand");
    }
    return sync_directory(path_);
}

std::expected<void, Refusal> StateDirectory::save_overrides(const Overrides& overrides) {
    const std::string path = path_of("overrides.json");
    const std::string previous = path + ".previous";
    // A second name for the old content; without one there is simply nothing to fall back on.
    ::unlink(previous.c_str());
    if (::link(path.c_str(), previous.c_str()) != 0 && errno != ENOENT) {
        spdlog::warn(
            "{}: no copy of the overrides before: {}",
            previous,
            std::generic_category().message(errno)
        );
    }
    return write_file_atomically(path, seal(format_overrides(overrides), {}), file_mode);
}

std::expected<void, Refusal> StateDirectory::save_confirmation(const Confirmation& confirmation) {
    return write_file_atomically(
        path_of("confirmation.json"), seal(format_confirmation(confirmation), {}), file_mode
    );
}

std::expected<void, Refusal> StateDirectory::remove_confirmation() {
    return remove("confirmation.json");
}

std::expected<void, Refusal> StateDirectory::save_generation(std::uint64_t generation) {
    return write_file_atomically(
        path_of("generation"), seal(fmt::format("{}\n", generation), {}), file_mode
    );
}

std::expected<std::string, Refusal>
StateDirectory::set_aside(std::string_view name, std::string_view why) {
    const std::string from = path_of(name);
    const std::string to =
        fmt::format("{}.damaged-{}", from, format_rfc3339(std::chrono::system_clock::now()));
    if (::rename(from.c_str(), to.c_str()) != 0) {
        return fail(from, "is damaged and cannot be set aside", errno, "move it away by hand");
    }
    if (auto synced = sync_directory(path_); !synced) {
        return std::unexpected(synced.error());
    }
    return fmt::format("{} was set aside as {}: {}", from, to, why);
}

std::string StateDirectory::path_of(std::string_view name) const {
    return fmt::format("{}/{}", path_, name);
}

} // namespace penstock
