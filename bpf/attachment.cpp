// SPDX-License-Identifier: Apache-2.0
#include "bpf/attachment.hpp"

#include "bpf/abi.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <cerrno>
#include <fmt/format.h>
#include <linux/if_link.h>

namespace penstock::bpf {

const ProgramSignature steering_signature{PENSTOCK_STEER_PROGRAM, PENSTOCK_STEER_MARKER};
const ProgramSignature decapsulator_signature{PENSTOCK_DECAP_PROGRAM, PENSTOCK_DECAP_MARKER};

// The kernel cuts names; ours must survive whole, or we would not know them again.
static_assert(sizeof(PENSTOCK_STEER_PROGRAM) <= BPF_OBJ_NAME_LEN);
static_assert(sizeof(PENSTOCK_STEER_MARKER) <= BPF_OBJ_NAME_LEN);
static_assert(sizeof(PENSTOCK_DECAP_PROGRAM) <= BPF_OBJ_NAME_LEN);
static_assert(sizeof(PENSTOCK_DECAP_MARKER) <= BPF_OBJ_NAME_LEN);
static_assert(sizeof(PENSTOCK_TUNNEL_SOURCES_MAP) <= BPF_OBJ_NAME_LEN);
static_assert(sizeof(PENSTOCK_STEER_COUNTERS_MAP) <= BPF_OBJ_NAME_LEN);
static_assert(sizeof(PENSTOCK_DECAP_COUNTERS_MAP) <= BPF_OBJ_NAME_LEN);

namespace {

constexpr std::string_view report_remedy =
    "an XDP program came or went meanwhile, or the kernel lacks BPF support: try again";

std::string with_interface(std::string_view what, unsigned int interface_index) {
    return fmt::format("{} {}", what, interface_name(interface_index));
}

struct ProgramFacts {
    std::string name;
    std::vector<std::uint32_t> map_ids;
};

BpfResult<ProgramFacts> read_program_facts(int program, std::uint32_t program_id) {
    bpf_prog_info info{};
    std::uint32_t info_size = sizeof(info);
    if (bpf_obj_get_info_by_fd(program, &info, &info_size) != 0)
        return kernel_failure(
            fmt::format("cannot read XDP program {}", program_id), errno, report_remedy
        );
    ProgramFacts facts{info.name, std::vector<std::uint32_t>(info.nr_map_ids)};
    // The second call gets the map ids alone: other pointers of `info` are null.
    bpf_prog_info map_info{};
    map_info.nr_map_ids = static_cast<std::uint32_t>(facts.map_ids.size());
    map_info.map_ids = reinterpret_cast<std::uintptr_t>(facts.map_ids.data());
    info_size = sizeof(map_info);
    if (!facts.map_ids.empty() && bpf_obj_get_info_by_fd(program, &map_info, &info_size) != 0)
        return kernel_failure(
            fmt::format("cannot read the maps of XDP program {}", program_id), errno, report_remedy
        );
    return facts;
}

std::optional<AttachMode> mode_of(std::uint8_t kernel_mode) {
    switch (kernel_mode) {
    case XDP_ATTACHED_DRV:
        return AttachMode::native;
    case XDP_ATTACHED_SKB:
        return AttachMode::generic;
    case XDP_ATTACHED_HW:
        return AttachMode::offload;
    default:
        return std::nullopt;
    }
}

std::uint32_t mode_flag(AttachMode mode) {
    switch (mode) {
    case AttachMode::native:
        return XDP_FLAGS_DRV_MODE;
    case AttachMode::generic:
        return XDP_FLAGS_SKB_MODE;
    case AttachMode::offload:
        return XDP_FLAGS_HW_MODE;
    }
    return 0;
}

BpfResult<penstock_marker>
read_marker(const Attachment& attachment, const ProgramSignature& signature) {
    auto map = open_map(attachment, signature.marker_map);
    if (!map)
        return std::unexpected(map.error());
    bpf_map_info info{};
    std::uint32_t info_size = sizeof(info);
    penstock_marker marker{};
    const std::uint32_t key = 0;
    // The size is asked first: a map of somebody else's with this name must not write beyond
    // `marker`.
    if (bpf_obj_get_info_by_fd(map->number(), &info, &info_size) != 0 ||
        info.type != BPF_MAP_TYPE_ARRAY || info.value_size != sizeof(marker) ||
        bpf_map_lookup_elem(map->number(), &key, &marker) != 0 ||
        marker.magic != PENSTOCK_MARKER_MAGIC)
        return BpfFailure(
            {fmt::format("map '{}' is not Penstock's marker", signature.marker_map),
             "this program is not ours; leave it, or remove it with bpftool"}
        );
    return marker;
}

} // namespace

std::string_view attach_mode_name(AttachMode mode) {
    switch (mode) {
    case AttachMode::native:
        return "native";
    case AttachMode::generic:
        return "generic";
    case AttachMode::offload:
        return "offload";
    }
    return "?";
}

BpfResult<std::optional<Attachment>> find_attachment(unsigned int interface_index) {
    LIBBPF_OPTS(bpf_xdp_query_opts, query);
    if (const int error = bpf_xdp_query(static_cast<int>(interface_index), 0, &query); error != 0)
        return kernel_failure(
            with_interface("cannot ask for the XDP program of", interface_index),
            -error,
            report_remedy
        );
    if (query.attach_mode == XDP_ATTACHED_NONE)
        return std::nullopt;
    const std::optional<AttachMode> mode = mode_of(query.attach_mode);
    if (!mode)
        return BpfFailure(
            {with_interface("more than one XDP program is on", interface_index),
             fmt::format(
                 "see `bpftool net show dev {}` and detach them", interface_name(interface_index)
             )}
        );
    Attachment attachment;
    attachment.interface_index = interface_index;
    attachment.program_id = query.prog_id;
    attachment.mode = *mode;
    attachment.program = FileDescriptor(bpf_prog_get_fd_by_id(query.prog_id));
    if (!attachment.program.is_open())
        return kernel_failure(
            with_interface("cannot open the XDP program of", interface_index), errno, report_remedy
        );
    auto facts = read_program_facts(attachment.program.number(), attachment.program_id);
    if (!facts)
        return std::unexpected(facts.error());
    attachment.program_name = std::move(facts->name);
    attachment.map_ids = std::move(facts->map_ids);
    return attachment;
}

BpfResult<FileDescriptor> open_map(const Attachment& attachment, std::string_view name) {
    for (const std::uint32_t id : attachment.map_ids) {
        FileDescriptor map(bpf_map_get_fd_by_id(id));
        bpf_map_info info{};
        std::uint32_t info_size = sizeof(info);
        if (!map.is_open() || bpf_obj_get_info_by_fd(map.number(), &info, &info_size) != 0)
            return kernel_failure(
                fmt::format("cannot open map {} of XDP program '{}'", id, attachment.program_name),
                errno,
                report_remedy
            );
        if (name == info.name)
            return map;
    }
    return BpfFailure(
        {fmt::format(
             "the XDP program '{}' of {} has no map '{}'",
             attachment.program_name,
             interface_name(attachment.interface_index),
             name
         ),
         "another version of Penstock or somebody else attached it: detach it and start again"}
    );
}

BpfResult<PrefixMap>
open_prefix_map(const Attachment& attachment, std::string_view name, std::string_view noun) {
    auto map = open_map(attachment, name);
    if (!map)
        return std::unexpected(map.error());
    return PrefixMap::adopt(std::move(*map), noun);
}

BpfResult<GuePortMap> open_gue_port_map(const Attachment& attachment) {
    auto map = open_map(attachment, PENSTOCK_GUE_PORTS_MAP);
    if (!map)
        return std::unexpected(map.error());
    return GuePortMap::adopt(std::move(*map));
}

bool is_ours(const Attachment& attachment, const ProgramSignature& signature) {
    return attachment.program_name == signature.program &&
           read_marker(attachment, signature).has_value();
}

BpfResult<void> check_abi_version(const Attachment& attachment, const ProgramSignature& signature) {
    auto marker = read_marker(attachment, signature);
    if (!marker)
        return std::unexpected(marker.error());
    if (marker->abi_version != PENSTOCK_ABI_VERSION)
        return BpfFailure(
            {fmt::format(
                 "the program '{}' of {} is of ABI version {}, this build knows {}",
                 signature.program,
                 interface_name(attachment.interface_index),
                 marker->abi_version,
                 PENSTOCK_ABI_VERSION
             ),
             "another version of Penstock attached it: stop that one first"}
        );
    return {};
}

BpfFailure foreign_program_failure(const Attachment& attachment) {
    const std::string name = interface_name(attachment.interface_index);
    const std::string_view command = attachment.mode == AttachMode::generic ? "xdpgeneric" : "xdp";
    return BpfFailure(
        {fmt::format(
             "{} already has the XDP program '{}' (id {}), which is not ours to remove",
             name,
             attachment.program_name,
             attachment.program_id
         ),
         fmt::format(
             "stop what attached it, or detach it with `ip link set dev {} {} off`", name, command
         )}
    );
}

BpfResult<Leftover>
detach_leftover(unsigned int interface_index, const ProgramSignature& signature) {
    auto attachment = find_attachment(interface_index);
    if (!attachment)
        return std::unexpected(attachment.error());
    if (!attachment->has_value())
        return Leftover::none;
    const Attachment& found = **attachment;
    if (!is_ours(found, signature))
        return foreign_program_failure(found);
    // The expected program goes with the request: one that took its place meanwhile is not
    // detached.
    LIBBPF_OPTS(bpf_xdp_attach_opts, expected, .old_prog_fd = found.program.number());
    const int error =
        bpf_xdp_detach(static_cast<int>(interface_index), mode_flag(found.mode), &expected);
    if (error != 0)
        return kernel_failure(
            with_interface("cannot detach our XDP program from", interface_index),
            -error,
            "another process is attaching a program: see `bpftool net`"
        );
    return Leftover::detached;
}

} // namespace penstock::bpf
