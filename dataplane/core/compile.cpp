// SPDX-License-Identifier: Apache-2.0
#include "dataplane/core/compile.hpp"

#include "dataplane/core/desired_state_check.hpp"
#include "dataplane/core/headers.hpp"

#include <algorithm>
#include <bit>
#include <optional>
#include <set>
#include <utility>

namespace penstock {
namespace {

constexpr std::uint8_t outer_ttl = 64;

std::string place_of(const ServiceSpec& service) {
    return "service " + service.name;
}

std::string place_of(const ServiceSpec& service, const BackendSpec& backend) {
    return place_of(service) + ", backend " + backend.name;
}

std::optional<CompileError> check_backend(const ServiceSpec& service, const BackendSpec& backend) {
    if (!backend.key.address.is_ipv4()) {
        return CompileError{
            .place = place_of(service, backend),
            .cause = "address " + backend.key.address.to_string() + " is IPv6",
            .remedy = "give an IPv4 address: this version forwards IPv4 only",
        };
    }
    if (backend.key.port != service.key.port) {
        return CompileError{
            .place = place_of(service, backend),
            .cause = "port " + std::to_string(backend.key.port) + " is not the service's port " +
                     std::to_string(service.key.port),
            .remedy = "remove the port: " + std::string(to_string(service.forwarding)) +
                      " leaves the packet as it is, so the server listens on the service's port",
        };
    }
    return std::nullopt;
}

// What the wire and the file can say already and this dataplane does not do yet.
std::optional<CompileError> check_unfinished(const ServiceSpec& service) {
    const ServiceKey& key = service.key;
    const bool known_mode =
        service.forwarding == Forwarding::ipip || service.forwarding == Forwarding::l2dsr;
    const std::array<std::pair<const char*, bool>, 12> unfinished{{
        {"a VIP prefix", key.host_bits != 0},
        {"any protocol", key.protocol == Protocol::any},
        {"a service that takes several ports", key.takes_any_port() || key.more_ports != 0},
        {"this forwarding", !known_mode},
        {"track = false", !service.track},
        {"an affinity but \"tuple\"", service.affinity != Affinity::tuple},
        {"on_down but \"rehash\"", service.on_down != DownPolicy::rehash},
        {"mss_clamp", service.mss_clamp != 0},
        {"toa", service.toa},
        {"a limit", service.limits != ServiceLimits{}},
        {"an access list", service.access != AccessSpec{}},
        {"routing by QUIC connection id", !service.quic.empty()},
    }};
    for (const auto& [what, is_wanted] : unfinished) {
        if (is_wanted) {
            return CompileError{
                .place = place_of(service),
                .cause = std::string(what) + " is not implemented in this version",
                .remedy = "remove it",
            };
        }
    }
    return std::nullopt;
}

std::optional<CompileError> check_service(const ServiceSpec& service, const DesiredState& desired) {
    if (!service.key.vip.is_ipv4()) {
        return CompileError{
            .place = place_of(service),
            .cause = "VIP " + service.key.vip.to_string() + " is IPv6",
            .remedy = "give an IPv4 address: this version forwards IPv4 only",
        };
    }
    if (auto error = check_unfinished(service)) {
        return error;
    }
    if (std::ranges::find(maglev_sizes, service.maglev_size) == maglev_sizes.end()) {
        return CompileError{
            .place = place_of(service),
            .cause = "a table of " + std::to_string(service.maglev_size) + " slots",
            .remedy = "choose 16381, 65537 or 655373",
        };
    }
    if (service.forwarding == Forwarding::ipip && !desired.tunnel_sources.ipv4) {
        return CompileError{
            .place = place_of(service),
            .cause = "no IPv4 source address for the outer header of ipip",
            .remedy = "set tunnel_source in [dataplane], or give the port's interface an address",
        };
    }
    std::set<BackendKey> seen;
    for (const BackendSpec& backend : service.backends) {
        if (auto error = check_backend(service, backend)) {
            return error;
        }
        if (!seen.insert(backend.key).second) {
            return CompileError{
                .place = place_of(service, backend),
                .cause = "address " + backend.key.address.to_string() + " is listed twice",
                .remedy = "remove one of the two; use weight for a larger share",
            };
        }
    }
    return std::nullopt;
}

std::optional<CompileError> check_timeouts(const FlowTimeouts& timeouts) {
    const std::array<std::pair<const char*, std::uint16_t>, 4> all{{
        {"tcp_syn", timeouts.tcp_syn_s},
        {"tcp_established", timeouts.tcp_established_s},
        {"tcp_closing", timeouts.tcp_closing_s},
        {"udp", timeouts.udp_s},
    }};
    for (const auto& [name, seconds] : all) {
        // Beyond it coarse time wraps, and the entry would never look idle.
        if (seconds < 1 || seconds > max_flow_timeout_s) {
            return CompileError{
                .place = std::string("flow timeout ") + name,
                .cause = std::to_string(seconds) + " s is out of range",
                .remedy = "give 1 to " + std::to_string(max_flow_timeout_s) + " seconds",
            };
        }
    }
    return std::nullopt;
}

std::optional<CompileError> check(const DesiredState& desired) {
    if (auto error = check_timeouts(desired.timeouts)) {
        return error;
    }
    if (desired.tunnel_sources.ipv4 && !desired.tunnel_sources.ipv4->address.is_ipv4()) {
        return CompileError{
            .place = "tunnel_source",
            .cause = "address " + desired.tunnel_sources.ipv4->to_string() + " is IPv6",
            .remedy = "give an IPv4 address: the outer header of ipip is IPv4",
        };
    }
    if (desired.access != AccessSpec{}) {
        return CompileError{
            .place = "access",
            .cause = "access lists are not implemented in this version",
            .remedy = "remove them",
        };
    }
    std::uint64_t slots = 0;
    std::set<ServiceKey> seen;
    for (const ServiceSpec& service : desired.services) {
        slots += service.maglev_size;
        if (slots > max_maglev_slots) {
            return CompileError{
                .place = place_of(service),
                .cause = "the tables of all services up to this one have " + std::to_string(slots) +
                         " slots, and " + std::to_string(max_maglev_slots) + " is the limit",
                .remedy = "choose a smaller maglev_size for services with few backends",
            };
        }
        if (!seen.insert(service.key).second) {
            return CompileError{
                .place = place_of(service),
                .cause = to_string(service.key) + " belongs to another service already",
                .remedy = "give each service its own VIP, protocol and port",
            };
        }
        if (auto error = check_service(service, desired)) {
            return error;
        }
    }
    return std::nullopt;
}

// The name of a backend for Maglev, without its node-local id: service key, address, port.
std::uint64_t identity_of(const ServiceKey& service, const BackendKey& backend) {
    std::vector<std::uint8_t> name;
    const auto append_port = [&name](std::uint16_t port) {
        name.push_back(static_cast<std::uint8_t>(port >> 8U));
        name.push_back(static_cast<std::uint8_t>(port & 0xffU));
    };
    name.insert(name.end(), service.vip.bytes().begin(), service.vip.bytes().end());
    name.push_back(static_cast<std::uint8_t>(service.protocol));
    append_port(service.port);
    name.insert(name.end(), backend.address.bytes().begin(), backend.address.bytes().end());
    append_port(backend.port);
    return hash_identity(name);
}

void fill_outer_ipv4(BackendEntry& entry, Be32 source, Be32 destination) {
    const Ipv4Header outer{
        .version_ihl = 0x45,
        .tos = 0,
        .total_length = {0},
        .id = {0},
        .fragment = {0},
        .ttl = outer_ttl,
        .protocol = protocol_ipip,
        .checksum = {0},
        .source = source,
        .destination = destination,
    };
    write_header(entry.outer.data(), outer);
    entry.outer_length = sizeof outer;
    entry.checksum_base =
        fold_checksum(add_to_checksum(0, std::span(entry.outer).first(sizeof outer)));
}

} // namespace

/// Fills a snapshot from a checked desired state.
class SnapshotBuilder {
public:
    SnapshotBuilder(const DesiredState& desired, const IdRegistry& ids, const Snapshot* previous)
        : desired_(desired), ids_(ids), previous_(previous) {}

    std::shared_ptr<const Snapshot> build() {
        snapshot_->generation_ = desired_.generation;
        snapshot_->hasher_ = FlowHasher(desired_.flow_hash_key);
        set_timeouts();
        add_backends();
        add_services();
        index_vips();
        index_services();
        return snapshot_;
    }

private:
    void set_timeouts() {
        const auto set = [this](FlowState state, std::uint16_t seconds) {
            // Rounded up, plus one: a tick may be nearly over when the entry is made.
            const unsigned ticks =
                (seconds + CoarseTime::seconds_per_tick - 1U) / CoarseTime::seconds_per_tick;
            snapshot_->timeout_ticks_[static_cast<std::size_t>(state)] =
                static_cast<std::uint16_t>(ticks + 1);
        };
        set(FlowState::tcp_syn, desired_.timeouts.tcp_syn_s);
        set(FlowState::tcp_established, desired_.timeouts.tcp_established_s);
        set(FlowState::tcp_closing, desired_.timeouts.tcp_closing_s);
        set(FlowState::udp, desired_.timeouts.udp_s);
    }

    // Every backend that the registry knows: also those no longer desired, whose flows go on.
    void add_backends() {
        std::uint16_t highest = 0;
        for (const auto& [name, backend] : ids_.backends()) {
            highest = std::max(highest, backend.id.value);
        }
        snapshot_->backends_.resize(std::size_t{highest} + 1);
        for (const auto& [name, backend] : ids_.backends()) {
            const IpAddress& address = name.second.address;
            BackendEntry& entry = snapshot_->backends_[backend.id.value];
            entry.in_use = true;
            entry.service = backend.service;
            const bool tunnelled = backend.forwarding == Forwarding::ipip;
            // Without a source there is no tunnel: the flows of a retired backend must not leave
            // bare.
            entry.keeps_flows =
                backend.keeps_flows && (!tunnelled || desired_.tunnel_sources.ipv4.has_value());
            if (tunnelled && desired_.tunnel_sources.ipv4) {
                entry.rewrite = Rewrite::ipv4_ipv4;
                fill_outer_ipv4(
                    entry, desired_.tunnel_sources.ipv4->address.ipv4(), address.ipv4()
                );
            }
            snapshot_->targets_.push_back(
                {.id = backend.id, .address = address, .forwarding = backend.forwarding}
            );
        }
    }

    void add_services() {
        std::size_t table_count = 0;
        for (const auto& [key, service] : ids_.services()) {
            table_count = std::max(table_count, std::size_t{service.id.value} + 1);
        }
        snapshot_->tables_.resize(table_count);
        for (const ServiceSpec& spec : desired_.services) {
            const ServiceId id = ids_.service(spec.key);
            std::vector<MaglevMember> members;
            for (const BackendSpec& backend : spec.backends) {
                const BackendId backend_id = ids_.backend(spec.key, backend.key);
                BackendEntry& entry = snapshot_->backends_[backend_id.value];
                entry.takes_new_flows = takes_new_flows(backend);
                if (entry.takes_new_flows) {
                    members.push_back(
                        {.identity = identity_of(spec.key, backend.key),
                         .weight = backend.weight,
                         .id = backend_id}
                    );
                }
            }
            auto table = share_or_build(id, std::move(members), spec.maglev_size);
            snapshot_->services_.push_back({
                .slots = table->slots.empty() ? nullptr : table->slots.data(),
                .slot_count = static_cast<std::uint32_t>(table->slots.size()),
                .id = id,
            });
            snapshot_->tables_[id.value] = std::move(table);
        }
    }

    std::shared_ptr<const MaglevTable>
    share_or_build(ServiceId id, std::vector<MaglevMember> members, std::uint32_t size) const {
        std::ranges::sort(members, {}, [](const MaglevMember& member) {
            return std::pair(member.identity, member.id);
        });
        auto old = previous_ != nullptr ? previous_->table_of(id) : nullptr;
        const bool same_size = old && (old->slots.size() == size || members.empty());
        if (same_size && old->members == members) {
            return old;
        }
        return std::make_shared<const MaglevTable>(build_maglev(std::move(members), size));
    }

    void index_vips() {
        for (const ServiceSpec& spec : desired_.services) {
            snapshot_->vips_.push_back(spec.key.vip);
        }
        std::ranges::sort(snapshot_->vips_);
        const auto repeated = std::ranges::unique(snapshot_->vips_);
        snapshot_->vips_.erase(repeated.begin(), repeated.end());

        snapshot_->vip_slots_.assign(std::bit_ceil((snapshot_->vips_.size() * 4) + 1), -1);
        snapshot_->vip_mask_ = snapshot_->vip_slots_.size() - 1;
        for (std::size_t index = 0; index < snapshot_->vips_.size(); ++index) {
            std::uint64_t i = Snapshot::mix(snapshot_->vips_[index]);
            while (snapshot_->vip_slots_[i & snapshot_->vip_mask_] >= 0) {
                ++i;
            }
            snapshot_->vip_slots_[i & snapshot_->vip_mask_] = static_cast<std::int32_t>(index);
        }
    }

    void index_services() {
        const std::size_t count = desired_.services.size();
        snapshot_->service_slots_.assign(std::bit_ceil((count * 4) + 1), {});
        snapshot_->service_mask_ = snapshot_->service_slots_.size() - 1;
        for (std::size_t index = 0; index < count; ++index) {
            const std::uint64_t key = key_of(desired_.services[index].key);
            std::uint64_t i = Snapshot::mix(key);
            while (snapshot_->service_slots_[i & snapshot_->service_mask_].key != 0) {
                ++i;
            }
            snapshot_->service_slots_[i & snapshot_->service_mask_] = {
                .key = key, .index = static_cast<std::uint32_t>(index)
            };
        }
    }

    std::uint64_t key_of(const ServiceKey& key) const {
        const auto protocol = static_cast<std::uint8_t>(key.protocol);
        const Be16 port = Be16::from_host(key.port);
        if (key.vip.is_ipv4()) {
            return Snapshot::key_ipv4(key.vip.ipv4(), protocol, port);
        }
        const auto index = static_cast<std::uint32_t>(snapshot_->vip_index(key.vip));
        return Snapshot::key_ipv6(index, protocol, port);
    }

    const DesiredState& desired_;
    const IdRegistry& ids_;
    const Snapshot* previous_;
    std::shared_ptr<Snapshot> snapshot_ = std::make_shared<Snapshot>();
};

std::optional<CompileError> check_desired_state(const DesiredState& desired) {
    return check(desired);
}

std::expected<std::shared_ptr<const Snapshot>, CompileError>
compile_snapshot(const DesiredState& desired, IdRegistry& ids, const Snapshot* previous) {
    if (auto error = check(desired)) {
        return std::unexpected(std::move(*error));
    }
    if (!ids.assign(desired)) {
        return std::unexpected(CompileError{
            .place = "desired state",
            .cause = "more than " + std::to_string(max_services) + " services or " +
                     std::to_string(max_backends - 1) +
                     " backends, removed ones that still have flows included",
            .remedy = "remove some, or wait until the flows of removed ones have ended",
        });
    }
    return SnapshotBuilder(desired, ids, previous).build();
}

} // namespace penstock
