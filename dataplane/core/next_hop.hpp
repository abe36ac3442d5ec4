// SPDX-License-Identifier: Apache-2.0
// Where a backend's frames go: MAC address and port, by backend id. Kept apart from the snapshot
// because neighbours change on their own, and a changed MAC must not wait for a compilation.
//
// Thread rule: one writer (the main lcore, which hears the kernel's netlink messages), any number
// of readers (workers). An entry is one 64-bit word, so that a reader never sees half of a change.
#pragma once

#include "dataplane/core/addresses.hpp"
#include "dataplane/core/identity.hpp"

#include <array>
#include <atomic>
#include <cstdint>
#include <cstring>

namespace penstock {

struct NextHop {
    MacAddress mac;
    PortId port;

    friend bool operator==(const NextHop&, const NextHop&) = default;
};

class NextHopTable {
public:
    /// Writer only.
    void set(BackendId backend, const NextHop& hop);
    void clear(BackendId backend);

    /// Any thread. Returns 0 for an unresolved next hop, else the packed word for unpack().
    [[nodiscard]] std::uint64_t load(BackendId backend) const {
        return words_[backend.value].load(std::memory_order_relaxed);
    }

    /// The parts of a word that is not 0.
    [[nodiscard]] static PortId port(std::uint64_t word) {
        return {static_cast<std::uint8_t>(word >> 48U)};
    }

    /// Writes the MAC address to the six bytes at `destination`.
    static void write_mac(std::uint64_t word, std::uint8_t* destination) {
        std::memcpy(destination, &word, sizeof(MacAddress));
    }

    [[nodiscard]] static NextHop unpack(std::uint64_t word) {
        NextHop hop{.mac = {}, .port = port(word)};
        write_mac(word, hop.mac.bytes.data());
        return hop;
    }

private:
    // Bytes 0-5: MAC in wire order, byte 6: port, byte 7: 1 if valid.
    std::array<std::atomic<std::uint64_t>, max_backends> words_{};
};

} // namespace penstock
