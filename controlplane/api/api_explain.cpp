// SPDX-License-Identifier: Apache-2.0
// Api, the explanations: what the dataplane would do with a packet, and why.
#include "controlplane/api/api.hpp"
#include "controlplane/api/example_frame.hpp"
#include "controlplane/api/problems.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <fmt/format.h>
#include <limits>
#include <utility>

namespace penstock {

namespace {

namespace json = boost::json;

constexpr std::string_view packet_remedy =
    "give each packet as {\"protocol\", \"source\", \"source_port\", \"destination\", "
    "\"destination_port\"} and perhaps \"syn\", or as {\"frame\": \"hexadecimal\"}";

template <typename Value>
using Read = std::expected<Value, std::string>;

Read<std::string> read_text(const json::object& packet, std::string_view name) {
    const json::value* const value = packet.if_contains(name);
    if (value == nullptr || !value->is_string()) {
        return std::unexpected(fmt::format("'{}' is no text, or is missing", name));
    }
    return std::string(value->get_string());
}

Read<IpAddress> read_address(const json::object& packet, std::string_view name) {
    const auto text = read_text(packet, name);
    if (!text) {
        return std::unexpected(text.error());
    }
    const auto address = IpAddress::parse(*text);
    if (!address) {
        return std::unexpected(fmt::format("'{}' is no IP address: {}", name, *text));
    }
    return *address;
}

Read<std::uint16_t> read_port(const json::object& packet, std::string_view name) {
    const json::value* const value = packet.if_contains(name);
    if (value == nullptr || !value->is_int64() || value->get_int64() < 0 ||
        value->get_int64() > std::numeric_limits<std::uint16_t>::max()) {
        return std::unexpected(fmt::format("'{}' is no port from 0 to 65535, or is missing", name));
    }
    return static_cast<std::uint16_t>(value->get_int64());
}

Read<ExampleFlow> read_flow(const json::object& packet) {
    const auto protocol = read_text(packet, "protocol");
    if (!protocol || (*protocol != "tcp" && *protocol != "udp")) {
        return std::unexpected("'protocol' is neither \"tcp\" nor \"udp\"");
    }
    const auto source = read_address(packet, "source");
    const auto destination = read_address(packet, "destination");
    if (!source || !destination) {
        return std::unexpected(source ? destination.error() : source.error());
    }
    if (source->is_ipv4() != destination->is_ipv4()) {
        return std::unexpected("source and destination are of two families");
    }
    const auto source_port = read_port(packet, "source_port");
    const auto destination_port = read_port(packet, "destination_port");
    if (!source_port || !destination_port) {
        return std::unexpected(source_port ? destination_port.error() : source_port.error());
    }
    const json::value* const syn = packet.if_contains("syn");
    if (syn != nullptr && !syn->is_bool()) {
        return std::unexpected("'syn' is neither true nor false");
    }
    return ExampleFlow{
        .protocol = *protocol == "tcp" ? Protocol::tcp : Protocol::udp,
        .source = *source,
        .destination = *destination,
        .source_port = *source_port,
        .destination_port = *destination_port,
        .opens = syn != nullptr && syn->get_bool(),
    };
}

Read<std::vector<std::uint8_t>> read_frame(const json::value& value) {
    if (!value.is_object()) {
        return std::unexpected("it is no object");
    }
    const json::object& packet = value.get_object();
    if (!packet.contains("frame")) {
        const auto flow = read_flow(packet);
        return flow ? Read<std::vector<std::uint8_t>>(make_example_frame(*flow))
                    : std::unexpected(flow.error());
    }
    const auto text = read_text(packet, "frame");
    auto frame = text ? decode_hex(*text) : std::unexpected(text.error());
    if (frame && (frame->empty() || frame->size() > ExplainPackets::max_frame_bytes)) {
        return std::unexpected(fmt::format(
            "'frame' has {} bytes; 1 to {} are taken",
            frame->size(),
            ExplainPackets::max_frame_bytes
        ));
    }
    return frame;
}

Read<ExplainPackets> read_packets(const std::string& body) {
    boost::system::error_code error;
    const json::value document = json::parse(body, error);
    if (error) {
        return std::unexpected(fmt::format("the body is no JSON: {}", error.message()));
    }
    const json::object* const object = document.if_object();
    const json::value* const list = object == nullptr ? nullptr : object->if_contains("packets");
    if (list == nullptr || !list->is_array()) {
        return std::unexpected("the body has no list 'packets'");
    }
    const json::array& packets = list->get_array();
    if (packets.empty() || packets.size() > ExplainPackets::max_frames) {
        return std::unexpected(fmt::format(
            "'packets' has {} of them; 1 to {} are taken",
            packets.size(),
            ExplainPackets::max_frames
        ));
    }
    ExplainPackets request;
    for (const json::value& packet : packets) {
        auto frame = read_frame(packet);
        if (!frame) {
            return std::unexpected(
                fmt::format("packet {}: {}", request.frames.size() + 1, frame.error())
            );
        }
        request.frames.push_back(std::move(*frame));
    }
    return request;
}

HttpResponse dataplane_unavailable(const Refusal& refusal) {
    return make_problem_response({
        .status = 503,
        .type = "dataplane-unavailable",
        .title = "The dataplane does not answer",
        .detail = fmt::format("{}: {}", refusal.place, refusal.cause),
        .remedy = refusal.remedy,
    });
}

} // namespace

void Api::post_explain(Call call, Respond respond) {
    auto packets = read_packets(call.request.body);
    if (!packets) {
        respond(bad_request(packets.error(), std::string(packet_remedy)));
        return;
    }
    reconciler_.explain(
        std::move(*packets),
        [respond = std::move(respond)](const std::expected<Explained, Refusal>& explained) mutable {
            respond(
                explained ? make_json_response(make_explain_view(*explained))
                          : dataplane_unavailable(explained.error())
            );
        }
    );
}

} // namespace penstock
