// SPDX-License-Identifier: Apache-2.0
// One worker of the dataplane without a NIC: a configuration, the core's packet path, packets in
// and verdicts out. Behind `penstock replay`, the golden packets and the fuzzer alike.
//
// What the configuration leaves to a machine is fixed here, so that the same files give the same
// result everywhere: port i has the address 02:70:63:61:70:0i (as DPDK's pcap driver numbers them)
// and the MTU of the configuration or 1500; packets arrive at port 0; every backend is up;
// the source of outer headers is 192.0.0.8 (RFC 7600) or 100::8 (RFC 6666) if nothing else is said. A next hop is what
// [[dataplane.neighbour]] says, else synthetic: 02:04 and the four bytes of an IPv4 address, 02:06
// and the last four of an IPv6 one, out of port 0.
//
// Thread rule: one owner. Time is the packets': it drives the flow table's expiry and never goes
// back.
#pragma once

#include "controlplane/config/configuration.hpp"
#include "dataplane/api/refusal.hpp"
#include "dataplane/core/compile.hpp"
#include "dataplane/core/offline_worker.hpp"

#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace penstock::replay {

/// What happens to flow entries between packets.
enum class FlowKeeping : std::uint8_t {
    keep,  ///< as in the dataplane: a flow stays where it is
    fresh, ///< every packet is decided as if it were the first one
};

enum class NextHops : std::uint8_t {
    synthetic,  ///< those that the configuration does not name are made up
    configured, ///< those are unresolved
};

struct Settings {
    FlowKeeping flows = FlowKeeping::keep;
    NextHops next_hops = NextHops::synthetic;
    FlowHashKey flow_hash_key{}; ///< the node's own gives the node's choices
};

/// A frame to be replayed.
struct Frame {
    std::uint64_t time_ns = 0;           ///< since the epoch
    std::uint32_t length = 0;            ///< on the wire; at least bytes.size()
    std::span<const std::uint8_t> bytes; ///< as much of it as there is
};

/// What became of it.
struct Outcome {
    Verdict verdict;
    std::vector<std::uint8_t> sent; ///< what leaves, if the verdict is forward or reply
    std::uint32_t sent_length = 0;  ///< on the wire
};

/// A service and backend by name and key; empty names for none.
struct Destination {
    std::string_view service;
    std::string_view backend;
    const ServiceKey* service_key = nullptr;
    const BackendKey* backend_key = nullptr;
};

class Replayer {
public:
    /// Compiles the configuration. An error is the compiler's.
    [[nodiscard]] static std::expected<std::unique_ptr<Replayer>, Refusal>
    create(const config::Configuration& configuration, const Settings& settings);

    Replayer(const Replayer&) = delete;
    Replayer& operator=(const Replayer&) = delete;

    /// `outcomes[i]` is for `frames[i]`. REQUIRES: equally many.
    void process(std::span<const Frame> frames, std::span<Outcome> outcomes);

    /// Names live as long as this.
    [[nodiscard]] Destination destination(const Verdict& verdict) const;

    [[nodiscard]] const Snapshot& snapshot() const { return *snapshot_; }

    [[nodiscard]] const WorkerCounters& counters() const { return worker_.counters(); }

    /// Entries of the flow table now.
    [[nodiscard]] std::size_t flows() { return worker_.flows().size(); }

    /// Forgets all flows: the next packet meets a new worker.
    void forget();

private:
    struct ServiceName {
        ServiceKey key;
        std::string name;
    };

    struct BackendName {
        BackendKey key;
        std::string name;
    };

    Replayer(const config::Configuration& configuration, const Settings& settings);
    [[nodiscard]] std::expected<void, Refusal> compile(const config::Configuration& configuration);
    void resolve_next_hops(const config::Configuration& configuration);
    void pass_time(std::uint64_t time_ns);
    void process_some(std::span<const Frame> frames, std::span<Outcome> outcomes);
    void forget_flows();

    const Settings settings_;
    LineMemory table_;
    std::vector<PortFacts> ports_;
    OfflineWorker worker_;
    IdRegistry ids_;
    std::shared_ptr<const Snapshot> snapshot_;
    std::vector<std::optional<ServiceName>> services_; ///< by id
    std::vector<std::optional<BackendName>> backends_; ///< by id
    std::uint64_t now_s_ = 0;
};

} // namespace penstock::replay
