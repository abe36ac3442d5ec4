// SPDX-License-Identifier: Apache-2.0
#include "bpf/error.hpp"

#include <cerrno>
#include <fmt/format.h>
#include <net/if.h>
#include <system_error>

namespace penstock::bpf {

BpfFailure kernel_failure(std::string_view what, int error_number, std::string_view remedy) {
    if (error_number == EPERM || error_number == EACCES)
        remedy = "run as root, or with CAP_BPF, CAP_NET_ADMIN and CAP_SYS_ADMIN";
    else if (error_number == ENODEV)
        remedy = "the interface is gone: see `ip link`";
    return BpfFailure(
        {fmt::format("{}: {}", what, std::generic_category().message(error_number)),
         std::string(remedy)}
    );
}

std::string interface_name(unsigned int interface_index) {
    char name[IF_NAMESIZE] = {};
    if (::if_indextoname(interface_index, name) != nullptr)
        return name;
    return fmt::format("interface {}", interface_index);
}

} // namespace penstock::bpf
