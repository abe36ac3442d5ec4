// SPDX-License-Identifier: Apache-2.0
#include "tools/replay/replayer.hpp"

#include "tools/replay/capture.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

namespace penstock::replay {
namespace {

constexpr std::uint16_t headroom = 128; // as DPDK's buffers have
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
      services_(max_services),
      backends_(max_backends) {}

std::expected<std::unique_ptr<Replayer>, Refusal>
Replayer::create(const config::Configuration& configuration, const Settings& settings) {
    std::unique_ptr<Replayer> replayer(new Replayer(configuration, settings));
    if (auto compiled = replayer->compile(configuration); !compiled) {
        return std::unexpected(std::move(compiled.error()));
    }
    replayer->resolve_next_hops(configuration);
    return replayer;
}

std::expected<void, Refusal> Replayer::compile(const config::Configuration& configuration) {
    DesiredState desired = config::to_desired_state(configuration, settings_.flow_hash_key, 1);
    if (!desired.tunnel_sources.ipv4) {
        desired.tunnel_sources.ipv4 = IpPrefix::parse(default_tunnel_source_ipv4);
    }
    if (!desired.tunnel_sources.ipv6) {
        desired.tunnel_sources.ipv6 = IpPrefix::parse(default_tunnel_source_ipv6);
    }
    for (ServiceSpec& service : desired.services) {
        for (BackendSpec& backend : service.backends) {
            backend.health = Health::up;
        }
    }
    auto compiled = compile_snapshot(desired, ids_, nullptr);
    if (!compiled) {
        CompileError& error = compiled.error();
        return std::unexpected(
            Refusal{std::move(error.place), std::move(error.cause), std::move(error.remedy)}
        );
    }
    snapshot_ = std::move(*compiled);
    for (const ServiceSpec& service : desired.services) {
        services_[ids_.service(service.key).value] = {service.key, service.name};
        for (const BackendSpec& backend : service.backends) {
            backends_[ids_.backend(service.key, backend.key).value] = {backend.key, backend.name};
        }
    }
    return {};
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

void Replayer::forget_flows() {
    FlowTable& flows = worker_.flows();
    flows.sweep(flows.bucket_count(), [this](const FlowEntry& entry) {
        worker_.context().stats.backends[entry.backend.value].flows.subtract(1);
        return true;
    });
    worker_.context().stats.worker->flows.set(flows.size());
}

void Replayer::forget() {
    worker_.forget();
    now_s_ = 0;
}

void Replayer::pass_time(std::uint64_t time_ns) {
    const std::uint64_t then_s = now_s_;
    now_s_ = std::max(now_s_, time_ns / ns_per_s); // a capture that was merged may go back
    if (now_s_ / CoarseTime::seconds_per_tick == then_s / CoarseTime::seconds_per_tick ||
        worker_.flows().size() == 0) {
        return;
    }
    // Coarse time wraps: after a gap longer than every timeout it cannot tell what is old.
    if (now_s_ - then_s > max_flow_timeout_s) {
        forget_flows();
    } else {
        const CoarseTime now = CoarseTime::from_seconds(now_s_);
        expire_flows(worker_.context(), snapshot_.get(), now, worker_.flows().bucket_count());
    }
}

void Replayer::process_some(std::span<const Frame> frames, std::span<Outcome> outcomes) {
    std::array<std::unique_ptr<std::uint8_t[]>, max_burst> memory; // exact, for the sanitizers
    std::array<Packet, max_burst> packets;
    std::array<Verdict, max_burst> verdicts;
    for (std::size_t i = 0; i < frames.size(); ++i) {
        const Frame& frame = frames[i];
        memory[i] = std::make_unique<std::uint8_t[]>(headroom + frame.bytes.size());
        std::ranges::copy(frame.bytes, memory[i].get() + headroom);
        packets[i] = {
            .data = memory[i].get() + headroom,
            .length = static_cast<std::uint32_t>(frame.bytes.size()),
            .total_length = frame.length,
            .headroom = headroom,
            .rx_port = {0},
        };
    }
    process_burst(
        worker_.context(),
        snapshot_.get(),
        CoarseTime::from_seconds(now_s_),
        std::span(packets).first(frames.size()),
        std::span(verdicts).first(frames.size())
    );
    for (std::size_t i = 0; i < frames.size(); ++i) {
        Outcome& outcome = outcomes[i];
        outcome.verdict = verdicts[i];
        outcome.sent.clear();
        outcome.sent_length = 0;
        if (verdicts[i].kind == VerdictKind::forward || verdicts[i].kind == VerdictKind::reply) {
            outcome.sent.assign(packets[i].data, packets[i].data + packets[i].length);
            outcome.sent_length = packets[i].total_length;
        }
    }
}

void Replayer::process(std::span<const Frame> frames, std::span<Outcome> outcomes) {
    const std::size_t burst = settings_.flows == FlowKeeping::fresh ? 1 : max_burst;
    while (!frames.empty()) {
        pass_time(frames.front().time_ns);
        // A burst has one time: it ends where the next tick begins.
        const std::uint64_t end_s =
            (now_s_ / CoarseTime::seconds_per_tick + 1) * CoarseTime::seconds_per_tick;
        std::size_t count = 1;
        while (count < std::min(burst, frames.size()) && frames[count].time_ns / ns_per_s < end_s) {
            ++count;
        }
        process_some(frames.first(count), outcomes.first(count));
        if (settings_.flows == FlowKeeping::fresh) {
            forget_flows();
        }
        frames = frames.subspan(count);
        outcomes = outcomes.subspan(count);
    }
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
