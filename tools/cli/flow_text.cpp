// SPDX-License-Identifier: Apache-2.0
#include "tools/cli/flow_text.hpp"

#include "dataplane/core/addresses.hpp"
#include "tools/cli/configuration_text.hpp"
#include "tools/cli/units.hpp"

#include <charconv>
#include <fmt/format.h>
#include <sstream>
#include <utility>

namespace penstock::cli {
namespace {

constexpr std::string_view flow_form = "write tcp 203.0.113.7:40000 198.51.100.10:443, or "
                                       "udp [2001:db8::7]:40000 [2001:db8::10]:53";

struct FlowEnd {
    std::string address;
    std::uint16_t port = 0;
    bool is_ipv4 = true;
};

std::expected<FlowEnd, std::string> parse_endpoint(const std::string& text) {
    const std::size_t colon = text.rfind(':');
    if (colon == std::string::npos)
        return std::unexpected(fmt::format("'{}' has no port", text));
    std::string host = text.substr(0, colon);
    const bool bracketed = host.size() > 2 && host.starts_with('[') && host.ends_with(']');
    if (bracketed)
        host = host.substr(1, host.size() - 2);
    const auto address = IpAddress::parse(host);
    if (!address || address->is_ipv4() == bracketed)
        return std::unexpected(fmt::format("'{}' is no address and port", text));
    FlowEnd endpoint{.address = host, .is_ipv4 = address->is_ipv4()};
    const char* const end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data() + colon + 1, end, endpoint.port);
    if (error != std::errc{} || stop != end)
        return std::unexpected(fmt::format("'{}' ends in no port from 0 to 65535", text));
    return endpoint;
}

} // namespace

std::string FlowText::text() const {
    return fmt::format(
        "{} {} > {}{}",
        protocol,
        format_endpoint(source, source_port),
        format_endpoint(destination, destination_port),
        syn ? " (SYN)" : ""
    );
}

std::expected<FlowText, std::string> parse_flow(std::span<const std::string> words) {
    if (words.size() < 3 || words.size() > 4 || (words.size() == 4 && words[3] != "syn"))
        return std::unexpected("it is not protocol, source and destination");
    if (words[0] != "tcp" && words[0] != "udp")
        return std::unexpected(fmt::format("'{}' is neither tcp nor udp", words[0]));
    const auto source = parse_endpoint(words[1]);
    const auto destination = parse_endpoint(words[2]);
    if (!source || !destination)
        return std::unexpected(source ? destination.error() : source.error());
    if (source->is_ipv4 != destination->is_ipv4)
        return std::unexpected("source and destination are of two families");
    return FlowText{
        .protocol = words[0],
        .source = source->address,
        .destination = destination->address,
        .source_port = source->port,
        .destination_port = destination->port,
        .syn = words.size() == 4,
    };
}

std::expected<std::vector<FlowText>, Failure> read_flow_list(const std::string& file) {
    const auto source = read_text(file);
    if (!source)
        return std::unexpected(Failure{
            .cause = fmt::format("{}: {}", source.error().place.file, source.error().cause),
            .remedy = source.error().remedy
        });
    std::vector<FlowText> flows;
    std::istringstream lines(source->text);
    std::size_t number = 0;
    for (std::string line; std::getline(lines, line);) {
        ++number;
        std::istringstream stream(line);
        std::vector<std::string> words;
        for (std::string word; stream >> word;)
            words.push_back(std::move(word));
        if (words.empty() || words[0].starts_with('#'))
            continue;
        auto flow = parse_flow(words);
        if (!flow)
            return std::unexpected(Failure{
                .cause = fmt::format("{}:{}: {}", source->name, number, flow.error()),
                .remedy = std::string(flow_form) + ", one a line"
            });
        flows.push_back(std::move(*flow));
    }
    return flows;
}

} // namespace penstock::cli
