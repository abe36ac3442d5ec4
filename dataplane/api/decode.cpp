// SPDX-License-Identifier: Apache-2.0
// Every value is checked where it is read. A function returns false after it has said why in
// `error_`, and its callers return at once; `place` grows as they go down, so that the reason names
// the spot. The file is long because each message of the protocol has its checks here, side by
// side.
#include "dataplane/api/codec.hpp"
#include "dataplane/api/wire_words.hpp"
#include "dataplane/core/flow_table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <set>

namespace penstock {
namespace {

constexpr std::size_t max_program_bytes = 255;
constexpr std::size_t max_text_bytes = 4096; // of what a server says to people
constexpr std::size_t max_queues = 1024;     // of one worker

class Decoder {
public:
    bool decode(const wire::ClientMessage& in, ClientMessage& out);
    bool decode(const wire::ServerMessage& in, ServerMessage& out);

    [[nodiscard]] const Refusal& error() const { return error_; }

private:
    bool fail(const std::string& place, std::string cause, std::string remedy) {
        error_ = {place, std::move(cause), std::move(remedy)};
        return false;
    }

    bool decode(const wire::Hello& in, Hello& out);
    bool decode(const wire::Request& in, Request& out);
    bool decode(const wire::ApplyDesiredState& in, DesiredState& out);
    bool decode(const wire::FlowTimeouts& in, FlowTimeouts& out);
    bool decode(const std::string& place, const wire::Service& in, ServiceSpec& out);
    bool decode(const std::string& place, const wire::Backend& in, BackendSpec& out);
    bool decode(const std::string& place, const wire::ServiceKey& in, ServiceKey& out);
    bool decode(const std::string& place, const wire::BackendKey& in, BackendKey& out);
    bool decode(const wire::UpdateHealth& in, UpdateHealth& out);
    bool decode(const wire::Reply& in, Reply& out);
    bool decode(const wire::Refused& in, Refused& out);
    bool decode(const wire::Status& in, Status& out);
    bool decode(const std::string& place, const wire::WorkerStatus& in, WorkerStatus& out);
    bool decode(const std::string& place, const wire::PortStatus& in, PortStatus& out);
    bool decode(const std::string& place, const wire::BackendStatus& in, BackendStatus& out);

    bool decode_address(const std::string& place, const std::string& bytes, IpAddress& out);
    bool decode_mac(const std::string& place, const std::string& bytes, MacAddress& out);
    bool decode_name(const std::string& place, const std::string& text, std::string& out);
    bool decode_text(
        const std::string& place, const std::string& text, std::size_t max_bytes, std::string& out
    );
    template <typename Number>
    bool decode_number(
        const std::string& place,
        std::uint64_t value,
        std::uint64_t min,
        std::uint64_t max,
        Number& out
    );
    template <typename Value>
    bool decode_word(const std::string& place, int word, Value& out);
    bool check_count(const std::string& place, std::size_t count, std::size_t max);

    Refusal error_;
};

bool is_control(char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte < 0x20 || byte == 0x7f;
}

bool Decoder::decode_address(const std::string& place, const std::string& bytes, IpAddress& out) {
    if (bytes.size() == 4) {
        Be32 address{};
        std::memcpy(&address.raw, bytes.data(), bytes.size());
        out = IpAddress::from_ipv4(address);
    } else if (bytes.size() == 16) {
        std::array<std::uint8_t, 16> address{};
        std::memcpy(address.data(), bytes.data(), bytes.size());
        out = IpAddress::from_ipv6(address);
    } else {
        return fail(
            place,
            fmt::format("an address of {} bytes", bytes.size()),
            "send 4 bytes for IPv4 or 16 for IPv6"
        );
    }
    if (out.is_unspecified()) {
        return fail(place, "the unspecified address", "name a host");
    }
    return true;
}

bool Decoder::decode_mac(const std::string& place, const std::string& bytes, MacAddress& out) {
    if (bytes.size() != out.bytes.size()) {
        return fail(place, fmt::format("a MAC address of {} bytes", bytes.size()), "send 6 bytes");
    }
    std::memcpy(out.bytes.data(), bytes.data(), bytes.size());
    return true;
}

bool Decoder::decode_text(
    const std::string& place, const std::string& text, std::size_t max_bytes, std::string& out
) {
    if (text.size() > max_bytes || std::ranges::any_of(text, is_control)) {
        return fail(
            place,
            fmt::format("a text of {} bytes, or one with control characters", text.size()),
            fmt::format("send at most {} bytes without control characters", max_bytes)
        );
    }
    out = text;
    return true;
}

bool Decoder::decode_name(const std::string& place, const std::string& text, std::string& out) {
    if (text.empty()) {
        return fail(place, "an empty name", "name it");
    }
    return decode_text(place, text, max_name_bytes, out);
}

template <typename Number>
bool Decoder::decode_number(
    const std::string& place, std::uint64_t value, std::uint64_t min, std::uint64_t max, Number& out
) {
    if (value < min || value > max) {
        return fail(
            place, fmt::format("{} is out of range", value), fmt::format("send {} to {}", min, max)
        );
    }
    out = static_cast<Number>(value);
    return true;
}

template <typename Value>
bool Decoder::decode_word(const std::string& place, int word, Value& out) {
    const std::optional<Value> value = from_wire<Value>(word);
    if (!value) {
        return fail(
            place,
            fmt::format("{} is no value of this enumeration", word),
            "send one of dataplane.proto's; 0 (unspecified) is none"
        );
    }
    out = *value;
    return true;
}

bool Decoder::check_count(const std::string& place, std::size_t count, std::size_t max) {
    return count <= max ||
           fail(place, fmt::format("{} of them", count), fmt::format("send at most {}", max));
}

bool Decoder::decode(const wire::Hello& in, Hello& out) {
    out.version = in.version();
    out.instance_id = in.instance_id();
    return decode_text("hello, program", in.program(), max_program_bytes, out.program);
}

bool Decoder::decode(const std::string& place, const wire::ServiceKey& in, ServiceKey& out) {
    return decode_address(place + ", vip", in.vip(), out.vip) &&
           decode_word(place + ", protocol", in.protocol(), out.protocol) &&
           decode_number(place + ", port", in.port(), 1, 65535, out.port);
}

bool Decoder::decode(const std::string& place, const wire::BackendKey& in, BackendKey& out) {
    return decode_address(place + ", address", in.address(), out.address) &&
           decode_number(place + ", port", in.port(), 1, 65535, out.port);
}

bool Decoder::decode(const std::string& place, const wire::Backend& in, BackendSpec& out) {
    if (!decode_name(place + ", name", in.name(), out.name)) {
        return false;
    }
    return decode(place, in.key(), out.key) &&
           decode_number(place + ", weight", in.weight(), 0, 65535, out.weight) &&
           decode_word(place + ", admin", in.admin(), out.admin) &&
           decode_word(place + ", health", in.health(), out.health);
}

bool Decoder::decode(const std::string& place, const wire::Service& in, ServiceSpec& out) {
    if (!decode_name(place + ", name", in.name(), out.name) || !decode(place, in.key(), out.key) ||
        !decode_word(place + ", forwarding", in.forwarding(), out.forwarding)) {
        return false;
    }
    if (std::ranges::find(maglev_sizes, in.maglev_size()) == maglev_sizes.end()) {
        return fail(
            place + ", maglev_size",
            fmt::format("{} slots", in.maglev_size()),
            "send 16381, 65537 or 655373"
        );
    }
    out.maglev_size = in.maglev_size();
    out.backends.reserve(static_cast<std::size_t>(in.backends_size()));
    std::set<BackendKey> keys;
    for (const wire::Backend& backend : in.backends()) {
        BackendSpec& to = out.backends.emplace_back();
        const std::string inside = fmt::format("{}, backend {}", place, out.backends.size());
        if (!decode(inside, backend, to)) {
            return false;
        }
        if (!keys.insert(to.key).second) {
            return fail(
                fmt::format("service {}, backend {}", out.name, to.name),
                "another backend has this address and port",
                "name each server once"
            );
        }
    }
    return true;
}

bool Decoder::decode(const wire::FlowTimeouts& in, FlowTimeouts& out) {
    const auto seconds = [this](const char* place, std::uint32_t value, std::uint16_t& to) {
        return decode_number(place, value, 1, max_flow_timeout_s, to);
    };
    return seconds("timeouts, tcp_syn_s", in.tcp_syn_s(), out.tcp_syn_s) &&
           seconds("timeouts, tcp_established_s", in.tcp_established_s(), out.tcp_established_s) &&
           seconds("timeouts, tcp_closing_s", in.tcp_closing_s(), out.tcp_closing_s) &&
           seconds("timeouts, udp_s", in.udp_s(), out.udp_s);
}

bool Decoder::decode(const wire::ApplyDesiredState& in, DesiredState& out) {
    constexpr std::uint64_t no_limit = std::numeric_limits<std::uint64_t>::max();
    if (!decode_number("generation", in.generation(), 1, no_limit, out.generation) ||
        !decode(in.timeouts(), out.timeouts)) {
        return false;
    }
    if (in.flow_hash_key().size() != out.flow_hash_key.size()) {
        return fail(
            "flow_hash_key",
            fmt::format("a key of {} bytes", in.flow_hash_key().size()),
            fmt::format("send {} bytes", out.flow_hash_key.size())
        );
    }
    std::memcpy(out.flow_hash_key.data(), in.flow_hash_key().data(), out.flow_hash_key.size());
    if (!in.tunnel_source().empty()) {
        IpAddress source;
        if (!decode_address("tunnel_source", in.tunnel_source(), source)) {
            return false;
        }
        out.tunnel_sources.ipv4 = IpPrefix{.address = source};
        if (!source.is_ipv4()) {
            return fail("tunnel_source", "not an IPv4 address", "send 4 bytes");
        }
    }

    std::size_t backends = 0;
    for (const wire::Service& service : in.services()) {
        backends += static_cast<std::size_t>(service.backends_size());
    }
    if (!check_count("services", static_cast<std::size_t>(in.services_size()), max_services) ||
        !check_count("backends of all services", backends, max_backends - 1)) {
        return false;
    }
    out.services.reserve(static_cast<std::size_t>(in.services_size()));
    std::set<ServiceKey> keys;
    for (const wire::Service& service : in.services()) {
        ServiceSpec& to = out.services.emplace_back();
        if (!decode(fmt::format("service {}", out.services.size()), service, to)) {
            return false;
        }
        if (!keys.insert(to.key).second) {
            return fail(
                "service " + to.name,
                fmt::format("another service takes {}", to_string(to.key)),
                "name each VIP, protocol and port once"
            );
        }
    }
    return true;
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
