// SPDX-License-Identifier: Apache-2.0
// What the control socket of penstock-dp carries, as plain values. dataplane.proto is the wire form
// and docs/reference/dataplane-protocol.md the order of things; codec.hpp goes from one to the
// other.
//
// Thread rule: plain values. What the codec decoded has passed validation: addresses are of a legal
// length, enumerations name something, counts are within the limits of core/identity.hpp, keys are
// unique.
#pragma once

#include "dataplane/api/refusal.hpp"
#include "dataplane/core/addresses.hpp"
#include "dataplane/core/desired_state.hpp"
#include "dataplane/core/flow_table.hpp"
#include "dataplane/core/identity.hpp"
#include "dataplane/core/packet.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace penstock {

/// Spoken by this build. Both ends speak exactly one version; two that differ part at once.
inline constexpr std::uint32_t protocol_version = 2;

/// Where penstock-dp listens unless told otherwise.
inline constexpr const char* default_control_socket = "/run/penstock/dataplane.sock";

/// The first message of both ends.
struct Hello {
    std::uint32_t version = protocol_version;
    std::uint64_t instance_id = 0; ///< random, new at every start of the sender; never 0
    std::string program;           ///< "penstock-dp 0.1.0"

    friend bool operator==(const Hello&, const Hello&) = default;
};

// ---- Requests

/// Everything, whole. Replied to when it is live on every worker, or refused.
struct ApplyDesiredState {
    DesiredState state;

    friend bool operator==(const ApplyDesiredState&, const ApplyDesiredState&) = default;
};

struct HealthChange {
    ServiceKey service;
    BackendKey backend;
    Health health = Health::unknown;

    friend bool operator==(const HealthChange&, const HealthChange&) = default;
};

/// Health flips on top of the desired state that was sent last, whatever its generation.
struct UpdateHealth {
    std::uint64_t sequence = 0; ///< grows within a connection, begins above 0
    std::vector<HealthChange> changes;

    friend bool operator==(const UpdateHealth&, const UpdateHealth&) = default;
};

struct GetStatus {
    friend bool operator==(const GetStatus&, const GetStatus&) = default;
};

/// What would become of frames now, and why. Nothing changes.
struct ExplainPackets {
    static constexpr std::size_t max_frames = 256;
    static constexpr std::size_t max_frame_bytes = 9728;

    std::vector<std::vector<std::uint8_t>> frames; ///< 1 … max_frames of 1 … max_frame_bytes

    friend bool operator==(const ExplainPackets&, const ExplainPackets&) = default;
};

struct Request {
    std::uint64_t id = 0; ///< the client's, above 0; the reply repeats it
    std::variant<ApplyDesiredState, UpdateHealth, GetStatus, ExplainPackets> body;

    friend bool operator==(const Request&, const Request&) = default;
};

// ---- Replies

/// The request is live on every worker, and no worker uses what was before.
struct Applied {
    /// Live now. Larger than the one asked for if a newer state overtook it before it was compiled.
    std::uint64_t generation = 0;
    std::uint32_t unknown_backends =
        0; ///< health changes that named nothing we have, and were ignored

    friend bool operator==(const Applied&, const Applied&) = default;
};

/// Nothing of the request was taken. With request id 0 it is about the connection, which then
/// closes.
struct Refused {
    Refusal refusal;
    std::uint64_t current_generation = 0; ///< live, untouched; 0: none yet

    friend bool operator==(const Refused&, const Refused&) = default;
};

struct WorkerQueue {
    std::string port; ///< name
    std::uint16_t queue = 0;

    friend bool operator==(const WorkerQueue&, const WorkerQueue&) = default;
};

struct WorkerStatus {
    std::uint32_t lcore = 0;
    std::uint64_t heartbeat_age_ns = 0; ///< UINT64_MAX: never beat
    std::uint64_t generation = 0;       ///< of the snapshot it uses
    std::vector<WorkerQueue> queues;

    friend bool operator==(const WorkerStatus&, const WorkerStatus&) = default;
};

/// What the XDP program of a port did, in packets.
struct SteeringCounters {
    std::uint64_t to_workers = 0;     ///< VIP traffic handed to a socket
    std::uint64_t to_kernel = 0;      ///< passed on
    std::uint64_t without_socket = 0; ///< VIP traffic dropped in XDP: its queue has no socket

    friend bool operator==(const SteeringCounters&, const SteeringCounters&) = default;
};

enum class LinkState : std::uint8_t { down, up };

struct PortStatus {
    std::string name;
    std::string device; ///< kernel interface, PCI address or vdev
    std::string driver; ///< as DPDK names it: "net_af_xdp"
    MacAddress mac;
    std::uint16_t mtu = 0;
    LinkState link = LinkState::down;
    std::optional<SteeringCounters> steering; ///< nothing: no XDP program on this port

    friend bool operator==(const PortStatus&, const PortStatus&) = default;
};

enum class NextHopState : std::uint8_t { unresolved, resolved };

struct BackendStatus {
    std::string service_name;
    ServiceKey service;
    std::string name;
    BackendKey key;
    std::uint16_t weight = 0;
    AdminState admin = AdminState::ready;
    Health health = Health::unknown;
    NextHopState next_hop = NextHopState::unresolved;
    std::optional<MacAddress> next_hop_mac; ///< if resolved
    std::string next_hop_port;              ///< name, if resolved
    std::string next_hop_reason;            ///< why not, if unresolved

    friend bool operator==(const BackendStatus&, const BackendStatus&) = default;
};

/// The dataplane as it stands: enough for a restarted control plane to adopt its health.
struct Status {
    std::uint64_t generation = 0; ///< live on every worker; 0: none yet
    std::uint64_t instance_id = 0;
    std::string program;
    std::uint64_t started_unix_ns = 0;
    std::string statistics_path;
    std::vector<WorkerStatus> workers;
    std::vector<PortStatus> ports;
    std::vector<BackendStatus> backends; ///< those of the live state, with the health now in force

    friend bool operator==(const Status&, const Status&) = default;
};

/// An entry of a packet's flow in a worker's table.
struct ExplainedFlow {
    std::uint32_t worker = 0;
    std::uint32_t age_s = 0; ///< since the last packet, in steps of two seconds
    FlowState state = FlowState::tcp_syn;
    std::string backend_name;

    friend bool operator==(const ExplainedFlow&, const ExplainedFlow&) = default;
};

struct ExplainedBackend {
    BackendSpec spec;
    Forwarding forwarding = Forwarding::ipip;
    bool removed = false; ///< keeps its flows; weight, admin and health mean nothing

    friend bool operator==(const ExplainedBackend&, const ExplainedBackend&) = default;
};

/// As core's Explanation (explain.hpp), with names.
struct ExplainedPacket {
    VerdictKind verdict = VerdictKind::drop;
    std::string reason;      ///< of a drop
    std::string reason_text; ///< what it means
    std::string service_name;
    std::optional<ServiceKey> service; ///< nothing: it matched none
    std::uint64_t hash = 0;            ///< if it matched a service
    std::uint32_t slot = 0;
    std::uint32_t slot_count = 0; ///< 0: no backend takes new flows
    std::string slot_backend;
    std::vector<ExplainedFlow> flows; ///< the newest first: that one counts
    std::optional<ExplainedBackend> backend;
    std::optional<MacAddress> next_hop_mac;
    std::string tx_port;            ///< where it would leave, if it would
    std::vector<std::uint8_t> sent; ///< the frame that would leave

    friend bool operator==(const ExplainedPacket&, const ExplainedPacket&) = default;
};

struct Explained {
    std::uint64_t generation = 0; ///< of the snapshot that decided; 0: there is none
    std::vector<ExplainedPacket> packets;

    friend bool operator==(const Explained&, const Explained&) = default;
};

struct Reply {
    std::uint64_t id = 0; ///< of the request; 0: about the connection
    std::variant<Applied, Refused, Status, Explained> body;

    friend bool operator==(const Reply&, const Reply&) = default;
};

/// What either end may send.
using ClientMessage = std::variant<Hello, Request>;
using ServerMessage = std::variant<Hello, Reply>;

} // namespace penstock
