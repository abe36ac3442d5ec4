// SPDX-License-Identifier: Apache-2.0
#include "controlplane/state/appended_file.hpp"

#include <cerrno>
#include <cstdio>
#include <fcntl.h>
#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace penstock {

namespace {

int open_for_append(const std::string& path) {
    return ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
}

} // namespace

std::expected<AppendedFile, Refusal>
AppendedFile::open(std::string path, std::size_t max_bytes, std::string_view what) {
    const int fd = open_for_append(path);
    struct stat facts{};
    if (fd < 0 || ::fstat(fd, &facts) != 0) {
        return std::unexpected(Refusal{
            .place = path,
            .cause = fmt::format(
                "{} cannot be opened: {}", what, std::generic_category().message(errno)
            ),
            .remedy = "make it writable for penstock-cp",
        });
    }
    return AppendedFile(std::move(path), fd, static_cast<std::size_t>(facts.st_size), max_bytes);
}

AppendedFile::AppendedFile(AppendedFile&& other) noexcept
    : path_(std::move(other.path_)),
      fd_(std::exchange(other.fd_, -1)),
      bytes_(other.bytes_),
      max_bytes_(other.max_bytes_) {}

AppendedFile::~AppendedFile() {
    if (fd_ >= 0) {
        ::close(fd_);
    }
}

void AppendedFile::append(std::string line) {
    line += '\n';
    if (bytes_ + line.size() > max_bytes_) {
        turn_over();
    }
    if (::write(fd_, line.data(), line.size()) != static_cast<ssize_t>(line.size())) {
        spdlog::error(
            "{} cannot be written: {}; lost: {}",
            path_,
            std::generic_category().message(errno),
            line
        );
        return;
    }
    bytes_ += line.size();
}

void AppendedFile::turn_over() {
    const std::string older = path_ + ".1";
    if (::rename(path_.c_str(), older.c_str()) != 0) {
        spdlog::error(
            "{} cannot be renamed: {}; it grows on", path_, std::generic_category().message(errno)
        );
        return;
    }
    const int fd = open_for_append(path_);
    if (fd < 0) {
        spdlog::error(
            "{} cannot be made: {}; {} grows on",
            path_,
            std::generic_category().message(errno),
            older
        );
        return;
    }
    ::close(std::exchange(fd_, fd));
    bytes_ = 0;
}

} // namespace penstock
