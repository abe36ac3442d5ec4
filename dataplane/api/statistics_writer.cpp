// SPDX-License-Identifier: Apache-2.0
#include "dataplane/api/statistics.hpp"
#include "dataplane/api/statistics_layout.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <new>
#include <utility>

namespace penstock {

namespace layout = statistics_layout;

struct StatisticsWriter::Mapping {
    std::string path;
    std::byte* memory = nullptr;
    std::size_t bytes = 0;
    struct stat identity{}; ///< of the file, to remove no other
    bool named = false;     ///< the file has its name

    ~Mapping() {
        struct stat now{};
        if (named && ::stat(path.c_str(), &now) == 0 && now.st_ino == identity.st_ino &&
            now.st_dev == identity.st_dev) {
            ::unlink(path.c_str());
        }
        if (memory != nullptr) {
            ::munmap(memory, bytes);
        }
    }

    [[nodiscard]] layout::Header& header() const {
        return *reinterpret_cast<layout::Header*>(memory);
    }

    [[nodiscard]] layout::ServiceRecord& service(ServiceId id) const {
        auto* records = reinterpret_cast<layout::ServiceRecord*>(memory + header().services_offset);
        return records[id.value];
    }

    [[nodiscard]] layout::BackendRecord& backend(BackendId id) const {
        auto* records = reinterpret_cast<layout::BackendRecord*>(memory + header().backends_offset);
        return records[id.value];
    }

    [[nodiscard]] WorkerStats worker(std::size_t index) const {
        std::byte* const block =
            memory + header().workers_offset + index * layout::worker_block_bytes;
        std::byte* const services = block + sizeof(WorkerCounters);
        std::byte* const backends = services + max_services * sizeof(ServiceCounters);
        return {
            .worker = reinterpret_cast<WorkerCounters*>(block),
            .services = reinterpret_cast<ServiceCounters*>(services),
            .backends = reinterpret_cast<BackendCounters*>(backends),
        };
    }
};

namespace {

Refusal system_refusal(const std::string& path, const char* what, int error, const char* remedy) {
    return {path, fmt::format("{}: {}", what, std::generic_category().message(error)), remedy};
}

constexpr std::size_t round_up(std::size_t value) {
    return (value + 63) / 64 * 64;
}

std::uint64_t draw_instance_id() {
    std::uint64_t id = 0;
    while (id == 0) {
        // Does not fail for so few bytes once the kernel's pool is ready; 0 is drawn again.
        if (::getrandom(&id, sizeof(id), 0) != static_cast<ssize_t>(sizeof(id))) {
            id = 0;
        }
    }
    return id;
}

/// The header, constant parts filled; offsets in order, each on a cache line.
void make_header(layout::Header& header, std::span<const std::uint32_t> lcores) {
    header.magic = layout::magic;
    header.version = layout::version;
    header.header_bytes = layout::header_bytes;
    header.instance_id = draw_instance_id();
    header.pid = static_cast<std::uint64_t>(::getpid());
    header.started_unix_ns = static_cast<std::uint64_t>(
        std::chrono::nanoseconds{std::chrono::system_clock::now().time_since_epoch()}.count()
    );
    header.worker_count = static_cast<std::uint32_t>(lcores.size());
    header.drop_reason_count = drop_reason_count;
    header.service_count = max_services;
    header.backend_count = max_backends;
    header.service_record_bytes = sizeof(layout::ServiceRecord);
    header.backend_record_bytes = sizeof(layout::BackendRecord);
    header.worker_counters_bytes = sizeof(WorkerCounters);
    header.drop_names_offset = layout::header_bytes;
    header.services_offset =
        header.drop_names_offset + round_up(drop_reason_count * layout::drop_name_bytes);
    header.backends_offset = header.services_offset + max_services * sizeof(layout::ServiceRecord);
    header.workers_offset = header.backends_offset + max_backends * sizeof(layout::BackendRecord);
    header.worker_block_bytes = layout::worker_block_bytes;
    header.total_bytes = header.workers_offset + lcores.size() * layout::worker_block_bytes;
    std::ranges::copy(lcores, header.lcores.begin());
}

void make_drop_names(std::byte* names) {
    for (std::size_t i = 0; i < drop_reason_count; ++i) {
        const std::string_view name = drop_reason_name(static_cast<DropReason>(i));
        const std::size_t bytes = std::min(name.size(), layout::drop_name_bytes - 1);
        std::memcpy(names + i * layout::drop_name_bytes, name.data(), bytes);
    }
}

template <std::size_t Bytes>
void store_name(std::array<char, Bytes>& to, const std::string& name) {
    to = {};
    std::memcpy(to.data(), name.data(), std::min(name.size(), Bytes - 1));
}

} // namespace

StatisticsWriter::StatisticsWriter(std::unique_ptr<Mapping> mapping)
    : mapping_(std::move(mapping)) {}

StatisticsWriter::~StatisticsWriter() = default;

std::expected<std::unique_ptr<StatisticsWriter>, Refusal>
StatisticsWriter::create(const std::string& path, std::span<const std::uint32_t> lcores) {
    layout::Header header;
    make_header(header, lcores);
    const std::string temporary = fmt::format("{}.{}", path, header.pid);
    ::unlink(temporary.c_str()); // of a process with our pid that died here
    const int fd =
        ::open(temporary.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (fd < 0) {
        return std::unexpected(system_refusal(
            temporary, "cannot create the statistics", errno, "make its directory, writable by us"
        ));
    }
    auto mapping = std::make_unique<Mapping>();
    mapping->path = path;
    mapping->bytes = header.total_bytes;
    const auto refuse = [&](const char* what, int error, const char* remedy) {
        ::close(fd);
        ::unlink(temporary.c_str());
        return std::unexpected(system_refusal(temporary, what, error, remedy));
    };

    if (const int error = ::posix_fallocate(fd, 0, static_cast<off_t>(header.total_bytes))) {
        return refuse("cannot allocate the statistics", error, "free space on its file system");
    }
    void* const memory = ::mmap(
        nullptr, header.total_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0
    );
    if (memory == MAP_FAILED) {
        return refuse("cannot map the statistics", errno, "free memory");
    }
    mapping->memory = static_cast<std::byte*>(memory);

    // The zeroes of a new file are valid records and counters; objects begin their life here all
    // the same.
    layout::Header& placed = *new (memory) layout::Header;
    std::memcpy(memory, &header, offsetof(layout::Header, generation));
    make_drop_names(mapping->memory + placed.drop_names_offset);

    // The umask may have taken bits: readers are other users.
    if (::fchmod(fd, 0644) != 0 || ::fstat(fd, &mapping->identity) != 0 ||
        ::rename(temporary.c_str(), path.c_str()) != 0) {
        return refuse("cannot put the statistics in place", errno, "make its directory writable");
    }
    mapping->named = true;
    ::close(fd);
    return std::unique_ptr<StatisticsWriter>(new StatisticsWriter(std::move(mapping)));
}

std::size_t StatisticsWriter::worker_count() const {
    return mapping_->header().worker_count;
}

WorkerStats StatisticsWriter::worker(std::size_t index) const {
    return mapping_->worker(index);
}

std::uint64_t StatisticsWriter::instance_id() const {
    return mapping_->header().instance_id;
}

std::uint64_t StatisticsWriter::started_unix_ns() const {
    return mapping_->header().started_unix_ns;
}

const std::string& StatisticsWriter::path() const {
    return mapping_->path;
}

void StatisticsWriter::set_service(
    ServiceId id, const ServiceKey& key, const std::string& name, bool desired
) {
    layout::ServiceRecord& record = mapping_->service(id);
    layout::ServicePayload payload;
    (void)record.load(payload); // we are the only writer: it is at rest
    const layout::ServicePayload before = payload;
    const bool is_same = payload.state != layout::RecordState::free &&
                         payload.vip == key.vip.bytes() && payload.port == key.port &&
                         payload.protocol == key.protocol && payload.more_ports == key.more_ports &&
                         payload.host_bits == key.host_bits;
    if (!is_same) {
        payload = {};
        for (std::size_t i = 0; i < worker_count(); ++i) {
            const ServiceCounters& counters = worker(i).services[id.value];
            payload.base_packets += counters.packets.read();
            payload.base_bytes += counters.bytes.read();
            payload.base_new_flows += counters.new_flows.read();
            payload.base_dropped_packets += counters.dropped_packets.read();
        }
        payload.vip = key.vip.bytes();
        payload.port = key.port;
        payload.protocol = key.protocol;
        payload.more_ports = key.more_ports;
        payload.host_bits = key.host_bits;
    }
    payload.state = desired ? layout::RecordState::live : layout::RecordState::retired;
    store_name(payload.name, name);
    if (std::memcmp(&payload, &before, sizeof(payload)) == 0) {
        return;
    }
    record.store(payload);
    mapping_->header().epoch.fetch_add(1, std::memory_order_release);
}

void StatisticsWriter::set_backend(
    BackendId id, ServiceId service, const BackendKey& key, const std::string& name, bool desired
) {
    layout::BackendRecord& record = mapping_->backend(id);
    layout::BackendPayload payload;
    (void)record.load(payload);
    const layout::BackendPayload before = payload;
    const bool is_same = payload.state != layout::RecordState::free &&
                         payload.address == key.address.bytes() && payload.port == key.port &&
                         payload.service == service.value;
    if (!is_same) {
        payload = {};
        for (std::size_t i = 0; i < worker_count(); ++i) {
            const BackendCounters& counters = worker(i).backends[id.value];
            payload.base_packets += counters.packets.read();
            payload.base_bytes += counters.bytes.read();
            payload.base_new_flows += counters.new_flows.read();
        }
        payload.address = key.address.bytes();
        payload.port = key.port;
        payload.service = service.value;
    }
    payload.state = desired ? layout::RecordState::live : layout::RecordState::retired;
    store_name(payload.name, name);
    if (std::memcmp(&payload, &before, sizeof(payload)) == 0) {
        return;
    }
    record.store(payload);
    mapping_->header().epoch.fetch_add(1, std::memory_order_release);
}

void StatisticsWriter::clear_service(ServiceId id) {
    mapping_->service(id).store({});
    mapping_->header().epoch.fetch_add(1, std::memory_order_release);
}

void StatisticsWriter::clear_backend(BackendId id) {
    mapping_->backend(id).store({});
    mapping_->header().epoch.fetch_add(1, std::memory_order_release);
}

void StatisticsWriter::set_generation(std::uint64_t generation) {
    mapping_->header().generation.store(generation, std::memory_order_release);
}

void StatisticsWriter::sum_backend_flows(std::span<std::uint64_t> flows) const {
    std::ranges::fill(flows, 0);
    for (std::size_t i = 0; i < worker_count(); ++i) {
        const BackendCounters* const counters = worker(i).backends;
        for (std::size_t id = 0; id < flows.size(); ++id) {
            flows[id] += counters[id].flows.read();
        }
    }
}

} // namespace penstock
