// SPDX-License-Identifier: Apache-2.0
#include "dataplane/dpdk/instance.hpp"

#include "dataplane/dpdk/eal_arguments.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fmt/format.h>
#include <rte_errno.h>
#include <rte_launch.h>
#include <spdlog/spdlog.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <thread>
#include <unistd.h>

namespace penstock {

namespace {

// AF_XDP's buffers count as locked memory where the kernel has no cgroup accounting for them.
void raise_locked_memory() {
    const rlimit unlimited{.rlim_cur = RLIM_INFINITY, .rlim_max = RLIM_INFINITY};
    if (::setrlimit(RLIMIT_MEMLOCK, &unlimited) != 0) {
        spdlog::debug("the limit of locked memory stays as it is: {}", std::strerror(errno));
    }
}

bool is_adaptive(config::IdleMode mode, std::uint16_t cpu, const HostCpus& cpus) {
    switch (mode) {
    case config::IdleMode::spin:
        return false;
    case config::IdleMode::adaptive:
        return true;
    case config::IdleMode::automatic:
        return !cpus.isolated.contains(cpu);
    }
    std::abort();
}

// On the worker's lcore.
int launch(void* worker) {
    // 50 µs of slack, the default, would double every idle sleep.
    if (::prctl(PR_SET_TIMERSLACK, 1UL) != 0) {
        spdlog::debug("timer slack stays as it is: {}", std::strerror(errno));
    }
    static_cast<Worker*>(worker)->run();
    return 0;
}

} // namespace

std::expected<std::unique_ptr<Instance>, Refusal>
Instance::start(const config::DataplaneConfig& dataplane, const std::string& runtime_folder) {
    auto instance = std::unique_ptr<Instance>(new Instance(dataplane.workers.size()));
    auto cpus = read_host_cpus();
    if (!cpus) {
        return std::unexpected(cpus.error());
    }
    instance->cpus_ = std::move(*cpus);
    auto lcores = plan_lcores(dataplane, instance->cpus_);
    if (!lcores) {
        return std::unexpected(lcores.error());
    }
    instance->lcores_ = std::move(*lcores);
    auto folder = RuntimeFolder::claim(runtime_folder);
    if (!folder) {
        return std::unexpected(folder.error());
    }
    instance->folder_ = std::move(*folder);
    raise_locked_memory();

    Step step;
    if (!(step = instance->claim_interfaces(dataplane)) ||
        !(step = instance->start_eal(dataplane)) || !(step = instance->create_statistics()) ||
        !(step = instance->allocate_buffers()) || !(step = instance->open_ports(dataplane)) ||
        !(step = instance->launch_workers(dataplane)) ||
        !(step = instance->open_control(dataplane))) {
        return std::unexpected(step.error());
    }
    return instance;
}

Instance::Step Instance::claim_interfaces(const config::DataplaneConfig& dataplane) {
    std::uint16_t largest_mtu = 0;
    for (const config::PortConfig& port : dataplane.ports) {
        std::unique_ptr<InterfaceClaim> claim;
        largest_mtu = std::max(largest_mtu, port.mtu.value_or(0));
        if (port.interface) {
            auto taken = InterfaceClaim::take(port, dataplane.workers.size());
            if (!taken) {
                return std::unexpected(taken.error());
            }
            claim = std::move(*taken);
            largest_mtu = std::max(largest_mtu, static_cast<std::uint16_t>(claim->facts().mtu));
        }
        claims_.push_back(std::move(claim));
    }
    auto memory = plan_memory(dataplane, read_free_hugepage_mb(), largest_mtu);
    if (!memory) {
        return std::unexpected(memory.error());
    }
    memory_ = std::move(*memory);
    if (!memory_.note.empty()) {
        spdlog::info("{}", memory_.note);
    }
    return {};
}

Instance::Step Instance::start_eal(const config::DataplaneConfig& dataplane) {
    auto eal = Eal::start(
        make_eal_arguments(dataplane, lcores_, memory_, fmt::format("penstock-{}", ::getpid())),
        folder_->path()
    );
    if (!eal) {
        return std::unexpected(eal.error());
    }
    eal_ = std::move(*eal);
    return {};
}

Instance::Step Instance::create_statistics() {
    const std::vector<std::uint32_t> cpus(lcores_.worker_cpus.begin(), lcores_.worker_cpus.end());
    auto statistics = StatisticsWriter::create(folder_->path() + "/dataplane.stats", cpus);
    if (!statistics) {
        return std::unexpected(statistics.error());
    }
    statistics_ = std::move(*statistics);
    return {};
}

Instance::Step Instance::allocate_buffers() {
    for (std::size_t worker = 0; worker < lcores_.worker_cpus.size(); ++worker) {
        auto pool = make_packet_pool(memory_, worker);
        if (!pool) {
            return std::unexpected(pool.error());
        }
        pools_.push_back(std::move(*pool));
        auto flows = FlowMemory::allocate(memory_, worker);
        if (!flows) {
            return std::unexpected(flows.error());
        }
        flow_memory_.push_back(std::move(*flows));
    }
    return {};
}

Instance::Step Instance::open_ports(const config::DataplaneConfig& dataplane) {
    std::vector<std::unique_ptr<Port>> ports;
    for (std::size_t i = 0; i < dataplane.ports.size(); ++i) {
        const PortId id{static_cast<std::uint8_t>(i)};
        auto port = Port::open(id, dataplane.ports[i], std::move(claims_[i]), pools_);
        if (!port) {
            return std::unexpected(port.error());
        }
        const PortDescription& description = (*port)->description();
        port_facts_.push_back({.mac = description.mac, .mtu = description.mtu});
        ports.push_back(std::move(*port));
    }
    ports_ = std::make_unique<PortSet>(std::move(ports));
    return {};
}

void Instance::introduce_workers() {
    for (const auto& worker : workers_) {
        std::vector<WorkerTables> siblings;
        for (const auto& other : workers_) {
            if (other != worker) {
                siblings.push_back(other->tables());
            }
        }
        worker->set_siblings(std::move(siblings));
    }
}

Instance::Step Instance::launch_workers(const config::DataplaneConfig& dataplane) {
    for (std::size_t index = 0; index < lcores_.worker_cpus.size(); ++index) {
        WorkerSetup setup;
        setup.index = index;
        setup.worker_count = lcores_.worker_cpus.size();
        for (const auto& port : ports_->ports()) {
            setup.ports.push_back({
                .id = port->description().id,
                .dpdk_port = port->dpdk_port(),
                .queue = static_cast<std::uint16_t>(index),
                .receives = index < port->rx_queues(),
                .sends_segments = port->sends_segments(),
                .exception_port = port->exception_port(),
                .exception_frame_bytes = port->exception_frame_bytes(),
                .vlan = dataplane.ports[port->description().id.value].vlan.value_or(0),
            });
        }
        setup.port_facts = port_facts_;
        setup.flow_memory = flow_memory_[index]->bytes();
        setup.stats = statistics_->worker(index);
        setup.pool = pools_[index].get();
        setup.next_hops = &next_hops_;
        setup.path_mtus = &path_mtus_;
        setup.hand_over = &hand_over_;
        setup.publication = &publication_;
        setup.nat_flows = dataplane.nat_flows_per_worker;
        setup.is_adaptive = is_adaptive(dataplane.idle, lcores_.worker_cpus[index], cpus_);
        workers_.push_back(std::make_unique<Worker>(setup));
        spdlog::info(
            "worker {}: CPU {}, {} when idle",
            index,
            lcores_.worker_cpus[index],
            setup.is_adaptive ? "sleeps" : "spins"
        );
    }
    introduce_workers();
    for (std::size_t index = 0; index < workers_.size(); ++index) {
        const int error = ::rte_eal_remote_launch(launch, workers_[index].get(), lcore_of(index));
        if (error != 0) {
            return std::unexpected(Refusal{
                "DPDK",
                fmt::format("worker {} was not launched: {}", index, ::rte_strerror(-error)),
                "report it"
            });
        }
        ++launched_workers_;
    }
    return {};
}

Instance::Step Instance::open_control(const config::DataplaneConfig& dataplane) {
    std::vector<PortDescription> ports;
    for (const auto& port : ports_->ports()) {
        ports.push_back(port->description());
    }
    std::vector<WorkerDescription> workers;
    for (std::size_t index = 0; index < workers_.size(); ++index) {
        WorkerDescription worker{.lcore = lcores_.worker_cpus[index], .queues = {}};
        for (const auto& port : ports_->ports()) {
            if (index < port->rx_queues()) {
                worker.queues.push_back(
                    {.port = port->description().name, .queue = static_cast<std::uint16_t>(index)}
                );
            }
        }
        workers.push_back(std::move(worker));
    }
    std::vector<WorkerTables> worker_tables;
    for (const auto& worker : workers_) {
        worker_tables.push_back(worker->tables());
    }
    auto control = Control::create({
        .socket_path = folder_->path() + "/dataplane.sock",
        .ports = std::move(ports),
        .workers = std::move(workers),
        .neighbours = dataplane.neighbours,
        .statistics = *statistics_,
        .publication = publication_,
        .next_hops = next_hops_,
        .port_control = *ports_,
        .worker_tables = std::move(worker_tables),
        .path_mtus = &path_mtus_,
        .port_facts = port_facts_,
    });
    if (!control) {
        return std::unexpected(control.error());
    }
    control_ = std::move(*control);
    return {};
}

void Instance::stop_workers() {
    for (const auto& worker : workers_) {
        worker->request_stop();
    }
    for (std::size_t index = 0; index < launched_workers_; ++index) {
        (void)::rte_eal_wait_lcore(lcore_of(index)); // launch() returns 0
    }
}

Instance::~Instance() {
    if (control_) {
        // From here on VIP traffic is the kernel's; what stands in the rings still goes to its
        // backends.
        if (auto steered = ports_->steer_vips({}); !steered) {
            spdlog::warn("{}", to_string(steered.error()));
        }
        std::this_thread::sleep_for(ring_drain_time);
    }
    stop_workers();
    control_.reset();
}

} // namespace penstock
