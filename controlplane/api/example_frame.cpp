// SPDX-License-Identifier: Apache-2.0
#include "controlplane/api/example_frame.hpp"

#include "dataplane/core/headers.hpp"

#include <boost/algorithm/hex.hpp>
#include <iterator>

namespace penstock {

namespace {

constexpr std::uint8_t ttl = 64;

template <typename Header>
void append(std::vector<std::uint8_t>& bytes, const Header& header) {
    const std::size_t end = bytes.size();
    bytes.resize(end + sizeof header);
    write_header(bytes.data() + end, header);
}

std::vector<std::uint8_t> make_layer4(const ExampleFlow& flow) {
    std::vector<std::uint8_t> bytes;
    const Be16 source = Be16::from_host(flow.source_port);
    const Be16 destination = Be16::from_host(flow.destination_port);
    if (flow.protocol == Protocol::udp) {
        append(bytes, UdpHeader{source, destination, Be16::from_host(sizeof(UdpHeader)), {0}});
        return bytes;
    }
    append(
        bytes,
        TcpHeader{
            .source_port = source,
            .destination_port = destination,
            .sequence = {0},
            .acknowledgement = {0},
            .data_offset = 0x50,
            .flags = flow.opens ? TcpHeader::syn : TcpHeader::ack,
            .window = {0},
            .checksum = {0}, // payloads and their checksums are the endpoints' business
            .urgent = {0},
        }
    );
    return bytes;
}

void append_ipv4(std::vector<std::uint8_t>& frame, const ExampleFlow& flow, std::size_t payload) {
    Ipv4Header ip{
        .version_ihl = 0x45,
        .tos = 0,
        .total_length = Be16::from_host(static_cast<std::uint16_t>(sizeof(Ipv4Header) + payload)),
        .id = {0},
        .fragment = Be16::from_host(Ipv4Header::dont_fragment),
        .ttl = ttl,
        .protocol = static_cast<std::uint8_t>(flow.protocol),
        .checksum = {0},
        .source = flow.source.ipv4(),
        .destination = flow.destination.ipv4(),
    };
    std::vector<std::uint8_t> bytes;
    append(bytes, ip);
    ip.checksum = finish_checksum(add_to_checksum(0, bytes));
    append(frame, ip);
}

void append_ipv6(std::vector<std::uint8_t>& frame, const ExampleFlow& flow, std::size_t payload) {
    append(
        frame,
        Ipv6Header{
            .version_class_flow = Be32::from_host(0x60000000U),
            .payload_length = Be16::from_host(static_cast<std::uint16_t>(payload)),
            .next_header = static_cast<std::uint8_t>(flow.protocol),
            .hop_limit = ttl,
            .source = flow.source.bytes(),
            .destination = flow.destination.bytes(),
        }
    );
}

} // namespace

std::vector<std::uint8_t> make_example_frame(const ExampleFlow& flow) {
    const std::vector<std::uint8_t> layer4 = make_layer4(flow);
    const bool ipv4 = flow.destination.is_ipv4();
    std::vector<std::uint8_t> frame;
    append(frame, EthernetHeader{{}, {}, ipv4 ? ethertype_ipv4 : ethertype_ipv6});
    if (ipv4) {
        append_ipv4(frame, flow, layer4.size());
    } else {
        append_ipv6(frame, flow, layer4.size());
    }
    frame.insert(frame.end(), layer4.begin(), layer4.end());
    return frame;
}

std::expected<std::vector<std::uint8_t>, std::string> decode_hex(const std::string& text) {
    std::vector<std::uint8_t> bytes;
    try {
        boost::algorithm::unhex(text, std::back_inserter(bytes));
    } catch (const boost::algorithm::not_enough_input&) {
        return std::unexpected("an odd number of hexadecimal digits");
    } catch (const boost::algorithm::hex_decode_error&) {
        return std::unexpected("not only hexadecimal digits");
    }
    return bytes;
}

std::string encode_hex(const std::vector<std::uint8_t>& bytes) {
    std::string text;
    boost::algorithm::hex_lower(bytes, std::back_inserter(text));
    return text;
}

} // namespace penstock
