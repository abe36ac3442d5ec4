// SPDX-License-Identifier: Apache-2.0
// What XDP program an interface has, whether it is one of ours, and its maps by name.
//
// Everything is found through the interface (interface → program → maps), in the network namespace
// of the calling thread. Nothing is pinned, so nothing can be left in a file system or be shared by
// mistake.
//
// Thread rule: any thread, no state. Every call is a few system calls and may allocate.
#pragma once

#include "bpf/error.hpp"
#include "bpf/file_descriptor.hpp"
#include "bpf/gue_port_map.hpp"
#include "bpf/prefix_map.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace penstock::bpf {

/// Where in the kernel the program runs. An interface has one at a time.
enum class AttachMode : std::uint8_t {
    native,  ///< in the driver
    generic, ///< after the kernel made its packet structure of the frame: slower, with any driver
    offload, ///< in the NIC; ours never are
};

[[nodiscard]] std::string_view attach_mode_name(AttachMode mode);

/// What makes a program recognisable as ours: its name and its marker map (abi.h).
struct ProgramSignature {
    std::string_view program;
    std::string_view marker_map;
};

extern const ProgramSignature steering_signature;
extern const ProgramSignature decapsulator_signature;

/// A program that an interface has. Holds a reference: it can be asked even if it is detached
/// meanwhile.
struct Attachment {
    unsigned int interface_index = 0;
    std::uint32_t program_id = 0;
    AttachMode mode = AttachMode::native;
    std::string program_name; ///< at most 15 characters
    std::vector<std::uint32_t> map_ids;
    FileDescriptor program;
};

/// The program of an interface; nothing if it has none.
[[nodiscard]] BpfResult<std::optional<Attachment>> find_attachment(unsigned int interface_index);

/// The map of that name (as abi.h writes it) that the program uses.
[[nodiscard]] BpfResult<FileDescriptor>
open_map(const Attachment& attachment, std::string_view name);

/// The same, as a map of prefixes; `noun` as in PrefixMap::adopt.
[[nodiscard]] BpfResult<PrefixMap>
open_prefix_map(const Attachment& attachment, std::string_view name, std::string_view noun);

/// The map of GUE ports of the program.
[[nodiscard]] BpfResult<GuePortMap> open_gue_port_map(const Attachment& attachment);

/// Whether the program bears our name and marker. Its ABI version may be another than ours.
[[nodiscard]] bool is_ours(const Attachment& attachment, const ProgramSignature& signature);

/// Refuses a program of ours whose maps are laid out in another way than this build knows.
[[nodiscard]] BpfResult<void>
check_abi_version(const Attachment& attachment, const ProgramSignature& signature);

enum class Leftover : std::uint8_t {
    none,     ///< the interface had no program
    detached, ///< it had one of ours, which is now detached
};

/// Detaches the interface's program if it is ours by `signature`; somebody else's is an error that
/// names it. Cannot tell a leftover from the program of a running process: the caller holds that
/// lock.
[[nodiscard]] BpfResult<Leftover>
detach_leftover(unsigned int interface_index, const ProgramSignature& signature);

/// The error for an interface that somebody else's program is on.
[[nodiscard]] BpfFailure foreign_program_failure(const Attachment& attachment);

} // namespace penstock::bpf
