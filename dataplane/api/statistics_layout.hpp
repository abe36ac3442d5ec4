// SPDX-License-Identifier: Apache-2.0
// The shared-memory statistics as they stand in the file. Written by penstock-dp alone, mapped
// read-only by everybody else; statistics.hpp has the writer and the reader.
//
//   StatisticsHeader                                  one page, constant but for two counters
//   drop reason names   [drop_reason_count] × 48      constant
//   service directory   [max_services] records        each under a seqlock
//   backend directory   [max_backends] records        each under a seqlock
//   worker blocks       [worker_count] ×
//       WorkerCounters, ServiceCounters[max_services], BackendCounters[max_backends]
//
// Every part begins on a cache line. Offsets and sizes stand in the header and are checked by the
// reader: nothing in the file is believed.
//
// Seqlock without fences, so that TSan can follow it: the writer makes `sequence` odd, stores the
// payload word by word (release), makes it even (release). The reader loads an even sequence
// (acquire), the words (acquire) and the sequence again; a word of a later write brings the odd
// sequence with it.
//
// Id reuse: counters are never reset (a worker is their only writer), so a record carries the sums
// that stood there when the id was given out; the reader subtracts them.
#pragma once

#include "dataplane/core/counters.hpp"
#include "dataplane/core/desired_state.hpp"
#include "dataplane/core/identity.hpp"

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

namespace penstock::statistics_layout {

inline constexpr std::uint64_t magic = 0x31544154534b4350ULL; ///< "PCKSTAT1" in file order
inline constexpr std::uint32_t version = 3;
inline constexpr std::size_t drop_name_bytes = 48; ///< NUL-padded

/// A page of its own. Constant once the file has its name, but for the two counters at the end.
struct Header {
    std::uint64_t magic = 0;
    std::uint32_t version = 0;
    std::uint32_t header_bytes = 0;
    std::uint64_t total_bytes = 0;
    std::uint64_t instance_id = 0; ///< as in Hello and Status
    std::uint64_t pid = 0;
    std::uint64_t started_unix_ns = 0;
    std::uint32_t worker_count = 0;
    std::uint32_t drop_reason_count = 0;
    std::uint32_t service_count = 0; ///< entries of the directory and of every block
    std::uint32_t backend_count = 0;
    std::uint32_t service_record_bytes = 0;
    std::uint32_t backend_record_bytes = 0;
    std::uint32_t worker_counters_bytes = 0;
    std::uint32_t reserved = 0;
    std::uint64_t drop_names_offset = 0;
    std::uint64_t services_offset = 0;
    std::uint64_t backends_offset = 0;
    std::uint64_t workers_offset = 0;
    std::uint64_t worker_block_bytes = 0;     ///< from one worker's block to the next
    std::array<std::uint32_t, 64> lcores{};   ///< of the workers
    std::atomic<std::uint64_t> generation{0}; ///< live on all workers
    std::atomic<std::uint64_t> epoch{0};      ///< grows with every change of a directory
};

static_assert(sizeof(Header) <= 4096 && max_workers == 64);
inline constexpr std::size_t header_bytes = 4096;

enum class RecordState : std::uint8_t {
    free,
    live,
    retired, ///< no longer desired; its flows are still forwarded
};

struct ServicePayload {
    std::array<std::uint8_t, 16> vip{}; ///< IpAddress::bytes()
    std::uint16_t port = 0;             ///< host order
    Protocol protocol = Protocol::tcp;
    RecordState state = RecordState::free;
    std::uint16_t more_ports = 0; ///< ServiceKey::more_ports
    std::uint8_t host_bits = 0;   ///< ServiceKey::host_bits
    std::uint8_t reserved = 0;
    std::array<char, max_name_bytes + 1> name{}; ///< NUL-terminated
    std::uint64_t base_packets = 0;
    std::uint64_t base_bytes = 0;
    std::uint64_t base_new_flows = 0;
    std::uint64_t base_dropped_packets = 0;
};

struct BackendPayload {
    std::array<std::uint8_t, 16> address{};
    std::uint16_t port = 0;
    std::uint16_t service = 0; ///< ServiceId
    RecordState state = RecordState::free;
    std::array<std::uint8_t, 3> reserved{};
    std::array<char, max_name_bytes + 1> name{};
    std::uint64_t base_packets = 0;
    std::uint64_t base_bytes = 0;
    std::uint64_t base_new_flows = 0;
};

/// A payload under its seqlock.
template <typename Payload>
struct alignas(64) Record {
    static_assert(std::is_trivially_copyable_v<Payload> && sizeof(Payload) % 8 == 0);
    static_assert(std::has_unique_object_representations_v<Payload>);
    static constexpr std::size_t words = sizeof(Payload) / 8;

    std::atomic<std::uint64_t> sequence{0
    }; // writer: penstock-dp's builder thread; readers: anybody
    std::array<std::atomic<std::uint64_t>, words> payload{};

    /// Writer only.
    void store(const Payload& value) {
        std::array<std::uint64_t, words> copy{};
        std::memcpy(copy.data(), &value, sizeof(value));
        const std::uint64_t before = sequence.load(std::memory_order_relaxed);
        sequence.store(before + 1, std::memory_order_relaxed);
        for (std::size_t i = 0; i < words; ++i) {
            payload[i].store(copy[i], std::memory_order_release);
        }
        sequence.store(before + 2, std::memory_order_release);
    }

    /// False if the writer was in the middle of it: try again.
    [[nodiscard]] bool load(Payload& value) const {
        std::array<std::uint64_t, words> copy{};
        const std::uint64_t before = sequence.load(std::memory_order_acquire);
        for (std::size_t i = 0; i < words; ++i) {
            copy[i] = payload[i].load(std::memory_order_acquire);
        }
        if ((before & 1U) != 0 || sequence.load(std::memory_order_relaxed) != before) {
            return false;
        }
        std::memcpy(static_cast<void*>(&value), copy.data(), sizeof(value));
        return true;
    }
};

using ServiceRecord = Record<ServicePayload>;
using BackendRecord = Record<BackendPayload>;

static_assert(sizeof(ServiceRecord) % 64 == 0 && sizeof(BackendRecord) % 64 == 0);
static_assert(offsetof(WorkerCounters, drops) % 8 == 0);

inline constexpr std::size_t worker_block_bytes = sizeof(WorkerCounters) +
                                                  max_services * sizeof(ServiceCounters) +
                                                  max_backends * sizeof(BackendCounters);
static_assert(worker_block_bytes % 64 == 0);

} // namespace penstock::statistics_layout
