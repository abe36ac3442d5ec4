// SPDX-License-Identifier: Apache-2.0
#include "controlplane/config/backend_reader.hpp"

#include "dataplane/core/identity.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <span>
#include <utility>

namespace penstock::config {

namespace {

constexpr std::array<std::string_view, 5> backend_keys{
    "name", "address", "port", "weight", "state"
};
constexpr std::array admin_states{AdminState::ready, AdminState::drain, AdminState::disabled};

constexpr IntegerRange weight_range{.least = 0, .most = 65535};

} // namespace

std::vector<BackendSpec> BackendReader::read(const TableReader& table, const ServiceSpec& service) {
    std::vector<BackendSpec> backends;
    const Value* list =
        table.require("backend", "backend = [ { name = \"web-1\", address = \"10.0.1.11\" } ]");
    if (list == nullptr || !expect_kind(findings_, *list, ValueKind::array, "backend")) {
        return backends;
    }
    const std::size_t errors_before = findings_.error_count();
    const std::size_t readable = count_readable(*list, service);
    backends.reserve(readable);
    Seen seen;
    for (const Value& item : std::span(list->items).first(readable)) {
        if (expect_kind(findings_, item, ValueKind::table, "a backend")) {
            backends.push_back(read_backend(item, service, seen));
        }
    }
    if (findings_.error_count() == errors_before && readable == list->items.size()) {
        warn_about_weights(table, backends);
    }
    return backends;
}

// How many of the list's backends are within the limits; those beyond are refused, and reading them
// would only take time.
std::size_t BackendReader::count_readable(const Value& list, const ServiceSpec& service) {
    constexpr std::size_t most = max_backends - 1; // id 0 is no backend
    const std::size_t before = count_;
    count_ += list.items.size();
    if (before <= most && count_ > most) {
        findings_.error(
            list.items[most - before].span,
            fmt::format("more than {} backends in all services", most),
            "remove the backends from here on"
        );
    } else if (list.items.size() > service.maglev_size) {
        findings_.error(
            list.items[service.maglev_size].span,
            fmt::format(
                "{} backends, but maglev_size is {}", list.items.size(), service.maglev_size
            ),
            "set maglev_size = 65537 or 655373: every backend needs a slot"
        );
    }
    return std::min(list.items.size(), most - std::min(before, most));
}

BackendSpec
BackendReader::read_backend(const Value& value, const ServiceSpec& service, Seen& seen) {
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
    read_key(table, service, backend.key);
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
    read_policy(table, backend);
    return backend;
}

void BackendReader::read_key(
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
            addresses_.push_back({*address, value->span});
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

void BackendReader::read_policy(const TableReader& table, BackendSpec& backend) {
    if (const Value* value = table.find("weight")) {
        const auto weight = read_integer(findings_, *value, "weight", weight_range);
        backend.weight = static_cast<std::uint16_t>(weight.value_or(0));
    }
    if (const Value* value = table.find("state")) {
        const auto state = read_enum<AdminState>(findings_, *value, "state", admin_states);
        backend.admin = state.value_or(AdminState::ready);
    }
}

void BackendReader::warn_about_weights(
    const TableReader& table, const std::vector<BackendSpec>& backends
) {
    const bool takes_flows = std::ranges::any_of(backends, [](const BackendSpec& backend) {
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

} // namespace penstock::config
