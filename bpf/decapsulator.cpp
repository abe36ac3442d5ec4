// SPDX-License-Identifier: Apache-2.0
#include "bpf/decapsulator.hpp"

#include "bpf/abi.h"
#include "bpf/libbpf_messages.hpp"
#include "decap.skel.h"

#include <algorithm>
#include <array>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <cerrno>
#include <fmt/format.h>
#include <linux/if_link.h>
#include <memory>
#include <system_error>

namespace penstock::bpf {

namespace {

struct CloseSkeleton {
    void operator()(decap_bpf* skeleton) const { decap_bpf::destroy(skeleton); }
};

using Skeleton = std::unique_ptr<decap_bpf, CloseSkeleton>;

BpfResult<Skeleton> load(const DecapsulatorSettings& settings) {
    const LibbpfMessages messages;
    Skeleton skeleton(decap_bpf::open_and_load());
    if (!skeleton) {
        const int error_number = errno;
        return kernel_failure(
            "cannot load the decapsulator" + messages.suffix(),
            error_number,
            "it needs Linux 5.10 or newer with CONFIG_BPF_SYSCALL"
        );
    }
    auto vips = PrefixMap::adopt(FileDescriptor(::dup(bpf_map__fd(skeleton->maps.vips))), "VIP");
    if (!vips)
        return std::unexpected(vips.error());
    if (auto set = vips->set(settings.vips); !set)
        return std::unexpected(set.error());
    auto ports = GuePortMap::adopt(FileDescriptor(::dup(bpf_map__fd(skeleton->maps.gue_ports))));
    if (!ports)
        return std::unexpected(ports.error());
    if (auto set = ports->set(settings.gue_ports); !set)
        return std::unexpected(set.error());
    return skeleton;
}

// Puts `program` on the interface in the place of `old`, or where nothing is. 0 or the error
// number.
int attach_once(
    unsigned int interface_index, int program, std::uint32_t mode, const Attachment* old
) {
    LIBBPF_OPTS(bpf_xdp_attach_opts, options);
    std::uint32_t flags = mode;
    if (old != nullptr) {
        flags |= XDP_FLAGS_REPLACE;
        options.old_prog_fd = old->program.number();
    } else {
        flags |= XDP_FLAGS_UPDATE_IF_NOEXIST;
    }
    return -bpf_xdp_attach(static_cast<int>(interface_index), program, flags, &options);
}

bool is_refusal_of_driver(int error_number) {
    return error_number != 0 && error_number != EPERM && error_number != EBUSY &&
           error_number != EEXIST && error_number != ENODEV;
}

// An old program is replaced where it is: its interface took that mode once, and so there is no
// gap.
std::uint32_t first_mode(AttachPolicy policy, const Attachment* old) {
    if (policy == AttachPolicy::native_or_generic && old != nullptr)
        return old->mode == AttachMode::generic ? XDP_FLAGS_SKB_MODE : XDP_FLAGS_DRV_MODE;
    return policy == AttachPolicy::generic ? XDP_FLAGS_SKB_MODE : XDP_FLAGS_DRV_MODE;
}

bool is_mode(const Attachment& old, std::uint32_t mode) {
    return (old.mode == AttachMode::generic) == (mode == XDP_FLAGS_SKB_MODE);
}

// Returns why the driver refused native mode, if generic is what it became.
BpfResult<std::string>
attach(unsigned int interface_index, int program, AttachPolicy policy, const Attachment* old) {
    const LibbpfMessages messages;
    const std::string name = interface_name(interface_index);
    const std::uint32_t mode = first_mode(policy, old);
    if (old != nullptr && !is_mode(*old, mode)) {
        // The kernel does not swap a program for one of the other mode.
        auto detached = detach_leftover(interface_index, decapsulator_signature);
        if (!detached)
            return std::unexpected(detached.error());
        old = nullptr;
    }
    int error_number = attach_once(interface_index, program, mode, old);
    std::string native_refusal;
    if (policy == AttachPolicy::native_or_generic && mode == XDP_FLAGS_DRV_MODE &&
        is_refusal_of_driver(error_number)) {
        native_refusal = std::generic_category().message(error_number) + messages.suffix();
        error_number = attach_once(interface_index, program, XDP_FLAGS_SKB_MODE, nullptr);
    }
    if (error_number != 0)
        return kernel_failure(
            fmt::format("cannot attach the decapsulator to {}{}", name, messages.suffix()),
            error_number,
            mode == XDP_FLAGS_DRV_MODE
                ? fmt::format(
                      "try generic mode, a smaller MTU, or LRO off (`ethtool -K {} lro off`)", name
                  )
                : fmt::format("see `ip link show dev {}` and `bpftool net`", name)
        );
    return native_refusal;
}

} // namespace

BpfResult<Attached> attach_decapsulator(
    unsigned int interface_index, const DecapsulatorSettings& settings, AttachPolicy policy
) {
    auto found = find_attachment(interface_index);
    if (!found)
        return std::unexpected(found.error());
    const Attachment* old = found->has_value() ? &**found : nullptr;
    if (old != nullptr && !is_ours(*old, decapsulator_signature))
        return foreign_program_failure(*old);
    auto skeleton = load(settings);
    if (!skeleton)
        return std::unexpected(skeleton.error());
    auto refusal =
        attach(interface_index, bpf_program__fd((*skeleton)->progs.penstock_decap), policy, old);
    if (!refusal)
        return std::unexpected(refusal.error());
    auto decapsulator = find_decapsulator(interface_index);
    if (!decapsulator)
        return std::unexpected(decapsulator.error());
    return Attached{std::move(*decapsulator), old != nullptr, std::move(*refusal)};
}

BpfResult<Decapsulator> find_decapsulator(unsigned int interface_index) {
    auto attachment = find_attachment(interface_index);
    if (!attachment)
        return std::unexpected(attachment.error());
    if (!attachment->has_value())
        return BpfFailure(
            {fmt::format("{} has no decapsulator", interface_name(interface_index)),
             fmt::format(
                 "attach one with `penstock-decap --interface {} --vip ADDRESS`",
                 interface_name(interface_index)
             )}
        );
    const Attachment& found = **attachment;
    if (!is_ours(found, decapsulator_signature))
        return foreign_program_failure(found);
    if (auto checked = check_abi_version(found, decapsulator_signature); !checked)
        return std::unexpected(checked.error());
    auto vips = open_prefix_map(found, PENSTOCK_VIPS_MAP, "VIP");
    if (!vips)
        return std::unexpected(vips.error());
    auto ports = open_gue_port_map(found);
    if (!ports)
        return std::unexpected(ports.error());
    auto counters_map = open_map(found, PENSTOCK_DECAP_COUNTERS_MAP);
    if (!counters_map)
        return std::unexpected(counters_map.error());
    auto counters = CounterMap::adopt(
        std::move(*counters_map),
        PENSTOCK_DECAP_COUNTERS,
        sizeof(penstock_decap_count) / sizeof(std::uint64_t)
    );
    if (!counters)
        return std::unexpected(counters.error());
    return Decapsulator(std::move(*vips), std::move(*ports), std::move(*counters), found);
}

BpfResult<DecapsulatorCounters> Decapsulator::read_counters() {
    // In the order of penstock_decap_counter.
    std::array<std::array<std::uint64_t, 2>, PENSTOCK_DECAP_COUNTERS> sums{};
    for (std::uint32_t counter = 0; counter < sums.size(); ++counter) {
        if (auto read = counters_.read(counter, sums[counter]); !read)
            return std::unexpected(read.error());
    }
    return DecapsulatorCounters{
        .ipip = sums[PENSTOCK_DECAP_IPIP][0],
        .gre = sums[PENSTOCK_DECAP_GRE][0],
        .gue = sums[PENSTOCK_DECAP_GUE][0],
        .passed = sums[PENSTOCK_DECAP_PASSED][0],
        .not_a_vip = sums[PENSTOCK_DECAP_NOT_A_VIP][0],
        .fragment = sums[PENSTOCK_DECAP_FRAGMENT][0],
        .unsupported = sums[PENSTOCK_DECAP_UNSUPPORTED][0],
        .malformed = sums[PENSTOCK_DECAP_MALFORMED][0],
        .dropped_ecn = sums[PENSTOCK_DECAP_DROPPED_ECN][0],
        .decapsulated_bytes = sums[PENSTOCK_DECAP_IPIP][1] + sums[PENSTOCK_DECAP_GRE][1] +
                              sums[PENSTOCK_DECAP_GUE][1],
    };
}

std::span<const std::byte> decapsulator_object_bytes() {
    std::size_t size = 0;
    const void* bytes = decap_bpf::elf_bytes(&size);
    return {static_cast<const std::byte*>(bytes), size};
}

} // namespace penstock::bpf
