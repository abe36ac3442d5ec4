// SPDX-License-Identifier: Apache-2.0
#include "tools/decap/options.hpp"

#include <boost/program_options.hpp>
#include <cmath>
#include <fmt/format.h>
#include <sstream>

namespace penstock::decap {

namespace po = boost::program_options;

namespace {

constexpr double interval_min_seconds = 0.1;
constexpr double interval_max_seconds = 3600;

po::options_description described_options() {
    po::options_description options("Options");
    // clang-format off
    options.add_options()
        ("interface,i", po::value<std::string>()->value_name("NAME"), "interface that the tunnelled packets come in on")
        ("vip,v", po::value<std::vector<std::string>>()->value_name("ADDRESS"), "inner destination to decapsulate for; once for each VIP")
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

std::expected<std::vector<IpAddress>, UsageError> parse_vips(const po::variables_map& values) {
    std::vector<IpAddress> vips;
    if (values.count("vip") == 0)
        return vips;
    for (const std::string& text : values["vip"].as<std::vector<std::string>>()) {
        const auto vip = IpAddress::parse(text);
        if (!vip)
            return std::unexpected(fmt::format("--vip '{}' is not an IP address", text));
        if (!vip->is_ipv4())
            return std::unexpected(
                fmt::format("--vip {}: only IPv4 is decapsulated so far", vip->to_string())
            );
        if (vip->is_unspecified() || vip->is_multicast() || vip->is_loopback())
            return std::unexpected(
                fmt::format("--vip {} is not a unicast address of a service", vip->to_string())
            );
        vips.push_back(*vip);
    }
    return vips;
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
        if (values.count("vip") != 0)
            return std::unexpected("--vip goes with neither --status nor --detach");
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
        R"(penstock-decap: let this server take the IPIP packets that Penstock sends it.

Attaches an XDP program to an interface. IPIP packets (IP protocol 4) whose inner destination is one of the
VIPs lose their outer header and go on to the kernel; everything else goes on as it came. It runs in the
foreground until SIGINT or SIGTERM, then detaches the program. If it is killed otherwise the program stays,
so that traffic flows on; the next start takes its place without a gap. Needs root, and each VIP on lo.

Usage:
  penstock-decap --interface NAME --vip ADDRESS [--vip ADDRESS …] [--mode MODE] [--interval SECONDS] [--json]
  penstock-decap --interface NAME --status [--json]
  penstock-decap --interface NAME --detach

{}
Examples:
  ip address add 198.51.100.10/32 dev lo
  penstock-decap --interface eth0 --vip 198.51.100.10
  penstock-decap --interface eth0 --vip 198.51.100.10 --vip 198.51.100.11 --json >> /var/log/decap.json
  penstock-decap --interface eth0 --status

Exit codes: 0 done, 1 refused or failed (one line on stderr says why and how to mend it), 2 usage.
)",
        options.str()
    );
}

} // namespace penstock::decap
