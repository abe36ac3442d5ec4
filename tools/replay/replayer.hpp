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
    /// Packets that are decided together, max_burst at most. More than one stand for a burst of the
    /// dataplane only if none of them follows from what another one did: a server's answer or a
    /// router's complaint is never in the burst of what it is about, as it may be in a capture.
    std::size_t burst = 1;
};

/// A frame to be replayed.
struct Frame {
    std::uint64_t time_ns = 0;           ///< since the epoch
    std::uint32_t length = 0;            ///< on the wire; at least bytes.size()
    std::span<const std::uint8_t> bytes; ///< as much of it as there is
};

/// What became of it. A frame that is held back, as a fragment before its first one, comes out later.
struct Outcome {
    using Sent = OfflineOutcome::Sent;

    std::uint64_t index = 0; ///< of the frame: the first one since the beginning is 0
    std::uint64_t time_ns =
        0;           ///< when it was decided: its own time, or that of the frame it waited for
    Verdict verdict; ///< never hold
    std::vector<Sent> sent; ///< what leaves; several if it was cut
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

    /// Appends what became of every frame that is decided now, in the order in which they leave;
    /// frames of earlier calls that were held back may be among them.
    void process(std::span<const Frame> frames, std::vector<Outcome>& decided);

    /// The capture is at its end: appends the frames that are still held back.
    void finish(std::vector<Outcome>& decided);

    /// Another health than up, from the next frame on. False: there is no such backend.
    [[nodiscard]] bool
    set_health(std::string_view service, std::string_view backend, Health health);

    /// Names live as long as this.
    [[nodiscard]] Destination destination(const Verdict& verdict) const;

    [[nodiscard]] const Snapshot& snapshot() const { return *snapshot_; }

    [[nodiscard]] const WorkerCounters& counters() const { return worker_.counters(); }

    /// Entries of the flow table now.
    [[nodiscard]] std::size_t flows() { return worker_.flows().size(); }

    /// Forgets all flows and what is held back: the next packet meets a new worker, and is the first.
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
    [[nodiscard]] std::expected<void, Refusal> compile();
    void note_names();
    void resolve_next_hops(const config::Configuration& configuration);
    [[nodiscard]] std::size_t burst_length(std::span<const Frame> frames) const;
    void process_burst(std::span<const Frame> frames, std::vector<Outcome>& decided);
    void take(std::span<const Frame> burst, std::vector<Outcome>& decided);

    const Settings settings_;
    LineMemory table_;
    std::vector<PortFacts> ports_;
    OfflineWorker worker_;
    DesiredState desired_;
    IdRegistry ids_;
    std::shared_ptr<const Snapshot> snapshot_;
    OfflineWorker::Outcomes outcomes_;                 ///< of the burst at hand
    std::uint64_t frames_ = 0;                         ///< since the beginning
    std::uint64_t last_time_ns_ = 0;                   ///< of the frame that is being decided
    std::vector<std::optional<ServiceName>> services_; ///< by id
    std::vector<std::optional<BackendName>> backends_; ///< by id
};

} // namespace penstock::replay
