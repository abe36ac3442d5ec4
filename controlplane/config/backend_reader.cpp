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

constexpr std::array<std::string_view, 6> backend_keys{
    "name", "address", "port", "weight", "state", "server_id"
};
constexpr std::array admin_states{AdminState::ready, AdminState::drain, AdminState::disabled};

constexpr IntegerRange weight_range{.least = 0, .most = 65535};

} // namespace

std::vector<BackendSpec> BackendReader::read(
    const TableReader& table, const ServiceSpec& service, std::vector<Origin>& places
) {
    std::vector<BackendSpec> backends;
    const Value* list =
        table.require("backend", "backend = [ { name = \"web-1\", address = \"10.0.1.11\" } ]");
    if (list == nullptr || !expect_kind(findings_, *list, ValueKind::array, "backend")) {
        return backends;
    }
    const std::size_t errors_before = findings_.error_count();
    const std::size_t readable = count_readable(*list, service);
    backends.reserve(readable);
    places.reserve(readable);
    Seen seen;
    for (const Value& item : std::span(list->items).first(readable)) {
        if (expect_kind(findings_, item, ValueKind::table, "a backend")) {
            backends.push_back(read_backend(item, service, seen));
            const Value* address = item.find("address");
            places.push_back(findings_.origin(address != nullptr ? address->span : item.span));
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
                    findings_.describe(*first)
                ),
                "give one of them another name"
            );
        }
    }
    read_key(table, service, backend.key);
    const Value* address = table.find("address");
    if (address != nullptr && !backend.key.address.is_unspecified()) {
        if (const auto first = seen.keys.add(backend.key, address->span)) {
            findings_.error(
                address->span,
                fmt::format(
                    "{} is a backend of the service already, at {}",
                    backend.key.address.to_string(),
                    findings_.describe(*first)
                ),
                "delete one of the two, or give the one a larger weight"
            );
        }
    }
    read_server_id(table, service, backend, seen);
    read_policy(table, backend);
    return backend;
}

void BackendReader::read_key(
    const TableReader& table, const ServiceSpec& service, BackendKey& key
) {
    read_address(table, service, key);
    read_port(table, service, key);
}

void BackendReader::read_address(
    const TableReader& table, const ServiceSpec& service, BackendKey& key
) {
    const Value* value = table.require("address", "address = \"10.0.1.11\"");
    const auto address =
        value != nullptr ? read_host_address(findings_, *value, "backend address") : std::nullopt;
    if (!address) {
        return;
    }
    key.address = *address;
    addresses_.push_back({*address, value->span});
    // The outer header of a tunnel is of the backend's family, whatever is inside.
    const bool keeps_family =
        service.forwarding == Forwarding::l2dsr || service.forwarding == Forwarding::nat;
    const bool vip_known = !service.key.vip.is_unspecified();
    if (keeps_family && vip_known && address->family() != service.key.vip.family()) {
        findings_.error(
            value->span,
            fmt::format(
                "backend address {} is {}, but the vip {} is {}, and {} changes no family",
                address->to_string(),
                address->is_ipv4() ? "IPv4" : "IPv6",
                service.key.prefix().to_string(),
                service.key.vip.is_ipv4() ? "IPv4" : "IPv6",
                to_string(service.forwarding)
            ),
            "write an address of the vip's family, or forward by a tunnel: ipip, gre or gue"
        );
    }
}

void BackendReader::read_port(
    const TableReader& table, const ServiceSpec& service, BackendKey& key
) {
    key.port = service.key.port;
    const Value* value = table.find("port");
    const auto port =
        value != nullptr ? read_port_number(findings_, *value, "backend port") : std::nullopt;
    if (!port) {
        return;
    }
    const bool one_port = !service.key.takes_any_port() && service.key.more_ports == 0;
    if (!one_port) {
        findings_.error(
            value->span,
            fmt::format(
                "backend port {}, but the service takes {}: packets keep the port they came with",
                *port,
                service.key.takes_any_port()
                    ? std::string("any port")
                    : fmt::format("ports {} to {}", service.key.port, service.key.last_port())
            ),
            "delete the port; to probe one, write it into the probe"
        );
    } else if (service.forwarding == Forwarding::nat) {
        key.port = *port;
    } else if (*port != service.key.port) {
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

void BackendReader::read_server_id(
    const TableReader& table, const ServiceSpec& service, BackendSpec& backend, Seen& seen
) {
    if (!service.quic.empty()) {
        (void)table.require("server_id", "server_id = \"0a1b2c3d\"");
    }
    const Value* value = table.find("server_id");
    if (value == nullptr) {
        return;
    }
    if (service.quic.empty()) {
        findings_.error(
            table.key_span("server_id"),
            "a backend has server_id, but its service has no quic",
            "delete server_id, or add quic = [ { … } ] to the service"
        );
        return;
    }
    const std::size_t bytes = service.quic.front().server_id_bytes;
    if (bytes == 0) {
        return; // there is a finding about it
    }
    const auto server_id = read_hex(findings_, *value, "server_id", bytes, bytes);
    if (!server_id) {
        return;
    }
    backend.quic_server_id = *server_id;
    if (const auto first = seen.server_ids.add(*server_id, value->span)) {
        findings_.error(
            value->span,
            fmt::format(
                "server_id {} belongs to a backend already, at {}",
                quote(value->text),
                findings_.describe(*first)
            ),
            "give each backend an id of its own"
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
