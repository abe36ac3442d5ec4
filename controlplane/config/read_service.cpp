// SPDX-License-Identifier: Apache-2.0
#include "controlplane/config/backend_reader.hpp"
#include "controlplane/config/first_places.hpp"
#include "controlplane/config/sections.hpp"
#include "dataplane/core/identity.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <span>
#include <string>
#include <utility>

namespace penstock::config {

namespace {

constexpr std::array<std::string_view, 8> service_keys{
    "name", "vip", "protocol", "port", "forwarding", "maglev_size", "probe", "backend"
};
constexpr std::array protocols{Protocol::tcp, Protocol::udp};
constexpr std::array forwardings{Forwarding::l2dsr, Forwarding::ipip};

// " 16381 65537 655373". Not by fmt::join: GCC 12 at -O3 sees an overflow in it that is none.
std::string list_maglev_sizes() {
    std::string out;
    for (const std::uint32_t size : maglev_sizes) {
        out += ' ';
        out += std::to_string(size);
    }
    return out;
}

struct SeenServices {
    FirstPlaces<std::string> names;
    FirstPlaces<ServiceKey> keys;
};

class ServiceReader {
public:
    explicit ServiceReader(Findings& findings) : findings_(findings), backends_(findings) {}

    std::vector<ServiceConfig> read(const Value& list);

private:
    ServiceConfig read_service(const Value& value);
    bool read_key(const TableReader& table, ServiceKey& key);
    void read_policy(const TableReader& table, ServiceConfig& service);
    void read_probe_of(const TableReader& table, ServiceConfig& service);
    void check_loops();

    Findings& findings_;
    SeenServices seen_;
    std::map<IpAddress, Span> vips_;
    BackendReader backends_;
};

std::vector<ServiceConfig> ServiceReader::read(const Value& list) {
    std::vector<ServiceConfig> services;
    if (!expect_kind(findings_, list, ValueKind::array, "service")) {
        return services;
    }
    if (list.items.size() > max_services) {
        findings_.error(
            list.items[max_services].span,
            fmt::format("{} services, at most {} are possible", list.items.size(), max_services),
            "remove the services from here on"
        );
    }
    // What is beyond the limit is refused already; reading it would only take time.
    for (const Value& item :
         std::span(list.items).first(std::min(list.items.size(), max_services))) {
        if (expect_kind(findings_, item, ValueKind::table, "a service")) {
            services.push_back(read_service(item));
        }
    }
    check_loops();
    return services;
}

ServiceConfig ServiceReader::read_service(const Value& value) {
    const Value* name = value.find("name");
    const bool named = name != nullptr && name->kind == ValueKind::string;
    const std::string what = named ? fmt::format("service {}", quote(name->text)) : "a service";
    const TableReader table(findings_, value, what, service_keys);

    ServiceConfig service;
    service.place = findings_.origin(value.span);
    if (table.require("name", "name = \"web\"") != nullptr) {
        service.spec.name = read_name(findings_, *name, "service name").value_or("");
        const auto first = service.spec.name.empty()
                               ? std::nullopt
                               : seen_.names.add(service.spec.name, name->span);
        if (first) {
            findings_.error(
                name->span,
                fmt::format(
                    "two services are named {}, the first at {}",
                    quote(name->text),
                    describe(*first)
                ),
                "give one of them another name"
            );
        }
    }
    if (read_key(table, service.spec.key)) {
        const Span& span = table.find("vip")->span;
        if (const auto first = seen_.keys.add(service.spec.key, span)) {
            findings_.error(
                span,
                fmt::format(
                    "{} belongs to a service already, at {}",
                    to_string(service.spec.key),
                    describe(*first)
                ),
                "change the vip, port or protocol of one of the two, or join their backends"
            );
        }
    }
    read_policy(table, service);
    read_probe_of(table, service);
    service.spec.backends = backends_.read(table, service.spec);
    if (service.probe.type == ProbeType::none) {
        for (BackendSpec& backend : service.spec.backends) {
            backend.health = Health::up;
        }
    }
    return service;
}

// True if all parts of the key are there and good.
bool ServiceReader::read_key(const TableReader& table, ServiceKey& key) {
    std::optional<IpAddress> vip;
    std::optional<Protocol> protocol;
    std::optional<std::uint16_t> port;
    if (const Value* value = table.require("vip", "vip = \"198.51.100.10\"")) {
        vip = read_host_address(findings_, *value, "vip");
        if (vip && !vip->is_ipv4()) {
            findings_.error(
                value->span,
                fmt::format("vip {} is IPv6", vip->to_string()),
                "this release forwards IPv4 only: write an IPv4 address"
            );
        }
        if (vip) {
            vips_.emplace(*vip, value->span);
        }
    }
    if (const Value* value = table.require("protocol", "protocol = \"tcp\"")) {
        protocol = read_enum<Protocol>(findings_, *value, "protocol", protocols);
    }
    if (const Value* value = table.require("port", "port = 80")) {
        port = read_port_number(findings_, *value, "port");
    }
    key.vip = vip.value_or(IpAddress{});
    key.protocol = protocol.value_or(Protocol::tcp);
    key.port = port.value_or(0);
    return vip && protocol && port;
}

void ServiceReader::read_policy(const TableReader& table, ServiceConfig& service) {
    if (const Value* value = table.require("forwarding", "forwarding = \"ipip\"")) {
        const auto mode = read_enum<Forwarding>(findings_, *value, "forwarding", forwardings);
        service.spec.forwarding = mode.value_or(Forwarding::ipip);
    }
    const Value* size = table.find("maglev_size");
    if (size == nullptr || !expect_kind(findings_, *size, ValueKind::integer, "maglev_size")) {
        return;
    }
    const auto known = std::ranges::find(maglev_sizes, size->integer, [](std::uint32_t each) {
        return std::int64_t{each};
    });
    if (known == maglev_sizes.end()) {
        findings_.error(
            size->span,
            fmt::format("maglev_size {} is not offered", size->integer),
            "write one of these primes:" + list_maglev_sizes()
        );
        return;
    }
    service.spec.maglev_size = *known;
}

void ServiceReader::read_probe_of(const TableReader& table, ServiceConfig& service) {
    if (const Value* probe = table.find("probe")) {
        service.probe = read_probe(findings_, *probe, fmt::format("the probe of {}", table.what()));
        return;
    }
    if (service.spec.key.protocol == Protocol::udp) {
        // The default would be a TCP connect, which nothing need answer behind a UDP port.
        findings_.error(
            table.span(),
            fmt::format("{} is udp and has no 'probe'", table.what()),
            "say how its servers are probed: probe = { type = \"tcp\", port = 22 }, or without "
            "probes: probe = { type = \"none\" }"
        );
    }
}

// A VIP's packet sent to an address that is a VIP itself would come back to us.
void ServiceReader::check_loops() {
    for (const AddressPlace& backend : backends_.addresses()) {
        const auto vip = vips_.find(backend.address);
        if (vip != vips_.end()) {
            findings_.error(
                backend.span,
                fmt::format(
                    "backend address {} is a vip, at {}: packets would go round in a loop",
                    backend.address.to_string(),
                    describe(vip->second)
                ),
                "write the server's own address"
            );
        }
    }
}

} // namespace

std::vector<ServiceConfig> read_services(Findings& findings, const Value& value) {
    return ServiceReader(findings).read(value);
}

} // namespace penstock::config
