// SPDX-License-Identifier: Apache-2.0
#include "bpf/probe_path.hpp"

#include "bpf/abi.h"
#include "bpf/libbpf_messages.hpp"
#include "probe.skel.h"

#include <arpa/inet.h>
#include <array>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <cerrno>
#include <cstring>
#include <fmt/format.h>
#include <memory>

namespace penstock::bpf {

static_assert(PENSTOCK_MAX_PROBE_TARGETS <= ~probe_mark_mask, "every target has a mark");

namespace {

struct CloseSkeleton {
    void operator()(probe_bpf* skeleton) const { probe_bpf::destroy(skeleton); }
};

using Skeleton = std::unique_ptr<probe_bpf, CloseSkeleton>;

BpfResult<Skeleton> load() {
    const LibbpfMessages messages;
    Skeleton skeleton(probe_bpf::open_and_load());
    if (!skeleton) {
        const int error_number = errno;
        return kernel_failure(
            "cannot load the probe program" + messages.suffix(),
            error_number,
            "it needs Linux 5.12 or newer with CONFIG_BPF_SYSCALL"
        );
    }
    return skeleton;
}

FileDescriptor duplicate(int number) {
    return FileDescriptor(::dup(number));
}

std::uint8_t abi_mode(ProbeMode mode) {
    switch (mode) {
    case ProbeMode::l2dsr:
        return PENSTOCK_PROBE_L2DSR;
    case ProbeMode::ipip:
        return PENSTOCK_PROBE_IPIP;
    case ProbeMode::gre:
        return PENSTOCK_PROBE_GRE;
    case ProbeMode::gue_variant_0:
        return PENSTOCK_PROBE_GUE_0;
    case ProbeMode::gue_variant_1:
        return PENSTOCK_PROBE_GUE_1;
    }
    return PENSTOCK_PROBE_IPIP;
}

penstock_probe_target to_abi(const ProbeTarget& target, const IpAddress& outer_source) {
    penstock_probe_target made{};
    std::memcpy(made.source, outer_source.bytes().data(), sizeof(made.source));
    std::memcpy(made.destination, target.backend.bytes().data(), sizeof(made.destination));
    made.mode = abi_mode(target.mode);
    made.ip_version = target.backend.is_ipv4() ? 4 : 6;
    made.gue_port = htons(target.gue_port);
    return made;
}

// A way to `address` that leaves this host, and the address that the kernel sends from.
BpfResult<RouteFact> find_way(RouteSocket& routes, const IpAddress& address) {
    auto route = routes.ask_route(address);
    if (!route)
        return std::unexpected(route.error());
    if (!route->has_value())
        return BpfFailure(
            {fmt::format("there is no route to {}", address.to_string()), "see `ip route`"}
        );
    if ((*route)->is_local)
        return BpfFailure(
            {fmt::format("{} is an address of this node", address.to_string()),
             "probes need a backend elsewhere, and a VIP that no kernel here holds"}
        );
    if (!(*route)->source)
        return BpfFailure(
            {fmt::format("this node has no address to reach {} from", address.to_string()),
             "give one to the interface towards it: see `ip address`"}
        );
    return **route;
}

BpfResult<void> check_families(const ProbeTarget& target, bool has_ipv6) {
    if (!has_ipv6 && !(target.vip.is_ipv4() && target.backend.is_ipv4()))
        return BpfFailure(
            {fmt::format("IPv6 is off, so {} cannot be probed", target.vip.to_string()),
             "switch it on: net.ipv6.conf.default.disable_ipv6=0, then start again"}
        );
    if (target.mode == ProbeMode::l2dsr && target.vip.family() != target.backend.family())
        return BpfFailure(
            {fmt::format(
                 "l2dsr backend {} is not of the family of VIP {}",
                 target.backend.to_string(),
                 target.vip.to_string()
             ),
             "name the backend by an address of that family"}
        );
    if (target.outer_source && target.outer_source->family() != target.backend.family())
        return BpfFailure(
            {fmt::format(
                 "tunnel source {} is not of the family of backend {}",
                 target.outer_source->to_string(),
                 target.backend.to_string()
             ),
             "name one of that family"}
        );
    return {};
}

} // namespace

BpfResult<ProbePath> ProbePath::open() {
    auto skeleton = load();
    if (!skeleton)
        return std::unexpected(skeleton.error());
    auto device = ProbeDevice::open();
    if (!device)
        return std::unexpected(device.error());
    FileDescriptor program = duplicate(bpf_program__fd((*skeleton)->progs.penstock_probe));
    if (auto attached = device->attach(program.number()); !attached)
        return std::unexpected(attached.error());
    auto counters = CounterMap::adopt(
        duplicate(bpf_map__fd((*skeleton)->maps.probe_counters)), PENSTOCK_PROBE_COUNTERS, 1
    );
    if (!counters)
        return std::unexpected(counters.error());
    auto routing = MarkRouting::start(device->ifindex(), device->has_ipv6());
    if (!routing)
        return std::unexpected(routing.error());
    return ProbePath(
        std::move(*device),
        std::move(*routing),
        std::move(program),
        duplicate(bpf_map__fd((*skeleton)->maps.probe_targets)),
        std::move(*counters)
    );
}

std::optional<std::uint32_t> ProbePath::take_mark() {
    if (!free_marks_.empty()) {
        const std::uint32_t mark = free_marks_.back();
        free_marks_.pop_back();
        return mark;
    }
    if (used_marks_ == PENSTOCK_MAX_PROBE_TARGETS)
        return std::nullopt;
    return probe_mark | used_marks_++;
}

BpfResult<ProbeRoute> ProbePath::add(const ProbeTarget& target) {
    if (auto checked = check_families(target, device_.has_ipv6()); !checked)
        return std::unexpected(checked.error());
    auto way = find_way(routing_.routes(), target.backend);
    if (!way)
        return std::unexpected(way.error());
    ProbeRoute route{.source = *way->source};
    if (target.vip.family() != target.backend.family()) {
        auto source = find_way(routing_.routes(), target.vip);
        if (!source)
            return std::unexpected(source.error());
        route.source = *source->source;
    }
    if (auto opened = reverse_path_.open(way->ifindex, target.vip, routing_.routes()); !opened)
        return std::unexpected(opened.error());
    if (auto preferred = routing_.prefer_source(target.vip, route.source); !preferred)
        return std::unexpected(preferred.error());
    const auto mark = take_mark();
    if (!mark)
        return BpfFailure(
            {fmt::format("more than {} backends to probe", PENSTOCK_MAX_PROBE_TARGETS),
             "probe some services directly"}
        );
    route.mark = *mark;
    const penstock_probe_target value = to_abi(target, target.outer_source.value_or(*way->source));
    if (bpf_map_update_elem(targets_.number(), &route.mark, &value, BPF_ANY) != 0) {
        const int error_number = errno;
        free_marks_.push_back(route.mark);
        return kernel_failure("cannot add a probe target", error_number, "free some memory");
    }
    return route;
}

void ProbePath::remove(std::uint32_t mark) {
    if (bpf_map_delete_elem(targets_.number(), &mark) == 0)
        free_marks_.push_back(mark);
}

BpfResult<ProbeCounters> ProbePath::read_counters() {
    ProbeCounters counters;
    for (const auto& [counter, packets] :
         {std::pair{PENSTOCK_PROBE_SENT, &counters.sent},
          std::pair{PENSTOCK_PROBE_NO_TARGET, &counters.no_target},
          std::pair{PENSTOCK_PROBE_NO_ROUTE, &counters.no_route},
          std::pair{PENSTOCK_PROBE_FAILED, &counters.failed}}) {
        const auto key = static_cast<std::uint32_t>(counter);
        if (auto read = counters_.read(key, std::span(packets, 1)); !read)
            return std::unexpected(read.error());
    }
    return counters;
}

std::span<const std::byte> probe_object_bytes() {
    std::size_t size = 0;
    const void* bytes = probe_bpf::elf_bytes(&size);
    return {static_cast<const std::byte*>(bytes), size};
}

} // namespace penstock::bpf
