// SPDX-License-Identifier: Apache-2.0
#include "tools/decap/report.hpp"

#include <boost/json.hpp>
#include <fmt/chrono.h>
#include <fmt/format.h>

namespace penstock::decap {

std::string list_vips(const bpf::Decapsulator& decapsulator) {
    std::string list;
    for (const IpPrefix& vip : decapsulator.vips())
        list += (list.empty() ? "" : ", ") + vip.to_string();
    return list;
}

std::string to_json(const Report& report) {
    boost::json::array vips;
    for (const IpPrefix& vip : report.decapsulator.vips())
        vips.emplace_back(vip.to_string());
    boost::json::array ports;
    for (const std::uint16_t port : report.decapsulator.gue_ports())
        ports.emplace_back(port);
    const auto seconds = std::chrono::floor<std::chrono::seconds>(report.time);
    const bpf::DecapsulatorCounters& counters = report.counters;
    const boost::json::object object = {
        {"time", fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(seconds))},
        {"event", report.event},
        {"interface", report.interface},
        {"mode", bpf::attach_mode_name(report.decapsulator.mode())},
        {"program_id", report.decapsulator.program_id()},
        {"vips", std::move(vips)},
        {"gue_ports", std::move(ports)},
        {"decapsulated", counters.decapsulated()},
        {"decapsulated_bytes", counters.decapsulated_bytes},
        {"ipip", counters.ipip},
        {"gre", counters.gre},
        {"gue", counters.gue},
        {"not_a_vip", counters.not_a_vip},
        {"fragment", counters.fragment},
        {"unsupported", counters.unsupported},
        {"malformed", counters.malformed},
        {"dropped_ecn", counters.dropped_ecn},
        {"passed", counters.passed},
    };
    return boost::json::serialize(object);
}

std::string to_text(
    const Report& report,
    const bpf::DecapsulatorCounters& before,
    std::chrono::duration<double> elapsed
) {
    const bpf::DecapsulatorCounters& now = report.counters;
    std::string rate;
    if (elapsed.count() > 0)
        rate = fmt::format(
            " ({:.0f}/s, {:.2f} Mbit/s)",
            static_cast<double>(now.decapsulated() - before.decapsulated()) / elapsed.count(),
            static_cast<double>(now.decapsulated_bytes - before.decapsulated_bytes) * 8 /
                elapsed.count() / 1e6
        );
    return fmt::format(
        "{:%H:%M:%S} {}: decapsulated {} packets {} bytes{}; IPIP {}, GRE {}, GUE {}; not a VIP "
        "{}, "
        "fragment {}, unsupported {}, malformed {}, dropped (ECN) {}, other {}",
        fmt::localtime(report.time),
        report.interface,
        now.decapsulated(),
        now.decapsulated_bytes,
        rate,
        now.ipip,
        now.gre,
        now.gue,
        now.not_a_vip,
        now.fragment,
        now.unsupported,
        now.malformed,
        now.dropped_ecn,
        now.passed
    );
}

} // namespace penstock::decap
