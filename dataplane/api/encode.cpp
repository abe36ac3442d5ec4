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

void encode(const ServiceKey& in, wire::ServiceKey& out) {
    out.set_vip(to_bytes(in.vip));
    out.set_protocol(to_wire(in.protocol));
    out.set_port(in.port);
}

void encode(const BackendKey& in, wire::BackendKey& out) {
    out.set_address(to_bytes(in.address));
    out.set_port(in.port);
}

void encode(const BackendSpec& in, wire::Backend& out) {
    out.set_name(in.name);
    encode(in.key, *out.mutable_key());
    out.set_weight(in.weight);
    out.set_admin(to_wire(in.admin));
    out.set_health(to_wire(in.health));
}

void encode(const ServiceSpec& in, wire::Service& out) {
    out.set_name(in.name);
    encode(in.key, *out.mutable_key());
    out.set_forwarding(to_wire(in.forwarding));
    out.set_maglev_size(in.maglev_size);
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
        out.set_tunnel_source(to_bytes(state.tunnel_sources.ipv4->address));
    }
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
            "split the configuration between dataplanes",
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
