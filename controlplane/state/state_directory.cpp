// SPDX-License-Identifier: Apache-2.0
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
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace penstock {

namespace {

constexpr std::size_t max_overrides_bytes = 16U << 20U; // max_backends entries are 2 MB
constexpr std::size_t max_small_bytes = 4096;
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
    LoadedState state;
    auto applied = read_whole_file(applied_path(), config::max_file_bytes);
    if (!applied) {
        return std::unexpected(applied.error());
    }
    auto pending = read_whole_file(path_of("pending.toml"), config::max_file_bytes);
    if (!pending) {
        return std::unexpected(pending.error());
    }
    state.applied = std::move(*applied);
    state.pending = std::move(*pending);
    for (const auto step :
         {&StateDirectory::load_key,
          &StateDirectory::load_generation,
          &StateDirectory::load_overrides}) {
        if (auto done = (this->*step)(state); !done) {
            return std::unexpected(done.error());
        }
    }
    return state;
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
    auto content = read_whole_file(path_of("generation"), max_small_bytes);
    if (!content) {
        return std::unexpected(content.error());
    }
    if (!*content) {
        return {};
    }
    const std::string& text = **content;
    const auto [end, error] =
        std::from_chars(text.data(), text.data() + text.size(), state.generation);
    if (error == std::errc{} && std::string_view(end, text.data() + text.size()) == "\n") {
        return {};
    }
    state.generation = 0;
    auto sentence =
        set_aside("generation", "it is no number; counting goes on from what the dataplane has");
    if (!sentence) {
        return std::unexpected(sentence.error());
    }
    state.set_aside.push_back(std::move(*sentence));
    return {};
}

std::expected<void, Refusal> StateDirectory::load_overrides(LoadedState& state) {
    auto content = read_whole_file(path_of("overrides.json"), max_overrides_bytes);
    if (!content) {
        return std::unexpected(content.error());
    }
    if (!*content) {
        return {};
    }
    auto overrides = parse_overrides(**content);
    if (overrides) {
        state.overrides = std::move(*overrides);
        return {};
    }
    auto sentence = set_aside(
        "overrides.json",
        overrides.error().cause + "; every drain and disable is lost: set them again"
    );
    if (!sentence) {
        return std::unexpected(sentence.error());
    }
    state.set_aside.push_back(std::move(*sentence));
    return {};
}

std::expected<void, Refusal> StateDirectory::save_applied(std::string_view text) {
    return write_file_atomically(applied_path(), text, file_mode);
}

std::expected<void, Refusal> StateDirectory::save_pending(std::string_view text) {
    return write_file_atomically(path_of("pending.toml"), text, file_mode);
}

std::expected<void, Refusal> StateDirectory::remove_pending() {
    const std::string path = path_of("pending.toml");
    if (::unlink(path.c_str()) != 0 && errno != ENOENT) {
        return fail(path, "cannot be removed", errno, "remove it by hand");
    }
    return sync_directory(path_);
}

std::expected<void, Refusal> StateDirectory::save_overrides(const Overrides& overrides) {
    return write_file_atomically(path_of("overrides.json"), format_overrides(overrides), file_mode);
}

std::expected<void, Refusal> StateDirectory::save_generation(std::uint64_t generation) {
    return write_file_atomically(path_of("generation"), fmt::format("{}\n", generation), file_mode);
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
