// SPDX-License-Identifier: Apache-2.0
#include "tests/bpf/scratch_interfaces.hpp"

#include <cstdlib>
#include <fmt/format.h>
#include <net/if.h>
#include <sched.h>

namespace penstock::bpf::test {

int run_command(const std::string& command) {
    return std::system(command.c_str());
}

ScratchInterfaces make_scratch_interfaces() {
    if (::unshare(CLONE_NEWNET) != 0 ||
        run_command("ip link add steered type veth peer name outside && ip link set lo up && "
                    "ip link set steered up && ip link set outside up") != 0) {
        fmt::print(stderr, "cannot make a network namespace with a veth pair\n");
        std::abort();
    }
    return {::if_nametoindex("steered"), ::if_nametoindex("outside")};
}

} // namespace penstock::bpf::test
