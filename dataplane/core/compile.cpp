// SPDX-License-Identifier: Apache-2.0
#include "dataplane/core/compile.hpp"

#include "dataplane/core/desired_state_check.hpp"
#include "dataplane/core/outer_header.hpp"

#include <algorithm>
#include <utility>

namespace penstock {
namespace {

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
    // Only what is not plain adds bytes, so that plain services choose as they always did.
    if (service.more_ports != 0 || service.host_bits != 0) {
        append_port(service.more_ports);
        name.push_back(service.host_bits);
    }
    name.insert(name.end(), backend.address.bytes().begin(), backend.address.bytes().end());
    append_port(backend.port);
    return hash_identity(name);
}

// The family of what a service's packets are, which is inside its tunnels.
Family family_of(const ServiceKey& key) {
    return key.vip.family();
}

std::uint8_t features_of(const ServiceSpec& spec, bool has_access) {
    std::uint8_t features = 0;
    const auto add = [&features](bool wanted, std::uint8_t bit) {
        features = static_cast<std::uint8_t>(features | (wanted ? bit : 0U));
    };
    add(!spec.track, feature::untracked);
    add(spec.affinity != Affinity::tuple, feature::affinity);
    add(spec.mss_clamp != 0, feature::mss_clamp);
    add(spec.on_down == DownPolicy::reset, feature::down_reset);
    add(spec.forwarding == Forwarding::nat, feature::nat);
    add(spec.limits != ServiceLimits{}, feature::limits);
    add(!spec.quic.empty(), feature::quic);
    add(has_access, feature::access);
    return features;
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
        snapshot_->tunnel_sources_ = desired_.tunnel_sources;
        set_timeouts();
        add_nat_sources();
        add_global_access();
        add_backends();
        add_services();
        close_short_ways();
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
        snapshot_->first_backend_ = snapshot_->backends_.data();
        snapshot_->backend_count_ = snapshot_->backends_.size();
        for (const auto& [name, backend] : ids_.backends()) {
            const auto& [service, key] = name;
            BackendEntry& entry = snapshot_->backends_[backend.id.value];
            entry.in_use = true;
            entry.service = backend.service;
            entry.keeps_flows = backend.keeps_flows;
            entry.resets_flows = backend.resets_flows;
            if (is_tunnel(backend.tunnel.forwarding)) {
                add_tunnel(entry, backend.tunnel, family_of(service), key.address);
            } else if (backend.tunnel.forwarding == Forwarding::nat) {
                entry.rewrite = Rewrite::nat;
                const bool one_port = service.more_ports == 0 && !service.takes_any_port();
                entry.port = one_port ? Be16::from_host(key.port).raw : std::uint16_t{0};
                std::ranges::copy(key.address.bytes(), entry.outer.begin());
            }
            snapshot_->targets_.push_back(
                {.id = backend.id, .address = key.address, .forwarding = backend.tunnel.forwarding}
            );
        }
        std::ranges::sort(snapshot_->targets_, {}, [](const Snapshot::Target& target) {
            return std::pair(target.address, target.id);
        });
    }

    void add_tunnel(
        BackendEntry& entry, const TunnelKind& tunnel, Family inner, const IpAddress& address
    ) const {
        const auto& sources = desired_.tunnel_sources;
        const auto& source = address.is_ipv4() ? sources.ipv4 : sources.ipv6;
        if (source) {
            fill_outer(entry, tunnel, inner, *source, address);
        } else {
            // Without a source there is no tunnel: the flows of a retired backend must not leave
            // bare.
            entry.keeps_flows = false;
        }
    }

    void add_nat_sources() {
        for (const IpAddress& source : desired_.nat_sources) {
            auto& family =
                source.is_ipv4() ? snapshot_->nat_sources_ipv4_ : snapshot_->nat_sources_ipv6_;
            family.push_back(source);
        }
        std::ranges::sort(snapshot_->nat_sources_ipv4_);
        std::ranges::sort(snapshot_->nat_sources_ipv6_);
    }

    static std::shared_ptr<const AccessList>
    share_or_compile(const AccessSpec& spec, const std::shared_ptr<const AccessList>& old) {
        if (spec == AccessSpec{}) {
            return nullptr;
        }
        return old && old->spec() == spec ? old : std::make_shared<const AccessList>(spec);
    }

    void add_global_access() {
        snapshot_->global_access_ = share_or_compile(
            desired_.access, previous_ != nullptr ? previous_->global_access() : nullptr
        );
    }

    const QuicLbRouter* add_quic_router(const ServiceSpec& spec) {
        if (spec.quic.empty()) {
            return nullptr;
        }
        std::vector<QuicLbRouter::Server> servers;
        for (const BackendSpec& backend : spec.backends) {
            if (!backend.quic_server_id.empty()) {
                servers.push_back(
                    {.server_id = backend.quic_server_id,
                     .backend = ids_.backend(spec.key, backend.key)}
                );
            }
        }
        snapshot_->quic_routers_.push_back(std::make_unique<const QuicLbRouter>(spec.quic, servers)
        );
        return snapshot_->quic_routers_.back().get();
    }

    ServicePolicy make_policy(const ServiceSpec& spec, ServiceId id) {
        auto access = share_or_compile(
            spec.access, previous_ != nullptr ? previous_->access_of(id) : nullptr
        );
        ServicePolicy policy{
            .affinity = spec.affinity,
            .affinity_host_bits = spec.affinity_host_bits,
            .mss_clamp = spec.mss_clamp,
            .toa = spec.toa,
            .limits = spec.limits,
            .global_access = snapshot_->global_access_.get(),
            .access = access.get(),
            .quic = add_quic_router(spec),
        };
        snapshot_->accesses_[id.value] = std::move(access);
        return policy;
    }

    void add_services() {
        std::size_t table_count = 0;
        for (const auto& [key, service] : ids_.services()) {
            table_count = std::max(table_count, std::size_t{service.id.value} + 1);
        }
        snapshot_->tables_.resize(table_count);
        snapshot_->accesses_.resize(table_count);
        snapshot_->services_by_id_.resize(table_count);
        snapshot_->policies_.reserve(desired_.services.size()); // entries point into it
        snapshot_->services_.reserve(desired_.services.size()); // so do these
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
            snapshot_->policies_.push_back(make_policy(spec, id));
            const ServicePolicy& policy = snapshot_->policies_.back();
            const bool has_access = policy.global_access != nullptr || policy.access != nullptr;
            snapshot_->services_.push_back({
                .slots = table->slots.empty() ? nullptr : table->slots.data(),
                .policy = &snapshot_->policies_.back(),
                .slot_count = static_cast<std::uint32_t>(table->slots.size()),
                .id = id,
                .features = features_of(spec, has_access),
            });
            snapshot_->services_by_id_[id.value] = &snapshot_->services_.back();
            snapshot_->tables_[id.value] = std::move(table);
        }
    }

    // A backend whose service has its packets edited must not take the way that does not.
    void close_short_ways() {
        for (BackendEntry& entry : snapshot_->backends_) {
            const ServiceEntry* const service = snapshot_->service(entry.service);
            const bool is_edited = service == nullptr || (service->features & feature::edited) != 0;
            entry.plain_ipip = entry.plain_ipip && !is_edited;
            entry.plain_ipip6 = entry.plain_ipip6 && !is_edited;
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

    void index_services() {
        std::vector<ServiceKey> keys;
        keys.reserve(desired_.services.size());
        auto& prefixes = snapshot_->vip_prefixes_;
        for (const ServiceSpec& spec : desired_.services) {
            keys.push_back(spec.key);
            prefixes.push_back(spec.key.prefix());
        }
        snapshot_->index_ = ServiceIndex(keys);
        for (const IpAddress& source : desired_.nat_sources) {
            prefixes.push_back({.address = source});
        }
        std::ranges::sort(prefixes);
        const auto repeated = std::ranges::unique(prefixes);
        prefixes.erase(repeated.begin(), repeated.end());
        for (const IpPrefix& prefix : prefixes) {
            if (prefix.host_bits == 0) {
                snapshot_->vips_.push_back(prefix.address);
            }
        }
    }

    const DesiredState& desired_;
    const IdRegistry& ids_;
    const Snapshot* previous_;
    std::shared_ptr<Snapshot> snapshot_ = std::make_shared<Snapshot>();
};

std::expected<std::shared_ptr<const Snapshot>, CompileError>
compile_snapshot(const DesiredState& desired, IdRegistry& ids, const Snapshot* previous) {
    if (auto error = check_desired_state(desired)) {
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
