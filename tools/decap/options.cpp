// SPDX-License-Identifier: Apache-2.0
#include "tools/decap/options.hpp"

#include <boost/program_options.hpp>
#include <charconv>
#include <cmath>
#include <fmt/format.h>
#include <sstream>

namespace penstock::decap {

namespace po = boost::program_options;

namespace {

// As Linux and IANA have it (draft-ietf-intarea-gue 8.3).
constexpr std::uint16_t default_gue_port = 6080;
constexpr double interval_min_seconds = 0.1;
constexpr double interval_max_seconds = 3600;

po::options_description described_options() {
    po::options_description options("Options");
    // clang-format off
    options.add_options()
        ("interface,i", po::value<std::string>()->value_name("NAME"), "interface that the tunnelled packets come in on")
        ("vip,v", po::value<std::vector<std::string>>()->value_name("PREFIX"), "inner destination to decapsulate for, an address or a prefix; once for each")
        ("gue-port", po::value<std::vector<std::string>>()->value_name("PORT"), "UDP destination port of GUE (6080 if not given); once for each")
        ("mode", po::value<std::string>()->value_name("MODE")->default_value("auto"), "auto (native, else generic), native or generic XDP")
        ("interval", po::value<double>()->value_name("SECONDS"), "time between two lines of counters (5 on a terminal and with --json, else no lines)")
        ("status", "print what the decapsulator on the interface has counted, and exit")
        ("once", "the same as --status")
        ("detach", "take a decapsulator that a killed process left behind off the interface, and exit")
        ("json", "one JSON object a line instead of text")
        ("help,h", "this text")
        ("version", "the version");
    // clang-format on
    return options;
}

std::expected<bpf::AttachPolicy, UsageError> parse_mode(const std::string& text) {
    if (text == "auto")
        return bpf::AttachPolicy::native_or_generic;
    if (text == "native")
        return bpf::AttachPolicy::native;
    if (text == "generic")
        return bpf::AttachPolicy::generic;
    return std::unexpected(fmt::format("--mode '{}' is none of auto, native, generic", text));
}

std::expected<IpPrefix, UsageError> parse_vip(const std::string& text) {
    const auto vip = IpPrefix::parse(text);
    if (!vip)
        return std::unexpected(fmt::format(
            "--vip '{}' is neither an IP address nor a prefix whose bits behind the length are 0",
            text
        ));
    const IpAddress& first = vip->address;
    if (vip->length() == 0 || first.is_unspecified() || first.is_multicast() || first.is_loopback())
        return std::unexpected(
            fmt::format("--vip {} is not a unicast address of a service", vip->to_string())
        );
    return *vip;
}

std::expected<std::vector<IpPrefix>, UsageError> parse_vips(const po::variables_map& values) {
    std::vector<IpPrefix> vips;
    if (values.count("vip") == 0)
        return vips;
    for (const std::string& text : values["vip"].as<std::vector<std::string>>()) {
        const auto vip = parse_vip(text);
        if (!vip)
            return std::unexpected(vip.error());
        vips.push_back(*vip);
    }
    return vips;
}

std::expected<std::vector<std::uint16_t>, UsageError>
parse_gue_ports(const po::variables_map& values) {
    if (values.count("gue-port") == 0)
        return std::vector<std::uint16_t>{default_gue_port};
    std::vector<std::uint16_t> ports;
    for (const std::string& text : values["gue-port"].as<std::vector<std::string>>()) {
        std::uint16_t port = 0;
        const char* const end = text.data() + text.size();
        const auto [stop, error] = std::from_chars(text.data(), end, port);
        if (error != std::errc() || stop != end || port == 0)
            return std::unexpected(fmt::format("--gue-port '{}' is outside 1 … 65535", text));
        ports.push_back(port);
    }
    return ports;
}

std::expected<Action, UsageError> parse_action(const po::variables_map& values) {
    if (values.count("help") != 0)
        return Action::help;
    if (values.count("version") != 0)
        return Action::version;
    const bool status = values.count("status") != 0 || values.count("once") != 0;
    const bool detach = values.count("detach") != 0;
    if (status && detach)
        return std::unexpected("--status and --detach exclude each other");
    if (values.count("interface") == 0)
        return std::unexpected("--interface is missing");
    if (status || detach) {
        if (values.count("vip") != 0 || values.count("gue-port") != 0)
            return std::unexpected("--vip and --gue-port go with neither --status nor --detach");
        return status ? Action::status : Action::detach;
    }
    if (values.count("vip") == 0)
        return std::unexpected("--vip is missing: name at least one");
    return Action::run;
}

std::expected<Options, UsageError> to_options(const po::variables_map& values) {
    Options options;
    const auto action = parse_action(values);
    if (!action)
        return std::unexpected(action.error());
    options.action = *action;
    if (values.count("interface") != 0)
        options.interface = values["interface"].as<std::string>();
    auto vips = parse_vips(values);
    if (!vips)
        return std::unexpected(vips.error());
    options.vips = std::move(*vips);
    auto ports = parse_gue_ports(values);
    if (!ports)
        return std::unexpected(ports.error());
    options.gue_ports = std::move(*ports);
    const auto policy = parse_mode(values["mode"].as<std::string>());
    if (!policy)
        return std::unexpected(policy.error());
    options.policy = *policy;
    options.json = values.count("json") != 0;
    if (values.count("interval") != 0) {
        const double seconds = values["interval"].as<double>();
        if (!(seconds >= interval_min_seconds && seconds <= interval_max_seconds))
            return std::unexpected(fmt::format(
                "--interval {} is outside {} … {} seconds",
                seconds,
                interval_min_seconds,
                interval_max_seconds
            ));
        options.interval = std::chrono::milliseconds(std::llround(seconds * 1000));
    }
    return options;
}

} // namespace

std::expected<Options, UsageError> parse_options(int count, const char* const* words) {
    try {
        po::variables_map values;
        const po::positional_options_description no_positionals;
        po::store(
            po::command_line_parser(count, words)
                .options(described_options())
                .positional(no_positionals)
                .run(),
            values
        );
        po::notify(values);
        return to_options(values);
    } catch (const po::error& error) {
        return std::unexpected(error.what());
    }
}

std::string help_text() {
    std::ostringstream options;
    options << described_options();
    return fmt::format(
        R"(penstock-decap: let this server take the tunnel packets that Penstock sends it.

Attaches an XDP program to an interface. IPIP, GRE and GUE packets, over IPv4 or IPv6, whose inner destination
is one of the VIPs lose their outer headers and go on to the kernel; everything else goes on as it came. It runs
in the foreground until SIGINT or SIGTERM, then detaches the program. If it is killed otherwise the program stays,
so that traffic flows on; the next start takes its place without a gap. Needs root, and each VIP on lo.

Usage:
  penstock-decap --interface NAME --vip PREFIX [--vip PREFIX …] [--gue-port PORT …] [--mode MODE]
                 [--interval SECONDS] [--json]
  penstock-decap --interface NAME --status [--json]
  penstock-decap --interface NAME --detach

{}
Examples:
  ip address add 198.51.100.10/32 dev lo
  penstock-decap --interface eth0 --vip 198.51.100.10
  penstock-decap --interface eth0 --vip 198.51.100.10 --vip 2001:db8::10 --json >> /var/log/decap.json
  ip route add local 203.0.113.0/28 dev lo
  penstock-decap --interface eth0 --vip 203.0.113.0/28 --gue-port 6080
  penstock-decap --interface eth0 --status

Exit codes: 0 done, 1 refused or failed (one line on stderr says why and how to mend it), 2 usage.
)",
        options.str()
    );
}

} // namespace penstock::decap
