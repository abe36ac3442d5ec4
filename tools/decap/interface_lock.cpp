// SPDX-License-Identifier: Apache-2.0
#include "tools/decap/interface_lock.hpp"

#include <cerrno>
#include <fcntl.h>
#include <fmt/format.h>
#include <optional>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace penstock::decap {

namespace {

constexpr const char* lock_folder = "/run/penstock";
constexpr int attempts_max = 16;

std::string read_owner(int file) {
    char text[16] = {};
    const ssize_t length = ::pread(file, text, sizeof(text) - 1, 0);
    const std::string owner(text, length > 0 ? static_cast<std::size_t>(length) : 0);
    const bool is_number =
        !owner.empty() && owner.find_first_not_of("0123456789") == std::string::npos;
    return is_number ? owner : "";
}

bpf::BpfFailure held_failure(unsigned int interface_index, int file) {
    const std::string owner = read_owner(file);
    const std::string name = bpf::interface_name(interface_index);
    if (owner.empty())
        return bpf::BpfFailure(
            {fmt::format("another penstock-decap runs on {}", name), "stop that one first"}
        );
    return bpf::BpfFailure(
        {fmt::format("another penstock-decap (pid {}) runs on {}", owner, name),
         fmt::format("stop that one first: `kill {}`", owner)}
    );
}

// Whether the locked file is still the one that others would open.
bool is_current(int file, const std::string& path) {
    struct stat held{};
    struct stat named{};
    return ::fstat(file, &held) == 0 && ::stat(path.c_str(), &named) == 0 &&
           held.st_ino == named.st_ino && held.st_dev == named.st_dev;
}

} // namespace

bpf::BpfResult<InterfaceLock> InterfaceLock::acquire(unsigned int interface_index) {
    constexpr std::string_view remedy = "run as root, with a writable /run";
    struct stat space{};
    if (::stat("/proc/self/ns/net", &space) != 0)
        return bpf::kernel_failure("cannot tell the network namespace", errno, "mount /proc");
    if (::mkdir(lock_folder, 0755) != 0 && errno != EEXIST)
        return bpf::kernel_failure(fmt::format("cannot make {}", lock_folder), errno, remedy);
    std::string path =
        fmt::format("{}/decap-{}-{}.lock", lock_folder, space.st_ino, interface_index);
    for (int attempt = 0; attempt < attempts_max; ++attempt) {
        bpf::FileDescriptor file(
            ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644)
        );
        if (!file.is_open())
            return bpf::kernel_failure(fmt::format("cannot open {}", path), errno, remedy);
        if (::flock(file.number(), LOCK_EX | LOCK_NB) != 0) {
            if (errno == EWOULDBLOCK)
                return held_failure(interface_index, file.number());
            return bpf::kernel_failure(fmt::format("cannot lock {}", path), errno, remedy);
        }
        if (!is_current(file.number(), path))
            continue;
        const std::string owner = fmt::to_string(::getpid());
        if (::ftruncate(file.number(), 0) != 0 ||
            ::pwrite(file.number(), owner.data(), owner.size(), 0) !=
                static_cast<ssize_t>(owner.size()))
            return bpf::kernel_failure(fmt::format("cannot write {}", path), errno, remedy);
        return InterfaceLock(std::move(file), std::move(path));
    }
    return bpf::BpfFailure(
        {fmt::format("{} comes and goes", path), "other penstock-decaps start and stop: try again"}
    );
}

InterfaceLock::~InterfaceLock() {
    // Before the descriptor is closed, so that nobody holds a lock on a file that we then remove.
    if (file_.is_open())
        ::unlink(path_.c_str());
}

} // namespace penstock::decap
