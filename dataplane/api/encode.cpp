// SPDX-License-Identifier: Apache-2.0
#include "dataplane/api/codec.hpp"
#include "dataplane/api/wire_words.hpp"

#include <fmt/format.h>

namespace penstock {
namespace {

std::string to_bytes(const IpAddress& address) {
    const auto& bytes = address.bytes();
    // IPv4 stands in the last four bytes of its mapped form.
    const std::size_t skipped = address.is_ipv4() ? 12 : 0;
    return {bytes.begin() + static_cast<std::ptrdiff_t>(skipped), bytes.end()};
}

std::string to_bytes(const MacAddress& mac) {
    return {mac.bytes.begin(), mac.bytes.end()};
}

void encode(const Hello& in, wire::Hello& out) {
    out.set_version(in.version);
    out.set_instance_id(in.instance_id);
    out.set_program(in.program);
}

void encode(const IpPrefix& in, wire::Prefix& out) {
    out.set_address(to_bytes(in.address));
    out.set_length(in.length());
}

void encode(const ServiceKey& in, wire::ServiceKey& out) {
    encode(in.prefix(), *out.mutable_vip());
    out.set_protocol(to_wire(in.protocol));
    out.set_first_port(in.port);
    out.set_last_port(in.last_port());
}

void encode(const BackendKey& in, wire::BackendKey& out) {
    out.set_address(to_bytes(in.address));
    out.set_port(in.port);
    out.set_as_sent(in.port == 0);
}

// A million prefixes as messages would be a million allocations; as bytes they are one copy.
std::string pack(const std::vector<IpPrefix>& prefixes) {
    std::string out;
    out.reserve(prefixes.size() * 6);
    for (const IpPrefix& prefix : prefixes) {
        out.push_back(static_cast<char>(prefix.address.family()));
        out.push_back(static_cast<char>(prefix.length()));
        const auto& bytes = prefix.address.bytes();
        const std::size_t skipped = prefix.address.is_ipv4() ? 12 : 0;
        out.append(bytes.begin() + static_cast<std::ptrdiff_t>(skipped), bytes.end());
    }
    return out;
}

void encode(const AccessSpec& in, wire::Access& out) {
    out.set_allow(pack(in.allow));
    out.set_deny(pack(in.deny));
}

void encode(const QuicLbSpec& in, wire::QuicLb& out) {
    out.set_config_id(in.config_id);
    out.set_server_id_bytes(in.server_id_bytes);
    out.set_nonce_bytes(in.nonce_bytes);
    if (in.key) {
        out.set_key(std::string{in.key->begin(), in.key->end()});
    }
}

void encode(const ServiceLimits& in, wire::ServiceLimits& out) {
    out.set_new_flows_per_s(in.new_flows_per_s);
    out.set_new_flows_per_s_and_source(in.new_flows_per_s_and_source);
    out.set_source_prefix_length_ipv4(32U - in.source_host_bits_ipv4);
    out.set_source_prefix_length_ipv6(128U - in.source_host_bits_ipv6);
    out.set_flows(in.flows);
    out.set_flows_per_backend(in.flows_per_backend);
}

void encode(const BackendSpec& in, wire::Backend& out) {
    out.set_name(in.name);
    encode(in.key, *out.mutable_key());
    out.set_weight(in.weight);
    out.set_admin(to_wire(in.admin));
    out.set_health(to_wire(in.health));
    out.set_quic_server_id(std::string{in.quic_server_id.begin(), in.quic_server_id.end()});
}

void encode(const ServiceSpec& in, wire::Service& out) {
    out.set_name(in.name);
    encode(in.key, *out.mutable_key());
    out.set_forwarding(to_wire(in.forwarding));
    out.set_maglev_size(in.maglev_size);
    out.set_track(to_wire(in.track));
    if (in.forwarding == Forwarding::gue) {
        out.mutable_gue()->set_variant(to_wire(in.gue_variant));
        out.mutable_gue()->set_port(in.gue_port);
    }
    out.set_affinity(to_wire(in.affinity));
    if (in.affinity == Affinity::client) {
        out.set_affinity_prefix_length(
            static_cast<std::uint32_t>(address_bits(in.key.vip.family()) - in.affinity_host_bits)
        );
    }
    out.set_on_down(to_wire(in.on_down));
    out.set_mss_clamp(in.mss_clamp);
    out.set_toa(to_wire(in.toa));
    encode(in.limits, *out.mutable_limits());
    encode(in.access, *out.mutable_access());
    for (const QuicLbSpec& quic : in.quic) {
        encode(quic, *out.add_quic());
    }
    for (const BackendSpec& backend : in.backends) {
        encode(backend, *out.add_backends());
    }
}

void encode(const ApplyDesiredState& in, wire::ApplyDesiredState& out) {
    const DesiredState& state = in.state;
    out.set_generation(state.generation);
    out.set_flow_hash_key(std::string{state.flow_hash_key.begin(), state.flow_hash_key.end()});
    wire::FlowTimeouts& timeouts = *out.mutable_timeouts();
    timeouts.set_tcp_syn_s(state.timeouts.tcp_syn_s);
    timeouts.set_tcp_established_s(state.timeouts.tcp_established_s);
    timeouts.set_tcp_closing_s(state.timeouts.tcp_closing_s);
    timeouts.set_udp_s(state.timeouts.udp_s);
    if (state.tunnel_sources.ipv4) {
        encode(*state.tunnel_sources.ipv4, *out.mutable_tunnel_source_ipv4());
    }
    if (state.tunnel_sources.ipv6) {
        encode(*state.tunnel_sources.ipv6, *out.mutable_tunnel_source_ipv6());
    }
    for (const IpAddress& source : state.nat_sources) {
        out.add_nat_sources(to_bytes(source));
    }
    encode(state.access, *out.mutable_access());
    for (const ServiceSpec& service : state.services) {
        encode(service, *out.add_services());
    }
}

void encode(const UpdateHealth& in, wire::UpdateHealth& out) {
    out.set_sequence(in.sequence);
    for (const HealthChange& change : in.changes) {
        wire::HealthChange& to = *out.add_changes();
        encode(change.service, *to.mutable_service());
        encode(change.backend, *to.mutable_backend());
        to.set_health(to_wire(change.health));
    }
}

void encode(const Request& in, wire::Request& out) {
    out.set_id(in.id);
    if (const auto* apply = std::get_if<ApplyDesiredState>(&in.body)) {
        encode(*apply, *out.mutable_apply_desired_state());
    } else if (const auto* health = std::get_if<UpdateHealth>(&in.body)) {
        encode(*health, *out.mutable_update_health());
    } else if (const auto* explain = std::get_if<ExplainPackets>(&in.body)) {
        for (const std::vector<std::uint8_t>& frame : explain->frames) {
            out.mutable_explain_packets()->add_frames(frame.data(), frame.size());
        }
    } else {
        out.mutable_get_status();
    }
}

void encode(const WorkerStatus& in, wire::WorkerStatus& out) {
    out.set_lcore(in.lcore);
    out.set_heartbeat_age_ns(in.heartbeat_age_ns);
    out.set_generation(in.generation);
    for (const WorkerQueue& queue : in.queues) {
        wire::WorkerQueue& to = *out.add_queues();
        to.set_port(queue.port);
        to.set_queue(queue.queue);
    }
}

void encode(const PortStatus& in, wire::PortStatus& out) {
    out.set_name(in.name);
    out.set_device(in.device);
    out.set_driver(in.driver);
    out.set_mac(to_bytes(in.mac));
    out.set_mtu(in.mtu);
    out.set_link(to_wire(in.link));
    if (in.steering) {
        wire::SteeringCounters& to = *out.mutable_steering();
        to.set_to_workers(in.steering->to_workers);
        to.set_to_kernel(in.steering->to_kernel);
        to.set_without_socket(in.steering->without_socket);
    }
}

void encode(const BackendStatus& in, wire::BackendStatus& out) {
    out.set_service_name(in.service_name);
    encode(in.service, *out.mutable_service());
    wire::Backend& backend = *out.mutable_backend();
    backend.set_name(in.name);
    encode(in.key, *backend.mutable_key());
    backend.set_weight(in.weight);
    backend.set_admin(to_wire(in.admin));
    backend.set_health(to_wire(in.health));
    out.set_next_hop(to_wire(in.next_hop));
    if (in.next_hop_mac) {
        out.set_next_hop_mac(to_bytes(*in.next_hop_mac));
    }
    out.set_next_hop_port(in.next_hop_port);
    out.set_next_hop_reason(in.next_hop_reason);
}

void encode(const Status& in, wire::Status& out) {
    out.set_generation(in.generation);
    out.set_instance_id(in.instance_id);
    out.set_program(in.program);
    out.set_started_unix_ns(in.started_unix_ns);
    out.set_statistics_path(in.statistics_path);
    for (const WorkerStatus& worker : in.workers) {
        encode(worker, *out.add_workers());
    }
    for (const PortStatus& port : in.ports) {
        encode(port, *out.add_ports());
    }
    for (const BackendStatus& backend : in.backends) {
        encode(backend, *out.add_backends());
    }
}

void encode(const ExplainedPacket& in, wire::ExplainedPacket& out) {
    out.set_verdict(to_wire(in.verdict));
    out.set_reason(in.reason);
    out.set_reason_text(in.reason_text);
    out.set_service_name(in.service_name);
    if (in.service) {
        encode(*in.service, *out.mutable_service());
    }
    out.set_hash(in.hash);
    out.set_slot(in.slot);
    out.set_slot_count(in.slot_count);
    out.set_slot_backend(in.slot_backend);
    for (const ExplainedFlow& flow : in.flows) {
        wire::ExplainedFlow& to = *out.add_flows();
        to.set_worker(flow.worker);
        to.set_age_s(flow.age_s);
        to.set_state(to_wire(flow.state));
        to.set_backend_name(flow.backend_name);
    }
    if (in.backend) {
        wire::ExplainedBackend& to = *out.mutable_backend();
        encode(in.backend->spec, *to.mutable_backend());
        to.set_forwarding(to_wire(in.backend->forwarding));
        to.set_removed(in.backend->removed);
    }
    if (in.next_hop_mac) {
        out.set_next_hop_mac(to_bytes(*in.next_hop_mac));
    }
    out.set_tx_port(in.tx_port);
    out.set_sent(in.sent.data(), in.sent.size());
}

void encode(const Reply& in, wire::Reply& out) {
    out.set_id(in.id);
    if (const auto* applied = std::get_if<Applied>(&in.body)) {
        out.mutable_applied()->set_generation(applied->generation);
        out.mutable_applied()->set_unknown_backends(applied->unknown_backends);
    } else if (const auto* refused = std::get_if<Refused>(&in.body)) {
        wire::Refused& to = *out.mutable_refused();
        to.set_place(refused->refusal.place);
        to.set_cause(refused->refusal.cause);
        to.set_remedy(refused->refusal.remedy);
        to.set_current_generation(refused->current_generation);
    } else if (const auto* explained = std::get_if<Explained>(&in.body)) {
        out.mutable_explained()->set_generation(explained->generation);
        for (const ExplainedPacket& packet : explained->packets) {
            encode(packet, *out.mutable_explained()->add_packets());
        }
    } else {
        encode(std::get<Status>(in.body), *out.mutable_status());
    }
}

template <typename Message>
std::expected<std::vector<std::uint8_t>, Refusal> to_frame(const Message& message) {
    const std::size_t bytes = message.ByteSizeLong();
    if (bytes > max_message_bytes) {
        return std::unexpected(Refusal{
            "message",
            fmt::format("it has {} bytes, at most {} can be sent", bytes, max_message_bytes),
            "shorten the access lists, or split the configuration between dataplanes",
        });
    }
    std::vector<std::uint8_t> frame;
    frame.reserve(frame_header_bytes + bytes);
    append_frame_header(frame, bytes);
    frame.resize(frame_header_bytes + bytes);
    message.SerializeWithCachedSizesToArray(frame.data() + frame_header_bytes);
    return frame;
}

} // namespace

std::expected<std::vector<std::uint8_t>, Refusal> encode_frame(const ClientMessage& message) {
    wire::ClientMessage out;
    if (const auto* hello = std::get_if<Hello>(&message)) {
        encode(*hello, *out.mutable_hello());
    } else {
        encode(std::get<Request>(message), *out.mutable_request());
    }
    return to_frame(out);
}

std::expected<std::vector<std::uint8_t>, Refusal> encode_frame(const ServerMessage& message) {
    wire::ServerMessage out;
    if (const auto* hello = std::get_if<Hello>(&message)) {
        encode(*hello, *out.mutable_hello());
    } else {
        encode(std::get<Reply>(message), *out.mutable_reply());
    }
    return to_frame(out);
}

} // namespace penstock
