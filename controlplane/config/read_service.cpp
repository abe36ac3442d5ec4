// SPDX-License-Identifier: Apache-2.0
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
constexpr std::array<std::string_view, 5> backend_keys{
    "name", "address", "port", "weight", "state"
};
constexpr std::array protocols{Protocol::tcp, Protocol::udp};
constexpr std::array forwardings{Forwarding::l2dsr, Forwarding::ipip};
constexpr std::array admin_states{AdminState::ready, AdminState::drain, AdminState::disabled};

constexpr IntegerRange weight_range{.least = 0, .most = 65535};

// " 16381 65537 655373". Not by fmt::join: GCC 12 at -O3 sees an overflow in it that is none.
std::string list_maglev_sizes() {
    std::string out;
    for (const std::uint32_t size : maglev_sizes) {
        out += ' ';
        out += std::to_string(size);
    }
    return out;
}

// What must be said once in a file, or in a service, with the place where it was said first.
template <typename Key>
class FirstPlaces {
public:
    /// The first place of `key`, if it was seen before.
    std::optional<Span> add(const Key& key, const Span& span) {
        const auto [known, is_new] = places_.emplace(key, span);
        return is_new ? std::nullopt : std::optional(known->second);
    }

private:
    std::map<Key, Span> places_;
};

struct SeenBackends {
    FirstPlaces<std::string> names;
    FirstPlaces<IpAddress> addresses;
};

struct SeenServices {
    FirstPlaces<std::string> names;
    FirstPlaces<ServiceKey> keys;
};

// A backend's address and where it stands, for the check against all VIPs.
struct AddressPlace {
    IpAddress address;
    Span span;
};

class ServiceReader {
public:
    explicit ServiceReader(Findings& findings) : findings_(findings) {}

    std::vector<ServiceConfig> read(const Value& list);

private:
    ServiceConfig read_service(const Value& value);
    bool read_key(const TableReader& table, ServiceKey& key);
    void read_policy(const TableReader& table, ServiceConfig& service);
    void read_probe_of(const TableReader& table, ServiceConfig& service);
    void read_backends(const TableReader& table, ServiceConfig& service);
    BackendSpec read_backend(const Value& value, const ServiceSpec& service, SeenBackends& seen);
    void read_backend_key(const TableReader& table, const ServiceSpec& service, BackendKey& key);
    void read_backend_policy(const TableReader& table, BackendSpec& backend);
    void warn_about_weights(const TableReader& table, const ServiceSpec& service);
    void check_loops();

    Findings& findings_;
    SeenServices seen_;
    std::map<IpAddress, Span> vips_;
    std::vector<AddressPlace> backend_addresses_;
    std::size_t backend_count_ = 0;
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
    read_backends(table, service);
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

void ServiceReader::read_backends(const TableReader& table, ServiceConfig& service) {
    const Value* list =
        table.require("backend", "backend = [ { name = \"web-1\", address = \"10.0.1.11\" } ]");
    if (list == nullptr || !expect_kind(findings_, *list, ValueKind::array, "backend")) {
        return;
    }
    constexpr std::size_t most = max_backends - 1; // id 0 is no backend
    const std::size_t before = backend_count_;
    backend_count_ += list->items.size();
    if (before <= most && backend_count_ > most) {
        findings_.error(
            list->items[most - before].span,
            fmt::format("more than {} backends in all services", most),
            "remove the backends from here on"
        );
    } else if (list->items.size() > service.spec.maglev_size) {
        findings_.error(
            list->items[service.spec.maglev_size].span,
            fmt::format(
                "{} backends, but maglev_size is {}", list->items.size(), service.spec.maglev_size
            ),
            "set maglev_size = 65537 or 655373: every backend needs a slot"
        );
    }
    const std::size_t errors_before = findings_.error_count();
    SeenBackends seen;
    service.spec.backends.reserve(list->items.size());
    const std::size_t readable = std::min(list->items.size(), most - std::min(before, most));
    for (const Value& item : std::span(list->items).first(readable)) {
        if (expect_kind(findings_, item, ValueKind::table, "a backend")) {
            service.spec.backends.push_back(read_backend(item, service.spec, seen));
            if (service.probe.type == ProbeType::none) {
                service.spec.backends.back().health = Health::up;
            }
        }
    }
    if (findings_.error_count() == errors_before) {
        warn_about_weights(table, service.spec);
    }
}

BackendSpec
ServiceReader::read_backend(const Value& value, const ServiceSpec& service, SeenBackends& seen) {
    const std::string what = service.name.empty()
                                 ? "a backend"
                                 : fmt::format("a backend of service {}", quote(service.name));
    const TableReader table(findings_, value, what, backend_keys);
    BackendSpec backend;
    if (const Value* name = table.require("name", "name = \"web-1\"")) {
        backend.name = read_name(findings_, *name, "backend name").value_or("");
        const auto first =
            backend.name.empty() ? std::nullopt : seen.names.add(backend.name, name->span);
        if (first) {
            findings_.error(
                name->span,
                fmt::format(
                    "two backends of the service are named {}, the first at {}",
                    quote(backend.name),
                    describe(*first)
                ),
                "give one of them another name"
            );
        }
    }
    read_backend_key(table, service, backend.key);
    const Value* address = table.find("address");
    if (address != nullptr && !backend.key.address.is_unspecified()) {
        if (const auto first = seen.addresses.add(backend.key.address, address->span)) {
            findings_.error(
                address->span,
                fmt::format(
                    "{} is a backend of the service already, at {}",
                    backend.key.address.to_string(),
                    describe(*first)
                ),
                "delete one of the two, or give the one a larger weight"
            );
        }
    }
    read_backend_policy(table, backend);
    return backend;
}

void ServiceReader::read_backend_key(
    const TableReader& table, const ServiceSpec& service, BackendKey& key
) {
    if (const Value* value = table.require("address", "address = \"10.0.1.11\"")) {
        const auto address = read_host_address(findings_, *value, "backend address");
        const bool vip_known = !service.key.vip.is_unspecified();
        if (address && vip_known && address->family() != service.key.vip.family()) {
            findings_.error(
                value->span,
                fmt::format(
                    "backend address {} is {}, but the vip {} is {}",
                    address->to_string(),
                    address->is_ipv4() ? "IPv4" : "IPv6",
                    service.key.vip.to_string(),
                    service.key.vip.is_ipv4() ? "IPv4" : "IPv6"
                ),
                "vip and backends are of one family: this release forwards IPv4 to IPv4"
            );
        } else if (address && !address->is_ipv4()) {
            findings_.error(
                value->span,
                fmt::format("backend address {} is IPv6", address->to_string()),
                "this release forwards IPv4 only: write an IPv4 address"
            );
        }
        key.address = address.value_or(IpAddress{});
        if (address) {
            backend_addresses_.push_back({*address, value->span});
        }
    }
    key.port = service.key.port;
    const Value* value = table.find("port");
    const auto port =
        value != nullptr ? read_port_number(findings_, *value, "backend port") : std::nullopt;
    if (port && service.key.port != 0 && *port != service.key.port) {
        findings_.error(
            value->span,
            fmt::format(
                "backend port {} differs from the service's port {}, and {} cannot rewrite ports",
                *port,
                service.key.port,
                to_string(service.forwarding)
            ),
            "delete the port and let the server listen on the service's: with direct server return "
            "it sees the packet as the client sent it"
        );
    }
}

void ServiceReader::read_backend_policy(const TableReader& table, BackendSpec& backend) {
    if (const Value* value = table.find("weight")) {
        const auto weight = read_integer(findings_, *value, "weight", weight_range);
        backend.weight = static_cast<std::uint16_t>(weight.value_or(0));
    }
    if (const Value* value = table.find("state")) {
        const auto state = read_enum<AdminState>(findings_, *value, "state", admin_states);
        backend.admin = state.value_or(AdminState::ready);
    }
}

void ServiceReader::warn_about_weights(const TableReader& table, const ServiceSpec& service) {
    const bool takes_flows = std::ranges::any_of(service.backends, [](const BackendSpec& backend) {
        return backend.weight > 0 && backend.admin == AdminState::ready;
    });
    if (!takes_flows) {
        findings_.warn(
            table.key_span("backend"),
            fmt::format(
                "no backend of {} takes new flows: new connections are dropped", table.what()
            ),
            "give at least one backend a weight above 0 and state = \"ready\""
        );
    }
}

// A VIP's packet sent to an address that is a VIP itself would come back to us.
void ServiceReader::check_loops() {
    for (const AddressPlace& backend : backend_addresses_) {
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
