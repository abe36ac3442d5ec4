// SPDX-License-Identifier: Apache-2.0
#include "dataplane/dpdk/runtime_folder.hpp"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace penstock {

std::expected<std::unique_ptr<RuntimeFolder>, Refusal> RuntimeFolder::claim(const std::string& path
) {
    std::error_code error;
    const bool is_made = std::filesystem::create_directories(path, error);
    if (error) {
        return std::unexpected(Refusal{
            path, fmt::format("cannot be made: {}", error.message()), "choose another --runtime-dir"
        });
    }
    const int fd = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return std::unexpected(Refusal{
            path,
            fmt::format("cannot be opened: {}", std::strerror(errno)),
            "choose another --runtime-dir"
        });
    }
    auto folder = std::unique_ptr<RuntimeFolder>(new RuntimeFolder(path, fd, is_made));
    if (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
        const int cause = errno;
        folder->is_made_ = false;
        return std::unexpected(
            cause == EWOULDBLOCK
                ? Refusal{path, "another penstock-dp runs with this runtime folder", "stop it first, or give this one its own --runtime-dir"}
                : Refusal{path, fmt::format("cannot be locked: {}", std::strerror(cause)), "choose a --runtime-dir on a local file system"}
        );
    }
    // Between our open and our lock its last holder may have removed it: then we hold a lock that
    // nobody sees.
    struct stat held{};
    struct stat named{};
    if (::fstat(fd, &held) != 0 || ::stat(path.c_str(), &named) != 0 ||
        held.st_ino != named.st_ino) {
        return std::unexpected(Refusal{path, "was removed by an ending penstock-dp", "start again"}
        );
    }
    return folder;
}

RuntimeFolder::~RuntimeFolder() {
    if (is_made_) {
        // Refused if somebody else keeps files there, which is what we want.
        (void)::rmdir(path_.c_str());
    }
    ::close(fd_);
}

} // namespace penstock
