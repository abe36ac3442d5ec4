// SPDX-License-Identifier: Apache-2.0
#include "bpf/sysctl.hpp"

#include "bpf/file_descriptor.hpp"

#include <array>
#include <cerrno>
#include <charconv>
#include <fcntl.h>
#include <fmt/format.h>
#include <system_error>
#include <unistd.h>

namespace penstock::bpf {

std::optional<int> read_sysctl(const std::string& path) {
    const FileDescriptor file(::open(("/proc/sys/net/" + path).c_str(), O_RDONLY | O_CLOEXEC));
    if (!file.is_open())
        return std::nullopt;
    std::array<char, 32> text{};
    const ssize_t length = ::read(file.number(), text.data(), text.size());
    int value = 0;
    if (length <= 0 || std::from_chars(text.data(), text.data() + length, value).ec != std::errc())
        return std::nullopt;
    return value;
}

BpfResult<void> write_sysctl(const std::string& path, int value) {
    const FileDescriptor file(::open(("/proc/sys/net/" + path).c_str(), O_WRONLY | O_CLOEXEC));
    const std::string text = std::to_string(value);
    if (file.is_open() &&
        ::write(file.number(), text.data(), text.size()) == static_cast<ssize_t>(text.size()))
        return {};
    const int error_number = errno;
    return BpfFailure(
        {fmt::format(
             "cannot set net/{} to {}: {}",
             path,
             value,
             std::generic_category().message(error_number)
         ),
         "/proc/sys must be writable: in a systemd unit, ProtectKernelTunables=no"}
    );
}

} // namespace penstock::bpf
