// SPDX-License-Identifier: Apache-2.0
#include "bpf/probe_device.hpp"

#include "bpf/libbpf_messages.hpp"
#include "bpf/sysctl.hpp"

#include <bpf/libbpf.h>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

namespace penstock::bpf {

namespace {

const std::string name(probe_device_name);

ifreq request() {
    static_assert(probe_device_name.size() < IFNAMSIZ);
    ifreq made{};
    std::memcpy(made.ifr_name, name.data(), name.size());
    return made;
}

BpfFailure failure(int error_number) {
    if (error_number == EBUSY)
        return BpfFailure(
            {fmt::format("another process has the probe device {}", name),
             "stop the other penstock-cp of this network namespace"}
        );
    return kernel_failure(
        fmt::format("cannot make the probe device {}", name),
        error_number,
        "load the module tun; in a systemd unit, DeviceAllow=/dev/net/tun rw"
    );
}

// No link-local address, so that the device says nothing by itself; and routes are looked up for it
// as for a device that forwards, which nothing but our program will ever do (bpf_fib_lookup).
BpfResult<void> prepare(bool has_ipv6) {
    if (has_ipv6) {
        const std::string ipv6 = "ipv6/conf/" + name + "/";
        constexpr int address_generation_none = 1;
        if (auto set = write_sysctl(ipv6 + "addr_gen_mode", address_generation_none); !set)
            return set;
        if (auto set = write_sysctl(ipv6 + "forwarding", 1); !set)
            return set;
    }
    return write_sysctl("ipv4/conf/" + name + "/forwarding", 1);
}

int take_up() {
    const FileDescriptor socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    ifreq flags = request();
    if (!socket.is_open() || ::ioctl(socket.number(), SIOCGIFFLAGS, &flags) != 0)
        return errno;
    flags.ifr_flags = static_cast<short>(flags.ifr_flags | IFF_NOARP | IFF_UP);
    return ::ioctl(socket.number(), SIOCSIFFLAGS, &flags) == 0 ? 0 : errno;
}

} // namespace

BpfResult<ProbeDevice> ProbeDevice::open() {
    ProbeDevice device(FileDescriptor(::open("/dev/net/tun", O_RDWR | O_CLOEXEC)));
    if (!device.tap_.is_open())
        return failure(errno);
    ifreq tap = request();
    tap.ifr_flags = IFF_TAP | IFF_NO_PI;
    if (::ioctl(device.tap_.number(), TUNSETIFF, &tap) != 0)
        return failure(errno);
    device.ifindex_ = ::if_nametoindex(name.c_str());
    device.has_ipv6_ = read_sysctl("ipv6/conf/" + name + "/disable_ipv6") == 0;
    if (auto prepared = prepare(device.has_ipv6_); !prepared)
        return std::unexpected(prepared.error());
    if (const int error_number = take_up(); error_number != 0)
        return failure(error_number);
    return device;
}

BpfResult<void> ProbeDevice::attach(int program) {
    const LibbpfMessages messages;
    LIBBPF_OPTS(
        bpf_tc_hook, hook, .ifindex = static_cast<int>(ifindex_), .attach_point = BPF_TC_EGRESS
    );
    LIBBPF_OPTS(bpf_tc_opts, options, .prog_fd = program);
    int error = bpf_tc_hook_create(&hook);
    if (error == 0)
        error = bpf_tc_attach(&hook, &options);
    if (error != 0)
        return kernel_failure(
            fmt::format("cannot attach the probe program to {}{}", name, messages.suffix()),
            -error,
            "it needs a kernel with CONFIG_NET_CLS_ACT and CONFIG_NET_CLS_BPF"
        );
    return {};
}

} // namespace penstock::bpf
