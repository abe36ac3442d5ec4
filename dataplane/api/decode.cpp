// SPDX-License-Identifier: Apache-2.0
#include "dataplane/api/codec.hpp"
#include "dataplane/api/decoder.hpp"
#include "dataplane/core/identity.hpp"

#include <fmt/format.h>

#include <limits>
#include <set>

namespace penstock {
namespace {

constexpr std::size_t max_program_bytes = 255;
constexpr std::size_t max_text_bytes = 4096; // of what a server says to people
constexpr std::size_t max_queues = 1024;     // of one worker
constexpr std::size_t max_sent_bytes =
    ExplainPackets::max_frame_bytes + 128; // with headers before it

} // namespace

bool Decoder::decode(const wire::Hello& in, Hello& out) {
    out.version = in.version();
    out.instance_id = in.instance_id();
    return decode_text("hello, program", in.program(), max_program_bytes, out.program);
}

bool Decoder::decode(const wire::UpdateHealth& in, UpdateHealth& out) {
    constexpr std::uint64_t no_limit = std::numeric_limits<std::uint64_t>::max();
    if (!decode_number("sequence", in.sequence(), 1, no_limit, out.sequence) ||
        !check_count("changes", static_cast<std::size_t>(in.changes_size()), max_backends)) {
        return false;
    }
    out.changes.reserve(static_cast<std::size_t>(in.changes_size()));
    std::set<std::pair<ServiceKey, BackendKey>> keys;
    for (const wire::HealthChange& change : in.changes()) {
        HealthChange& to = out.changes.emplace_back();
        const std::string place = fmt::format("health change {}", out.changes.size());
        if (!decode(place + ", service", change.service(), to.service) ||
            !decode(place + ", backend", change.backend(), to.backend) ||
            !decode_word(place + ", health", change.health(), to.health)) {
            return false;
        }
        if (!keys.insert({to.service, to.backend}).second) {
            return fail(
                place, "an earlier change names the same backend", "send its last one only"
            );
        }
    }
    return true;
}

bool Decoder::decode(const wire::ExplainPackets& in, ExplainPackets& out) {
    const auto count = static_cast<std::size_t>(in.frames_size());
    if (count == 0) {
        return fail("frames", "there are none", "send at least one");
    }
    if (!check_count("frames", count, ExplainPackets::max_frames)) {
        return false;
    }
    for (const std::string& frame : in.frames()) {
        if (frame.empty() || frame.size() > ExplainPackets::max_frame_bytes) {
            return fail(
                fmt::format("frame {}", out.frames.size() + 1),
                fmt::format("it has {} bytes", frame.size()),
                fmt::format("send 1 to {}", ExplainPackets::max_frame_bytes)
            );
        }
        out.frames.emplace_back(frame.begin(), frame.end());
    }
    return true;
}

bool Decoder::decode(const wire::Request& in, Request& out) {
    if (in.id() == 0) {
        return fail("request id", "0 is not an id", "number requests from 1 on");
    }
    out.id = in.id();
    switch (in.body_case()) {
    case wire::Request::kApplyDesiredState:
        return decode(in.apply_desired_state(), out.body.emplace<ApplyDesiredState>().state);
    case wire::Request::kUpdateHealth:
        return decode(in.update_health(), out.body.emplace<UpdateHealth>());
    case wire::Request::kGetStatus:
        out.body.emplace<GetStatus>();
        return true;
    case wire::Request::kExplainPackets:
        return decode(in.explain_packets(), out.body.emplace<ExplainPackets>());
    case wire::Request::BODY_NOT_SET:
        break;
    }
    return fail("request", "it asks for nothing that is known here", "send one of the requests");
}

bool Decoder::decode(const wire::ClientMessage& in, ClientMessage& out) {
    switch (in.body_case()) {
    case wire::ClientMessage::kHello:
        return decode(in.hello(), out.emplace<Hello>());
    case wire::ClientMessage::kRequest:
        return decode(in.request(), out.emplace<Request>());
    case wire::ClientMessage::BODY_NOT_SET:
        break;
    }
    return fail("message", "neither a hello nor a request", "send a ClientMessage");
}

bool Decoder::decode(const wire::Refused& in, Refused& out) {
    out.current_generation = in.current_generation();
    return decode_text("refused, place", in.place(), max_text_bytes, out.refusal.place) &&
           decode_text("refused, cause", in.cause(), max_text_bytes, out.refusal.cause) &&
           decode_text("refused, remedy", in.remedy(), max_text_bytes, out.refusal.remedy);
}

bool Decoder::decode(const std::string& place, const wire::WorkerStatus& in, WorkerStatus& out) {
    out.lcore = in.lcore();
    out.heartbeat_age_ns = in.heartbeat_age_ns();
    out.generation = in.generation();
    if (!check_count(place + ", queues", static_cast<std::size_t>(in.queues_size()), max_queues)) {
        return false;
    }
    for (const wire::WorkerQueue& queue : in.queues()) {
        WorkerQueue& to = out.queues.emplace_back();
        if (!decode_name(place + ", queue, port", queue.port(), to.port) ||
            !decode_number(place + ", queue", queue.queue(), 0, 65535, to.queue)) {
            return false;
        }
    }
    return true;
}

bool Decoder::decode(const std::string& place, const wire::PortStatus& in, PortStatus& out) {
    if (in.has_steering()) {
        out.steering = SteeringCounters{
            .to_workers = in.steering().to_workers(),
            .to_kernel = in.steering().to_kernel(),
            .without_socket = in.steering().without_socket(),
        };
    }
    return decode_name(place + ", name", in.name(), out.name) &&
           decode_text(place + ", device", in.device(), max_text_bytes, out.device) &&
           decode_text(place + ", driver", in.driver(), max_text_bytes, out.driver) &&
           decode_mac(place + ", mac", in.mac(), out.mac) &&
           decode_number(place + ", mtu", in.mtu(), 0, 65535, out.mtu) &&
           decode_word(place + ", link", in.link(), out.link);
}

bool Decoder::decode(const std::string& place, const wire::BackendStatus& in, BackendStatus& out) {
    BackendSpec backend;
    if (!decode_name(place + ", service", in.service_name(), out.service_name) ||
        !decode(place + ", service", in.service(), out.service) ||
        !decode(place, in.backend(), backend) ||
        !decode_word(place + ", next_hop", in.next_hop(), out.next_hop)) {
        return false;
    }
    out.name = backend.name;
    out.key = backend.key;
    out.weight = backend.weight;
    out.admin = backend.admin;
    out.health = backend.health;
    if (out.next_hop == NextHopState::unresolved) {
        return decode_text(
            place + ", next_hop_reason", in.next_hop_reason(), max_text_bytes, out.next_hop_reason
        );
    }
    return decode_mac(place + ", next_hop_mac", in.next_hop_mac(), out.next_hop_mac.emplace()) &&
           decode_name(place + ", next_hop_port", in.next_hop_port(), out.next_hop_port);
}

bool Decoder::decode(const wire::Status& in, Status& out) {
    out.generation = in.generation();
    out.instance_id = in.instance_id();
    out.started_unix_ns = in.started_unix_ns();
    if (!decode_text("status, program", in.program(), max_program_bytes, out.program) ||
        !decode_text("status, path", in.statistics_path(), max_text_bytes, out.statistics_path) ||
        !check_count("workers", static_cast<std::size_t>(in.workers_size()), max_workers) ||
        !check_count("ports", static_cast<std::size_t>(in.ports_size()), max_ports) ||
        !check_count("backends", static_cast<std::size_t>(in.backends_size()), max_backends)) {
        return false;
    }
    for (const wire::WorkerStatus& worker : in.workers()) {
        WorkerStatus& to = out.workers.emplace_back();
        if (!decode(fmt::format("worker {}", out.workers.size() - 1), worker, to)) {
            return false;
        }
    }
    for (const wire::PortStatus& port : in.ports()) {
        PortStatus& to = out.ports.emplace_back();
        if (!decode(fmt::format("port {}", out.ports.size()), port, to)) {
            return false;
        }
    }
    for (const wire::BackendStatus& backend : in.backends()) {
        BackendStatus& to = out.backends.emplace_back();
        if (!decode(fmt::format("backend {}", out.backends.size()), backend, to)) {
            return false;
        }
    }
    return true;
}

// Which backend, and why that one.
bool Decoder::decode_choice(
    const std::string& place, const wire::ExplainedPacket& in, ExplainedPacket& out
) {
    out.hash = in.hash();
    out.slot = in.slot();
    out.slot_count = in.slot_count();
    if (!decode_text(
            place + ", slot_backend", in.slot_backend(), max_name_bytes, out.slot_backend
        ) ||
        !check_count(place + ", flows", static_cast<std::size_t>(in.flows_size()), max_workers)) {
        return false;
    }
    for (const wire::ExplainedFlow& flow : in.flows()) {
        ExplainedFlow& to = out.flows.emplace_back();
        to.worker = flow.worker();
        to.age_s = flow.age_s();
        if (!decode_word(place + ", flow, state", flow.state(), to.state) ||
            !decode_text(
                place + ", flow, backend", flow.backend_name(), max_name_bytes, to.backend_name
            )) {
            return false;
        }
    }
    if (!in.has_backend()) {
        return true;
    }
    ExplainedBackend& backend = out.backend.emplace();
    backend.removed = in.backend().removed();
    return decode(place, in.backend().backend(), backend.spec) &&
           decode_word(place + ", forwarding", in.backend().forwarding(), backend.forwarding);
}

bool Decoder::decode(
    const std::string& place, const wire::ExplainedPacket& in, ExplainedPacket& out
) {
    if (in.sent().size() > max_sent_bytes) {
        return fail(place + ", sent", "it is longer than a frame", "send what would leave");
    }
    out.sent.assign(in.sent().begin(), in.sent().end());
    if (!in.next_hop_mac().empty() &&
        !decode_mac(place + ", next_hop_mac", in.next_hop_mac(), out.next_hop_mac.emplace())) {
        return false;
    }
    if (in.has_service() && !decode(place + ", service", in.service(), out.service.emplace())) {
        return false;
    }
    return decode_word(place + ", verdict", in.verdict(), out.verdict) &&
           decode_text(place + ", reason", in.reason(), max_text_bytes, out.reason) &&
           decode_text(place + ", reason", in.reason_text(), max_text_bytes, out.reason_text) &&
           decode_text(place + ", service", in.service_name(), max_name_bytes, out.service_name) &&
           decode_text(place + ", tx_port", in.tx_port(), max_name_bytes, out.tx_port) &&
           decode_choice(place, in, out);
}

bool Decoder::decode(const wire::Explained& in, Explained& out) {
    out.generation = in.generation();
    const auto count = static_cast<std::size_t>(in.packets_size());
    if (!check_count("packets", count, ExplainPackets::max_frames)) {
        return false;
    }
    for (const wire::ExplainedPacket& packet : in.packets()) {
        ExplainedPacket& to = out.packets.emplace_back();
        if (!decode(fmt::format("packet {}", out.packets.size()), packet, to)) {
            return false;
        }
    }
    return true;
}

bool Decoder::decode(const wire::Reply& in, Reply& out) {
    out.id = in.id();
    switch (in.body_case()) {
    case wire::Reply::kApplied:
        out.body = Applied{in.applied().generation(), in.applied().unknown_backends()};
        return true;
    case wire::Reply::kRefused:
        return decode(in.refused(), out.body.emplace<Refused>());
    case wire::Reply::kStatus:
        return decode(in.status(), out.body.emplace<Status>());
    case wire::Reply::kExplained:
        return decode(in.explained(), out.body.emplace<Explained>());
    case wire::Reply::BODY_NOT_SET:
        break;
    }
    return fail("reply", "it says nothing that is known here", "send one of the replies");
}

bool Decoder::decode(const wire::ServerMessage& in, ServerMessage& out) {
    switch (in.body_case()) {
    case wire::ServerMessage::kHello:
        return decode(in.hello(), out.emplace<Hello>());
    case wire::ServerMessage::kReply:
        return decode(in.reply(), out.emplace<Reply>());
    case wire::ServerMessage::BODY_NOT_SET:
        break;
    }
    return fail("message", "neither a hello nor a reply", "send a ServerMessage");
}

namespace {

template <typename WireMessage, typename Message>
std::expected<Message, Refusal> decode_message(std::span<const std::uint8_t> message) {
    WireMessage in;
    if (message.size() > max_message_bytes ||
        !in.ParseFromArray(message.data(), static_cast<int>(message.size()))) {
        return std::unexpected(Refusal{
            "message",
            fmt::format("its {} bytes are not a message of this protocol", message.size()),
            "speak dataplane.proto of this version",
        });
    }
    Decoder decoder;
    Message out;
    if (!decoder.decode(in, out)) {
        return std::unexpected(decoder.error());
    }
    return out;
}

} // namespace

std::expected<ClientMessage, Refusal> decode_client_message(std::span<const std::uint8_t> message) {
    return decode_message<wire::ClientMessage, ClientMessage>(message);
}

std::expected<ServerMessage, Refusal> decode_server_message(std::span<const std::uint8_t> message) {
    return decode_message<wire::ServerMessage, ServerMessage>(message);
}

std::expected<void, Refusal> check_hello(const Hello& hello) {
    if (hello.version != protocol_version) {
        return std::unexpected(Refusal{
            "hello, version",
            fmt::format("protocol version {}, this end speaks {}", hello.version, protocol_version),
            "run both programs from the same release",
        });
    }
    if (hello.instance_id == 0) {
        return std::unexpected(
            Refusal{"hello, instance_id", "0 names nobody", "send a random number"}
        );
    }
    return {};
}

} // namespace penstock
