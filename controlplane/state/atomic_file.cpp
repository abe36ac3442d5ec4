// SPDX-License-Identifier: Apache-2.0
#include "controlplane/state/atomic_file.hpp"

#include <array>
#include <cerrno>
#include <fcntl.h>
#include <filesystem>
#include <fmt/format.h>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace penstock {

namespace {

class Descriptor {
public:
    explicit Descriptor(int fd) : fd_(fd) {}

    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;

    ~Descriptor() {
        if (fd_ >= 0) {
            ::close(fd_);
        }
    }

    [[nodiscard]] int get() const { return fd_; }

    /// close() reports what a network file system could not write.
    [[nodiscard]] int close() { return ::close(std::exchange(fd_, -1)); }

private:
    int fd_;
};

std::unexpected<Refusal> fail(const std::string& path, std::string_view what) {
    const int error = errno;
    return std::unexpected(Refusal{
        .place = path,
        .cause = fmt::format("{}: {}", what, std::generic_category().message(error)),
        .remedy = error == ENOSPC ? "free space on that file system"
                                  : "check that the directory exists and penstock-cp may write it",
    });
}

bool write_all(int fd, std::string_view content) {
    while (!content.empty()) {
        const ssize_t written = ::write(fd, content.data(), content.size());
        if (written < 0 && errno != EINTR) {
            return false;
        }
        content.remove_prefix(written < 0 ? 0 : static_cast<std::size_t>(written));
    }
    return true;
}

} // namespace

std::expected<void, Refusal> sync_directory(const std::string& directory) {
    const Descriptor fd(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (fd.get() < 0 || ::fsync(fd.get()) != 0) {
        return fail(directory, "cannot be synchronised");
    }
    return {};
}

std::expected<void, Refusal>
write_file_atomically(const std::string& path, std::string_view content, mode_t mode) {
    const std::string unfinished = path + std::string(unfinished_suffix);
    Descriptor fd(::open(unfinished.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode));
    if (fd.get() < 0) {
        return fail(unfinished, "cannot be created");
    }
    const bool written = ::fchmod(fd.get(), mode) == 0 && write_all(fd.get(), content) &&
                         ::fsync(fd.get()) == 0 && fd.close() == 0 &&
                         ::rename(unfinished.c_str(), path.c_str()) == 0;
    if (!written) {
        auto failure = fail(path, "cannot be written");
        ::unlink(unfinished.c_str());
        return failure;
    }
    const std::string directory = std::filesystem::path(path).parent_path();
    return sync_directory(directory.empty() ? "." : directory);
}

std::expected<std::optional<std::string>, Refusal>
read_whole_file(const std::string& path, std::size_t max_bytes) {
    const Descriptor fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (fd.get() < 0) {
        if (errno == ENOENT) {
            return std::nullopt;
        }
        return fail(path, "cannot be opened");
    }
    std::string content;
    std::array<char, 65536> piece{};
    while (true) {
        const ssize_t got = ::read(fd.get(), piece.data(), piece.size());
        if (got == 0) {
            return content;
        }
        if (got < 0) {
            if (errno == EINTR) {
                continue;
            }
            return fail(path, "cannot be read");
        }
        content.append(piece.data(), static_cast<std::size_t>(got));
        if (content.size() > max_bytes) {
            return std::unexpected(Refusal{
                .place = path,
                .cause = fmt::format("larger than {} bytes", max_bytes),
                .remedy = "is this the right file?",
            });
        }
    }
}

} // namespace penstock
