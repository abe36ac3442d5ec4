// SPDX-License-Identifier: Apache-2.0
// This file is long because every key of [dataplane] has its own limits and its own remedy.
#include "controlplane/config/sections.hpp"
#include "dataplane/core/flow_table.hpp"
#include "dataplane/core/identity.hpp"
#include "dataplane/core/nat_table.hpp"

#include <fmt/format.h>

#include <array>
#include <map>
#include <utility>

namespace penstock::config {

namespace {

constexpr std::array<std::string_view, 12> dataplane_keys{
    "workers",
    "main_core",
    "idle",
    "hugepages",
    "memory_mb",
    "flows_per_worker",
    "nat_flows_per_worker",
    "tunnel_source",
    "tunnel_source_ipv6",
    "eal_args",
    "port",
    "neighbour"
};
constexpr std::array<std::string_view, 6> port_keys{
    "name", "interface", "device", "mtu", "exception", "vlan"
};
constexpr std::array<std::string_view, 3> neighbour_keys{"address", "mac", "port"};
constexpr std::array idle_modes{IdleMode::automatic, IdleMode::spin, IdleMode::adaptive};
constexpr std::array hugepage_modes{HugepageMode::automatic, HugepageMode::on, HugepageMode::off};

constexpr IntegerRange core_range{.least = 0, .most = 1023};
constexpr IntegerRange memory_range{.least = 64, .most = 1048576, .unit = "MB"};
constexpr IntegerRange flow_range{.least = 1024, .most = FlowTable::max_flows, .unit = "flows"};
constexpr IntegerRange nat_flow_range{.least = 1024, .most = NatTable::max_flows, .unit = "flows"};
constexpr IntegerRange mtu_range{.least = 576, .most = 9216, .unit = "bytes"};
constexpr IntegerRange vlan_range{.least = 1, .most = 4094};
constexpr std::size_t max_interface_name = 15; // IFNAMSIZ - 1
constexpr std::size_t max_argument = 255;

void read_workers(const TableReader& table, DataplaneConfig& dataplane) {
    Findings& findings = table.findings();
    const Value* list = table.require("workers", "workers = [1]");
    if (list == nullptr || !expect_kind(findings, *list, ValueKind::array, "workers")) {
        return;
    }
    dataplane.workers_place = findings.origin(list->span);
    if (list->items.empty()) {
        findings.error(list->span, "workers is empty", "name at least one CPU: workers = [1]");
    }
    std::map<std::int64_t, Span> first;
    for (const Value& item : list->items) {
        const auto core = read_integer(findings, item, "a worker's CPU number", core_range);
        if (!core) {
            continue;
        }
        const auto [known, is_new] = first.emplace(*core, item.span);
        if (!is_new) {
            findings.error(
                item.span,
                fmt::format(
                    "CPU {} is a worker twice, first at {}", *core, findings.describe(known->second)
                ),
                "give every worker a CPU of its own"
            );
            continue;
        }
        dataplane.workers.push_back(static_cast<std::uint16_t>(*core));
        dataplane.worker_places.push_back(findings.origin(item.span));
    }
    if (list->items.size() > max_workers) {
        findings.error(
            list->items[max_workers].span,
            fmt::format("{} workers, at most {} are possible", list->items.size(), max_workers),
            "remove the workers from here on"
        );
    }
    const Value* main_core = table.find("main_core");
    if (main_core == nullptr) {
        return;
    }
    const auto core = read_integer(findings, *main_core, "main_core", core_range);
    const auto worker = core ? first.find(*core) : first.end();
    if (worker != first.end()) {
        findings.error(
            main_core->span,
            fmt::format(
                "CPU {} is a worker already, at {}", *core, findings.describe(worker->second)
            ),
            "choose another CPU, or delete main_core to have one chosen"
        );
    } else if (core) {
        dataplane.main_core = static_cast<std::uint16_t>(*core);
        dataplane.main_core_place = findings.origin(main_core->span);
    }
}

std::optional<std::string>
read_interface(Findings& findings, const Value& value, std::string_view key) {
    auto name = read_text(findings, value, key, max_interface_name);
    if (name &&
        (name->find_first_of("/ :") != std::string::npos || *name == "." || *name == "..")) {
        findings.error(
            value.span,
            fmt::format("{} {} is no name of a kernel interface", key, quote(*name)),
            "write a name that `ip link` shows; a PCI address or a vdev goes into `device`"
        );
        return std::nullopt;
    }
    return name;
}

std::optional<std::string> read_device(Findings& findings, const Value& value) {
    auto device = read_text(findings, value, "device", max_argument);
    if (device && device->find(' ') != std::string::npos) {
        findings.error(
            value.span,
            fmt::format("device {} holds a space", quote(*device)),
            "write a PCI address (\"0000:3b:00.0\") or a vdev (\"net_pcap0,rx_pcap=in.pcap\")"
        );
        return std::nullopt;
    }
    return device;
}

// Names of ports, interfaces and devices that were seen, each with its first place.
struct SeenPorts {
    std::map<std::string, Span> names;
    std::map<std::string, Span> hardware;
};

void read_port_hardware(const TableReader& table, PortConfig& port, SeenPorts& seen) {
    Findings& findings = table.findings();
    const Value* interface = table.find("interface");
    const Value* device = table.find("device");
    if (interface != nullptr && device != nullptr) {
        findings.error(
            table.key_span("device"),
            fmt::format("{} has both 'interface' and 'device'", table.what()),
            "keep one: interface for a kernel interface by AF_XDP, device for a bound NIC or a vdev"
        );
    }
    if (interface == nullptr && device == nullptr) {
        findings.error(
            table.span(),
            fmt::format("{} has no 'interface' and no 'device'", table.what()),
            "add one of them, for example: interface = \"eth1\""
        );
        return;
    }
    const Value& value = interface != nullptr ? *interface : *device;
    port.place = findings.origin(value.span);
    if (interface != nullptr) {
        port.interface = read_interface(findings, *interface, "interface");
    } else {
        port.device = read_device(findings, *device);
    }
    const auto& text = interface != nullptr ? port.interface : port.device;
    if (!text) {
        return;
    }
    const auto [known, is_new] = seen.hardware.emplace(*text, value.span);
    if (!is_new) {
        findings.error(
            value.span,
            fmt::format(
                "{} belongs to a port already, at {}",
                quote(*text),
                findings.describe(known->second)
            ),
            "a port has an interface or device of its own: change one of the two"
        );
    }
}

// What penstock-dp makes of a device, for the kernel.
void read_exception(const TableReader& table, PortConfig& port, SeenPorts& seen) {
    Findings& findings = table.findings();
    const Value* const exception = table.find("exception");
    if (exception == nullptr) {
        return;
    }
    port.exception_place = findings.origin(exception->span);
    if (table.find("interface") != nullptr) {
        findings.error(
            table.key_span("exception"),
            fmt::format("{} has both 'interface' and 'exception'", table.what()),
            "delete exception: the kernel keeps an interface that is driven by AF_XDP"
        );
        return;
    }
    port.exception = read_interface(findings, *exception, "exception");
    if (!port.exception) {
        return;
    }
    const auto [known, is_new] = seen.hardware.emplace(*port.exception, exception->span);
    if (!is_new) {
        findings.error(
            exception->span,
            fmt::format(
                "{} belongs to a port already, at {}",
                quote(*port.exception),
                findings.describe(known->second)
            ),
            "an exception path is an interface of its own, which penstock-dp makes: name another"
        );
    }
}

PortConfig read_port(Findings& findings, const Value& value, SeenPorts& seen) {
    const TableReader table(findings, value, "[[dataplane.port]]", port_keys);
    PortConfig port;
    if (const Value* name = table.require("name", "name = \"edge0\"")) {
        port.name = read_name(findings, *name, "port name").value_or("");
        const auto [known, is_new] = seen.names.emplace(port.name, name->span);
        if (!is_new && !port.name.empty()) {
            findings.error(
                name->span,
                fmt::format(
                    "two ports are named {}, the first at {}",
                    quote(port.name),
                    findings.describe(known->second)
                ),
                "give one of them another name"
            );
        }
    }
    read_port_hardware(table, port, seen);
    if (const Value* mtu = table.find("mtu")) {
        if (const auto bytes = read_integer(findings, *mtu, "mtu", mtu_range)) {
            port.mtu = static_cast<std::uint16_t>(*bytes);
        }
    }
    read_exception(table, port, seen);
    if (const Value* vlan = table.find("vlan")) {
        if (const auto id = read_integer(findings, *vlan, "vlan", vlan_range)) {
            port.vlan = static_cast<std::uint16_t>(*id);
        }
    }
    return port;
}

void read_ports(const TableReader& table, DataplaneConfig& dataplane) {
    Findings& findings = table.findings();
    constexpr std::string_view example =
        "[[dataplane.port]] with name = \"edge0\" and interface = \"eth1\"";
    const Value* list = table.require("port", example);
    if (list == nullptr || !expect_kind(findings, *list, ValueKind::array, "dataplane.port")) {
        return;
    }
    if (list->items.empty()) {
        findings.error(list->span, "there is no port", fmt::format("add {}", example));
    }
    if (list->items.size() > max_ports) {
        findings.error(
            list->items[max_ports].span,
            fmt::format("{} ports, at most {} are possible", list->items.size(), max_ports),
            "remove the ports from here on"
        );
    }
    SeenPorts seen;
    for (const Value& item : list->items) {
        if (expect_kind(findings, item, ValueKind::table, "a port")) {
            dataplane.ports.push_back(read_port(findings, item, seen));
        }
    }
}

std::optional<MacAddress> read_mac(Findings& findings, const Value& value) {
    if (!expect_kind(findings, value, ValueKind::string, "mac")) {
        return std::nullopt;
    }
    const auto mac = MacAddress::parse(value.text);
    if (!mac) {
        findings.error(
            value.span,
            fmt::format("mac {} is no MAC address", quote(value.text)),
            "write six pairs of hexadecimal digits: \"02:00:5e:10:00:01\""
        );
        return std::nullopt;
    }
    if (mac->is_multicast() || *mac == MacAddress{}) {
        findings.error(
            value.span,
            fmt::format("mac {} is no station's address", quote(value.text)),
            "write the MAC address of the neighbour's interface, as `ip link` shows it there"
        );
        return std::nullopt;
    }
    return mac;
}

std::string
read_port_reference(Findings& findings, const Value& value, const std::vector<PortConfig>& ports) {
    std::vector<std::string_view> names;
    std::ranges::transform(ports, std::back_inserter(names), &PortConfig::name);
    if (names.empty()) {
        return {}; // there is a finding about the ports already
    }
    const auto index = read_word(findings, value, "port", names);
    return index ? ports[*index].name : std::string();
}

void read_neighbours(const TableReader& table, DataplaneConfig& dataplane) {
    Findings& findings = table.findings();
    const Value* list = table.find("neighbour");
    if (list == nullptr || !expect_kind(findings, *list, ValueKind::array, "dataplane.neighbour")) {
        return;
    }
    std::map<IpAddress, Span> first;
    for (const Value& item : list->items) {
        if (!expect_kind(findings, item, ValueKind::table, "a neighbour")) {
            continue;
        }
        const TableReader keys(findings, item, "[[dataplane.neighbour]]", neighbour_keys);
        NeighbourConfig neighbour;
        if (const Value* address = keys.require("address", "address = \"10.0.1.11\"")) {
            neighbour.place = findings.origin(address->span);
            const auto read = read_host_address(findings, *address, "address");
            const auto known =
                read ? first.emplace(*read, address->span) : std::pair(first.end(), true);
            if (!known.second) {
                findings.error(
                    address->span,
                    fmt::format(
                        "neighbour {} is given twice, first at {}",
                        read->to_string(),
                        findings.describe(known.first->second)
                    ),
                    "delete one of the two"
                );
            }
            neighbour.address = read.value_or(IpAddress{});
        }
        if (const Value* mac = keys.require("mac", "mac = \"02:00:5e:10:00:01\"")) {
            neighbour.mac = read_mac(findings, *mac).value_or(MacAddress{});
        }
        if (const Value* port = keys.require("port", "port = \"edge0\"")) {
            neighbour.port = read_port_reference(findings, *port, dataplane.ports);
        }
        dataplane.neighbours.push_back(std::move(neighbour));
    }
}

void read_eal_args(const TableReader& table, DataplaneConfig& dataplane) {
    Findings& findings = table.findings();
    const Value* list = table.find("eal_args");
    if (list == nullptr || !expect_kind(findings, *list, ValueKind::array, "eal_args")) {
        return;
    }
    dataplane.eal_args_place = findings.origin(list->span);
    for (const Value& item : list->items) {
        if (auto argument = read_text(findings, item, "an EAL argument", max_argument)) {
            dataplane.eal_args.push_back(*std::move(argument));
        }
    }
}

void read_memory(const TableReader& table, DataplaneConfig& dataplane) {
    Findings& findings = table.findings();
    if (const Value* value = table.find("hugepages")) {
        dataplane.hugepages_place = findings.origin(value->span);
        const auto mode = read_enum<HugepageMode>(findings, *value, "hugepages", hugepage_modes);
        dataplane.hugepages = mode.value_or(dataplane.hugepages);
    }
    if (const Value* value = table.find("memory_mb")) {
        dataplane.memory_mb_place = findings.origin(value->span);
        const auto megabytes = read_integer(findings, *value, "memory_mb", memory_range);
        dataplane.memory_mb = static_cast<std::uint32_t>(megabytes.value_or(0));
    }
    if (const Value* value = table.find("flows_per_worker")) {
        const auto flows = read_integer(findings, *value, "flows_per_worker", flow_range);
        dataplane.flows_per_worker = static_cast<std::uint32_t>(flows.value_or(0));
    }
    if (const Value* value = table.find("nat_flows_per_worker")) {
        const auto flows = read_integer(findings, *value, "nat_flows_per_worker", nat_flow_range);
        dataplane.nat_flows_per_worker = static_cast<std::uint32_t>(flows.value_or(0));
    }
}

// Addresses of one family: the family tells which outer headers they are for.
void read_tunnel_source(
    const TableReader& table, std::string_view key, Family family, std::optional<IpPrefix>& source
) {
    const Value* value = table.find(key);
    if (value == nullptr) {
        return;
    }
    const bool is_ipv4 = family == Family::ipv4;
    const auto prefix =
        read_host_prefix(table.findings(), *value, key, {.ipv4_length = 8, .ipv6_length = 16});
    if (prefix && prefix->address.family() != family) {
        table.findings().error(
            value->span,
            fmt::format("{} {} is {}", key, prefix->to_string(), is_ipv4 ? "IPv6" : "IPv4"),
            is_ipv4 ? "write an IPv4 address or prefix; IPv6 goes into tunnel_source_ipv6"
                    : "write an IPv6 address or prefix; IPv4 goes into tunnel_source"
        );
        return;
    }
    source = prefix;
}

} // namespace

DataplaneConfig
read_dataplane(Findings& findings, const Value& value, TunnelSources& tunnel_sources) {
    DataplaneConfig dataplane;
    if (!expect_kind(findings, value, ValueKind::table, "dataplane")) {
        return dataplane;
    }
    const TableReader table(findings, value, "[dataplane]", dataplane_keys);
    read_workers(table, dataplane);
    read_ports(table, dataplane);
    read_neighbours(table, dataplane);
    if (const Value* idle = table.find("idle")) {
        const auto mode = read_enum<IdleMode>(findings, *idle, "idle", idle_modes);
        dataplane.idle = mode.value_or(dataplane.idle);
    }
    read_memory(table, dataplane);
    read_eal_args(table, dataplane);
    read_tunnel_source(table, "tunnel_source", Family::ipv4, tunnel_sources.ipv4);
    read_tunnel_source(table, "tunnel_source_ipv6", Family::ipv6, tunnel_sources.ipv6);
    return dataplane;
}

} // namespace penstock::config
