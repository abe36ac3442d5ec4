// SPDX-License-Identifier: Apache-2.0
#include "controlplane/config/backend_reader.hpp"
#include "controlplane/config/first_places.hpp"
#include "controlplane/config/sections.hpp"
#include "controlplane/config/taken_keys.hpp"
#include "controlplane/config/vip_blocks.hpp"
#include "dataplane/core/identity.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <span>
#include <string>
#include <utility>

namespace penstock::config {

namespace {

constexpr std::array<std::string_view, 22> service_keys{
    "name",    "vip",       "protocol",    "port",   "forwarding", "gue",
    "toa",     "mss_clamp", "maglev_size", "track",  "affinity",   "affinity_prefix",
    "on_down", "limit",     "allow",       "deny",   "allow_file", "deny_file",
    "quic",    "probe",     "health",      "backend"
};

// What is probed at a port, and so needs to know which.
bool needs_port(const ProbeConfig& probe) {
    return probe.type != ProbeType::none && probe.type != ProbeType::icmp &&
           probe.type != ProbeType::script;
}

class ServiceReader {
public:
    ServiceReader(
        Findings& findings,
        AccessReader& access_reader,
        const std::vector<AddressPlace>& nat_sources
    )
        : findings_(findings),
          access_reader_(access_reader),
          nat_sources_(nat_sources),
          backends_(findings) {}

    std::vector<ServiceConfig> read(const Value& list);

private:
    ServiceConfig read_service(const Value& value);
    void read_name_of(const TableReader& table, ServiceSpec& spec);
    void read_key_of(const TableReader& table, ServiceSpec& spec);
    void read_probe_of(const TableReader& table, ServiceConfig& service);
    void check_loops();

    Findings& findings_;
    AccessReader& access_reader_;
    const std::vector<AddressPlace>& nat_sources_;
    FirstPlaces<std::string> names_;
    TakenKeys keys_;
    VipBlocks vips_;
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
    read_name_of(table, service.spec);
    read_key_of(table, service.spec);
    read_forwarding(table, service.spec, nat_sources_);
    read_flow_policy(table, service.spec);
    read_limits(table, service.spec);
    service.spec.access = access_reader_.read(table);
    read_quic(table, service.spec);
    read_probe_of(table, service);
    if (const Value* health = table.find("health")) {
        service.policy =
            read_health_policy(findings_, *health, fmt::format("health of {}", table.what()));
    }
    service.spec.backends = backends_.read(table, service.spec, service.backend_places);
    if (service.probe.type == ProbeType::none) {
        for (BackendSpec& backend : service.spec.backends) {
            backend.health = Health::up;
        }
    }
    return service;
}

void ServiceReader::read_name_of(const TableReader& table, ServiceSpec& spec) {
    const Value* name = table.require("name", "name = \"web\"");
    if (name == nullptr) {
        return;
    }
    spec.name = read_name(findings_, *name, "service name").value_or("");
    const auto first = spec.name.empty() ? std::nullopt : names_.add(spec.name, name->span);
    if (first) {
        findings_.error(
            name->span,
            fmt::format(
                "two services are named {}, the first at {}",
                quote(name->text),
                findings_.describe(*first)
            ),
            "give one of them another name"
        );
    }
}

void ServiceReader::read_key_of(const TableReader& table, ServiceSpec& spec) {
    const bool is_whole = read_service_key(table, spec.key);
    const Value* vip = table.find("vip");
    if (vip == nullptr || spec.key.vip.is_unspecified()) {
        return;
    }
    vips_.add(spec.key.prefix(), vip->span);
    const auto first = is_whole ? keys_.add(spec.key, vip->span) : std::nullopt;
    if (first) {
        findings_.error(
            vip->span,
            fmt::format(
                "{} belongs to a service already, at {}",
                to_string(spec.key),
                findings_.describe(*first)
            ),
            spec.key.more_ports > 0
                ? "two ranges of one width may not overlap: neither is the narrower one"
                : "change the vip, port or protocol of one of the two, or join their backends"
        );
    }
}

// A TCP connect to the backend's port, the default, is not for every service.
void ServiceReader::read_probe_of(const TableReader& table, ServiceConfig& service) {
    const Value* probe = table.find("probe");
    if (probe != nullptr) {
        service.probe = read_probe(findings_, *probe, fmt::format("the probe of {}", table.what()));
    }
    const ServiceKey& key = service.spec.key;
    const bool takes_any_port = table.find("port") != nullptr ? table.find("port")->text == "any"
                                                              : key.protocol == Protocol::any;
    if (probe == nullptr && (key.protocol != Protocol::tcp || takes_any_port)) {
        findings_.error(
            table.span(),
            fmt::format(
                "{} {} and has no 'probe'",
                table.what(),
                takes_any_port ? std::string("takes any port")
                               : fmt::format("is {}", to_string(key.protocol))
            ),
            "say how its servers are probed: probe = { type = \"tcp\", port = 22 }, or without "
            "probes: probe = { type = \"none\" }"
        );
    } else if (takes_any_port && needs_port(service.probe) && probe->find("port") == nullptr) {
        findings_.error(
            probe->span,
            fmt::format("{} takes any port, so its probe must name one", table.what()),
            fmt::format(
                "add port to the probe: {{ type = \"{}\", port = 22 }}",
                to_string(service.probe.type)
            )
        );
    }
}

// A VIP's packet sent to an address that is a VIP itself would come back to us; and so would one
// from such an address, as a client's.
void ServiceReader::check_loops() {
    for (const AddressPlace& backend : backends_.addresses()) {
        if (const auto vip = vips_.find(backend.address)) {
            const std::string block =
                vip->block.host_bits == 0
                    ? "a vip"
                    : fmt::format("inside the vip {}", vip->block.to_string());
            findings_.error(
                backend.span,
                fmt::format(
                    "backend address {} is {}, at {}: packets would go round in a loop",
                    backend.address.to_string(),
                    block,
                    findings_.describe(vip->span)
                ),
                "write the server's own address"
            );
        }
    }
    for (const AddressPlace& source : nat_sources_) {
        if (const auto vip = vips_.find(source.address)) {
            findings_.error(
                source.span,
                fmt::format(
                    "source {} is inside the vip {}, at {}: replies would be taken for requests",
                    source.address.to_string(),
                    vip->block.to_string(),
                    findings_.describe(vip->span)
                ),
                "write an address that is NAT's alone"
            );
        }
    }
}

} // namespace

std::vector<ServiceConfig> read_services(
    Findings& findings,
    const Value& value,
    AccessReader& access_reader,
    const std::vector<AddressPlace>& nat_sources
) {
    return ServiceReader(findings, access_reader, nat_sources).read(value);
}

} // namespace penstock::config
