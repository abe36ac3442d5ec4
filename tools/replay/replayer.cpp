// SPDX-License-Identifier: Apache-2.0
#include "tools/replay/replayer.hpp"

#include "tools/replay/capture.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

namespace penstock::replay {
namespace {

constexpr std::uint64_t ns_per_ms = 1'000'000;
constexpr std::uint16_t default_mtu = 1500;
constexpr std::string_view default_tunnel_source_ipv4 = "192.0.0.8"; // RFC 7600
constexpr std::string_view default_tunnel_source_ipv6 = "100::8";    // RFC 6666: discarded anywhere

// Fresh flows are forgotten after each packet, which costs the size of the table.
std::size_t table_bytes_for(const config::Configuration& configuration, FlowKeeping keeping) {
    return FlowTable::bytes_for(
        keeping == FlowKeeping::fresh ? 1 : configuration.dataplane.flows_per_worker
    );
}

MacAddress port_mac(std::size_t index) {
    return {{0x02, 0x70, 0x63, 0x61, 0x70, static_cast<std::uint8_t>(index)}};
}

MacAddress synthetic_mac(const IpAddress& address) {
    MacAddress mac{{0x02, static_cast<std::uint8_t>(address.is_ipv4() ? 4 : 6), 0, 0, 0, 0}};
    if (address.is_ipv4()) {
        const Be32 raw = address.ipv4();
        std::memcpy(mac.bytes.data() + 2, &raw, sizeof raw);
    } else {
        std::memcpy(mac.bytes.data() + 2, address.bytes().data() + 12, 4);
    }
    return mac;
}

std::vector<PortFacts> make_ports(const config::Configuration& configuration) {
    std::vector<PortFacts> ports;
    for (const config::PortConfig& port : configuration.dataplane.ports) {
        ports.push_back({.mac = port_mac(ports.size()), .mtu = port.mtu.value_or(default_mtu)});
    }
    if (ports.empty()) {
        ports.push_back({.mac = port_mac(0), .mtu = default_mtu});
    }
    return ports;
}

std::optional<PortId>
find_port(const config::Configuration& configuration, const std::string& name) {
    const auto& ports = configuration.dataplane.ports;
    const auto found = std::ranges::find(ports, name, &config::PortConfig::name);
    if (found == ports.end()) {
        return std::nullopt;
    }
    return PortId{static_cast<std::uint8_t>(found - ports.begin())};
}

} // namespace

Replayer::Replayer(const config::Configuration& configuration, const Settings& settings)
    : settings_(settings),
      table_(table_bytes_for(configuration, settings.flows)),
      ports_(make_ports(configuration)),
      worker_(table_.span(), ports_),
      desired_(config::to_desired_state(configuration, settings.flow_hash_key, 1)),
      services_(max_services),
      backends_(max_backends) {
    if (!desired_.tunnel_sources.ipv4) {
        desired_.tunnel_sources.ipv4 = IpPrefix::parse(default_tunnel_source_ipv4);
    }
    if (!desired_.tunnel_sources.ipv6) {
        desired_.tunnel_sources.ipv6 = IpPrefix::parse(default_tunnel_source_ipv6);
    }
    for (ServiceSpec& service : desired_.services) {
        for (BackendSpec& backend : service.backends) {
            backend.health = Health::up;
        }
    }
    std::vector<std::uint16_t> vlans;
    for (const config::PortConfig& port : configuration.dataplane.ports) {
        vlans.push_back(port.vlan.value_or(0));
    }
    worker_.set_vlans(std::move(vlans));
}

std::expected<std::unique_ptr<Replayer>, Refusal>
Replayer::create(const config::Configuration& configuration, const Settings& settings) {
    std::unique_ptr<Replayer> replayer(new Replayer(configuration, settings));
    if (auto compiled = replayer->compile(); !compiled) {
        return std::unexpected(std::move(compiled.error()));
    }
    replayer->note_names();
    replayer->resolve_next_hops(configuration);
    return replayer;
}

std::expected<void, Refusal> Replayer::compile() {
    auto compiled = compile_snapshot(desired_, ids_, snapshot_.get());
    if (!compiled) {
        CompileError& error = compiled.error();
        return std::unexpected(
            Refusal{std::move(error.place), std::move(error.cause), std::move(error.remedy)}
        );
    }
    snapshot_ = std::move(*compiled);
    return {};
}

void Replayer::note_names() {
    for (const ServiceSpec& service : desired_.services) {
        services_[ids_.service(service.key).value] = {service.key, service.name};
        for (const BackendSpec& backend : service.backends) {
            backends_[ids_.backend(service.key, backend.key).value] = {backend.key, backend.name};
        }
    }
}

void Replayer::resolve_next_hops(const config::Configuration& configuration) {
    const auto& neighbours = configuration.dataplane.neighbours;
    for (const Snapshot::Target& target : snapshot_->targets()) {
        const auto known =
            std::ranges::find(neighbours, target.address, &config::NeighbourConfig::address);
        if (known != neighbours.end()) {
            const PortId port = find_port(configuration, known->port).value_or(PortId{0});
            worker_.next_hops().set(target.id, {.mac = known->mac, .port = port});
        } else if (settings_.next_hops == NextHops::synthetic) {
            worker_.next_hops().set(target.id, {.mac = synthetic_mac(target.address), .port = {0}});
        }
    }
}

void Replayer::forget() {
    worker_.forget();
    frames_ = 0;
    last_time_ns_ = 0;
}

bool Replayer::set_health(std::string_view service, std::string_view backend, Health health) {
    const auto found = std::ranges::find(desired_.services, service, &ServiceSpec::name);
    if (found == desired_.services.end()) {
        return false;
    }
    const auto server = std::ranges::find(found->backends, backend, &BackendSpec::name);
    if (server == found->backends.end()) {
        return false;
    }
    server->health = health;
    return compile().has_value();
}

// A burst has one time: it ends where the next tick begins.
std::size_t Replayer::burst_length(std::span<const Frame> frames) const {
    constexpr std::uint64_t ns_per_tick = CoarseTime::seconds_per_tick * ns_per_s;
    const std::size_t most = settings_.flows == FlowKeeping::fresh ? 1 : settings_.burst;
    const std::uint64_t now_ns = std::max(worker_.now_ms() * ns_per_ms, frames.front().time_ns);
    std::size_t count = 1;
    while (count < std::min(most, frames.size()) &&
           frames[count].time_ns / ns_per_tick <= now_ns / ns_per_tick) {
        ++count;
    }
    return count;
}

void Replayer::take(std::span<const Frame> burst, std::vector<Outcome>& decided) {
    for (OfflineOutcome& outcome : outcomes_) {
        // Of this burst, or held back before it and released by it.
        const bool is_own = outcome.id >= frames_ && outcome.id < frames_ + burst.size();
        decided.push_back({
            .index = outcome.id,
            .time_ns = is_own ? burst[outcome.id - frames_].time_ns : last_time_ns_,
            .verdict = outcome.verdict,
            .sent = std::move(outcome.sent),
        });
    }
    outcomes_.clear();
}

void Replayer::process_burst(std::span<const Frame> burst, std::vector<Outcome>& decided) {
    std::array<OfflineFrame, max_burst> frames;
    for (std::size_t i = 0; i < burst.size(); ++i) {
        frames[i] = {.id = frames_ + i, .bytes = burst[i].bytes, .length = burst[i].length};
    }
    last_time_ns_ = burst.front().time_ns;
    worker_.pass_time(snapshot_.get(), last_time_ns_ / ns_per_ms, outcomes_);
    take({}, decided);
    last_time_ns_ = burst.back().time_ns;
    worker_.send(snapshot_.get(), std::span(frames).first(burst.size()), outcomes_);
    take(burst, decided);
    frames_ += burst.size();
    if (settings_.flows == FlowKeeping::fresh) {
        worker_.forget_flows();
    }
}

void Replayer::process(std::span<const Frame> frames, std::vector<Outcome>& decided) {
    while (!frames.empty()) {
        const std::size_t count = burst_length(frames);
        process_burst(frames.first(count), decided);
        frames = frames.subspan(count);
    }
}

void Replayer::finish(std::vector<Outcome>& decided) {
    worker_.end_waits(snapshot_.get(), outcomes_);
    take({}, decided);
}

Destination Replayer::destination(const Verdict& verdict) const {
    Destination found;
    if (verdict.service != null_service && services_[verdict.service.value]) {
        found.service = services_[verdict.service.value]->name;
        found.service_key = &services_[verdict.service.value]->key;
    }
    if (verdict.backend != null_backend && backends_[verdict.backend.value]) {
        found.backend = backends_[verdict.backend.value]->name;
        found.backend_key = &backends_[verdict.backend.value]->key;
    }
    return found;
}

} // namespace penstock::replay
