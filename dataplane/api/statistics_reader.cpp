// SPDX-License-Identifier: Apache-2.0
// This file is long because nothing of what is mapped is believed before it is checked.
#include "dataplane/api/statistics.hpp"
#include "dataplane/api/statistics_layout.hpp"

#include <algorithm>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <optional>
#include <thread>
#include <utility>

namespace penstock {

namespace layout = statistics_layout;

/// What open() found and checked. Sizes are copies: the file may change under us, these do not.
struct StatisticsReader::Mapping {
    std::string path;
    int fd = -1;
    const std::byte* memory = nullptr;
    std::size_t bytes = 0;
    struct stat identity{};
    std::size_t worker_count = 0;
    std::size_t drop_count = 0;
    std::uint64_t drop_names_offset = 0;
    std::uint64_t services_offset = 0;
    std::uint64_t backends_offset = 0;
    std::uint64_t workers_offset = 0;

    Mapping() = default;
    Mapping(const Mapping&) = delete;
    Mapping& operator=(const Mapping&) = delete;

    ~Mapping() {
        if (memory != nullptr) {
            ::munmap(const_cast<std::byte*>(memory), bytes);
        }
        if (fd >= 0) {
            ::close(fd);
        }
    }

    [[nodiscard]] const layout::Header& header() const {
        return *reinterpret_cast<const layout::Header*>(memory);
    }

    [[nodiscard]] const std::byte* block(std::size_t worker) const {
        return memory + workers_offset + worker * layout::worker_block_bytes;
    }

    [[nodiscard]] const WorkerCounters& worker(std::size_t index) const {
        return *reinterpret_cast<const WorkerCounters*>(block(index));
    }

    [[nodiscard]] const ServiceCounters& service(std::size_t worker, std::size_t id) const {
        const std::byte* const first = block(worker) + sizeof(WorkerCounters);
        return reinterpret_cast<const ServiceCounters*>(first)[id];
    }

    [[nodiscard]] const BackendCounters& backend(std::size_t worker, std::size_t id) const {
        const std::byte* const first =
            block(worker) + sizeof(WorkerCounters) + max_services * sizeof(ServiceCounters);
        return reinterpret_cast<const BackendCounters*>(first)[id];
    }

    [[nodiscard]] const layout::ServiceRecord* service_records() const {
        return reinterpret_cast<const layout::ServiceRecord*>(memory + services_offset);
    }

    [[nodiscard]] const layout::BackendRecord* backend_records() const {
        return reinterpret_cast<const layout::BackendRecord*>(memory + backends_offset);
    }

    /// Counters of every worker together, less what stood there when the id was given out.
    [[nodiscard]] ServiceSample sum(std::size_t id, const layout::ServicePayload& record) const;
    [[nodiscard]] BackendSample sum(std::size_t id, const layout::BackendPayload& record) const;
};

namespace {

constexpr const char* foreign_remedy = "give the statistics file of a penstock-dp of this release";

std::unexpected<Refusal> refuse(const std::string& path, std::string cause, std::string remedy) {
    return std::unexpected(Refusal{path, std::move(cause), std::move(remedy)});
}

/// True if `count` elements of `bytes` at `offset` lie on cache lines behind the header and inside
/// the file.
bool is_inside(
    const layout::Header& header, std::uint64_t offset, std::size_t count, std::size_t bytes
) {
    // No product can overflow: counts are bounded by max_backends, sizes by a worker's block.
    return offset % 64 == 0 && offset >= layout::header_bytes && offset <= header.total_bytes &&
           count * bytes <= header.total_bytes - offset;
}

/// Nothing if every field of the header can be relied on, else what is wrong.
std::optional<std::string> find_fault(const layout::Header& header, std::size_t file_bytes) {
    if (header.magic != layout::magic) {
        return "not a statistics file of penstock-dp";
    }
    if (header.version != layout::version) {
        return fmt::format(
            "statistics layout {}, this program reads {}", header.version, layout::version
        );
    }
    if (header.total_bytes != file_bytes) {
        return fmt::format("{} bytes long, its header says {}", file_bytes, header.total_bytes);
    }
    if (header.header_bytes != layout::header_bytes || header.service_count != max_services ||
        header.backend_count != max_backends || header.drop_reason_count != drop_reason_count ||
        header.service_record_bytes != sizeof(layout::ServiceRecord) ||
        header.backend_record_bytes != sizeof(layout::BackendRecord) ||
        header.worker_counters_bytes != sizeof(WorkerCounters) ||
        header.worker_block_bytes != layout::worker_block_bytes) {
        return "its sizes are not those of this release";
    }
    if (header.worker_count == 0 || header.worker_count > max_workers) {
        return fmt::format("{} workers, 1 to {} are possible", header.worker_count, max_workers);
    }
    if (!is_inside(header, header.drop_names_offset, drop_reason_count, layout::drop_name_bytes) ||
        !is_inside(header, header.services_offset, max_services, sizeof(layout::ServiceRecord)) ||
        !is_inside(header, header.backends_offset, max_backends, sizeof(layout::BackendRecord)) ||
        !is_inside(
            header, header.workers_offset, header.worker_count, layout::worker_block_bytes
        )) {
        return "an offset in it points outside";
    }
    return std::nullopt;
}

/// Up to the first NUL, with control characters replaced: a name is going to be printed.
std::string to_name(const char* bytes, std::size_t max_bytes) {
    std::string name{bytes, ::strnlen(bytes, max_bytes)};
    for (char& c : name) {
        const auto byte = static_cast<unsigned char>(c);
        c = byte < 0x20 || byte == 0x7f ? '?' : c;
    }
    return name;
}

std::uint64_t now_ns() {
    return static_cast<std::uint64_t>(
        std::chrono::nanoseconds{std::chrono::steady_clock::now().time_since_epoch()}.count()
    );
}

WorkerSample sample_worker(const WorkerCounters& from, std::uint32_t lcore) {
    WorkerSample sample{.lcore = lcore, .generation = from.generation.read()};
    const std::uint64_t beat = from.heartbeat_ns.read();
    const std::uint64_t now = now_ns();
    sample.heartbeat_age_ns = beat == 0 ? UINT64_MAX : now - std::min(now, beat);
    WorkerTotals& to = sample.counters;
    to.rx_packets = from.rx_packets.read();
    to.rx_bytes = from.rx_bytes.read();
    to.tx_packets = from.tx_packets.read();
    to.tx_bytes = from.tx_bytes.read();
    to.to_kernel_packets = from.to_kernel_packets.read();
    to.replies = from.replies.read();
    to.pieces = from.pieces.read();
    to.nat_flows = from.nat_flows.read();
    to.nat_resting = from.nat_resting.read();
    to.nat_capacity = from.nat_capacity.read();
    to.nat_pool_fullest = from.nat_pool_fullest.read();
    to.nat_pool_ports = from.nat_pool_ports.read();
    to.nat_replies = from.nat_replies.read();
    to.handed_over = from.handed_over.read();
    to.flow_hits = from.flow_hits.read();
    to.flow_misses = from.flow_misses.read();
    to.flows_inserted = from.flows_inserted.read();
    to.flows_expired = from.flows_expired.read();
    to.flows_unplaced = from.flows_unplaced.read();
    to.flows_withheld = from.flows_withheld.read();
    to.flows = from.flows.read();
    to.flow_capacity = from.flow_capacity.read();
    to.polls = from.polls.read();
    to.empty_polls = from.empty_polls.read();
    to.busy_ns = from.busy_ns.read();
    to.late_polls = from.late_polls.read();
    return sample;
}

void add(WorkerTotals& to, const WorkerTotals& from) {
    to.rx_packets += from.rx_packets;
    to.rx_bytes += from.rx_bytes;
    to.tx_packets += from.tx_packets;
    to.tx_bytes += from.tx_bytes;
    to.to_kernel_packets += from.to_kernel_packets;
    to.replies += from.replies;
    to.pieces += from.pieces;
    to.nat_flows += from.nat_flows;
    to.nat_resting += from.nat_resting;
    to.nat_capacity += from.nat_capacity;
    to.nat_pool_fullest = std::max(to.nat_pool_fullest, from.nat_pool_fullest);
    to.nat_pool_ports = std::max(to.nat_pool_ports, from.nat_pool_ports);
    to.nat_replies += from.nat_replies;
    to.handed_over += from.handed_over;
    to.flow_hits += from.flow_hits;
    to.flow_misses += from.flow_misses;
    to.flows_inserted += from.flows_inserted;
    to.flows_expired += from.flows_expired;
    to.flows_unplaced += from.flows_unplaced;
    to.flows_withheld += from.flows_withheld;
    to.flows += from.flows;
    to.flow_capacity += from.flow_capacity;
    to.polls += from.polls;
    to.empty_polls += from.empty_polls;
    to.busy_ns += from.busy_ns;
    to.late_polls += from.late_polls;
    to.dropped_packets += from.dropped_packets;
}

/// False if the record is written without end: its writer died in the middle of it, or lies.
template <typename Payload>
bool load_at_rest(const layout::Record<Payload>& record, Payload& payload) {
    constexpr int attempts = 1000;
    for (int i = 0; i < attempts; ++i) {
        if (record.load(payload)) {
            return true;
        }
        std::this_thread::yield();
    }
    return false;
}

/// A hostile baseline must not make a count wrap around.
std::uint64_t since(std::uint64_t base, std::uint64_t value) {
    return value - std::min(base, value);
}

bool names_something(layout::RecordState state) {
    return state == layout::RecordState::live || state == layout::RecordState::retired;
}

} // namespace

ServiceSample
StatisticsReader::Mapping::sum(std::size_t id, const layout::ServicePayload& record) const {
    ServiceSample to;
    to.id = {static_cast<std::uint16_t>(id)};
    to.name = to_name(record.name.data(), record.name.size());
    to.key = {
        .vip = IpAddress::from_ipv6(record.vip),
        .protocol = record.protocol,
        .port = record.port,
        .more_ports = record.more_ports,
        .host_bits = record.host_bits,
    };
    to.desired = record.state == layout::RecordState::live;
    for (std::size_t i = 0; i < worker_count; ++i) {
        const ServiceCounters& counters = service(i, id);
        to.packets += counters.packets.read();
        to.bytes += counters.bytes.read();
        to.new_flows += counters.new_flows.read();
        to.dropped_packets += counters.dropped_packets.read();
    }
    to.packets = since(record.base_packets, to.packets);
    to.bytes = since(record.base_bytes, to.bytes);
    to.new_flows = since(record.base_new_flows, to.new_flows);
    to.dropped_packets = since(record.base_dropped_packets, to.dropped_packets);
    return to;
}

BackendSample
StatisticsReader::Mapping::sum(std::size_t id, const layout::BackendPayload& record) const {
    BackendSample to;
    to.id = {static_cast<std::uint16_t>(id)};
    to.service = {record.service};
    to.name = to_name(record.name.data(), record.name.size());
    to.key = {IpAddress::from_ipv6(record.address), record.port};
    to.desired = record.state == layout::RecordState::live;
    for (std::size_t i = 0; i < worker_count; ++i) {
        const BackendCounters& counters = backend(i, id);
        to.packets += counters.packets.read();
        to.bytes += counters.bytes.read();
        to.new_flows += counters.new_flows.read();
        to.flows += counters.flows.read();
    }
    to.packets = since(record.base_packets, to.packets);
    to.bytes = since(record.base_bytes, to.bytes);
    to.new_flows = since(record.base_new_flows, to.new_flows);
    return to;
}

StatisticsReader::StatisticsReader(std::unique_ptr<Mapping> mapping)
    : mapping_(std::move(mapping)) {}

StatisticsReader::StatisticsReader(StatisticsReader&&) noexcept = default;
StatisticsReader& StatisticsReader::operator=(StatisticsReader&&) noexcept = default;
StatisticsReader::~StatisticsReader() = default;

std::expected<StatisticsReader, Refusal> StatisticsReader::open(const std::string& path) {
    auto mapping = std::make_unique<Mapping>();
    mapping->path = path;
    // O_NONBLOCK: a FIFO in its place must not hold us.
    mapping->fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (mapping->fd < 0) {
        const bool is_missing = errno == ENOENT;
        return refuse(
            path,
            fmt::format("cannot open the statistics: {}", std::generic_category().message(errno)),
            is_missing ? "start penstock-dp, or name its statistics file"
                       : "look at its permissions"
        );
    }
    if (::fstat(mapping->fd, &mapping->identity) != 0 || !S_ISREG(mapping->identity.st_mode)) {
        return refuse(path, "not a regular file", foreign_remedy);
    }
    mapping->bytes = static_cast<std::size_t>(mapping->identity.st_size);
    if (mapping->bytes < layout::header_bytes) {
        return refuse(path, fmt::format("only {} bytes long", mapping->bytes), foreign_remedy);
    }
    void* const memory = ::mmap(nullptr, mapping->bytes, PROT_READ, MAP_SHARED, mapping->fd, 0);
    if (memory == MAP_FAILED) {
        return refuse(
            path,
            fmt::format("cannot map the statistics: {}", std::generic_category().message(errno)),
            "free memory"
        );
    }
    mapping->memory = static_cast<const std::byte*>(memory);

    // Checked in a copy, so that nothing changes between the check and its use.
    layout::Header header;
    std::memcpy(static_cast<void*>(&header), mapping->memory, offsetof(layout::Header, generation));
    if (const auto fault = find_fault(header, mapping->bytes)) {
        return refuse(path, *fault, foreign_remedy);
    }
    mapping->worker_count = header.worker_count;
    mapping->drop_count = header.drop_reason_count;
    mapping->drop_names_offset = header.drop_names_offset;
    mapping->services_offset = header.services_offset;
    mapping->backends_offset = header.backends_offset;
    mapping->workers_offset = header.workers_offset;
    return StatisticsReader(std::move(mapping));
}

std::expected<Statistics, Refusal> StatisticsReader::read() const {
    const Mapping& from = *mapping_;
    struct stat now{};
    if (::fstat(from.fd, &now) != 0 || now.st_size < from.identity.st_size) {
        return refuse(from.path, "the file was cut short", foreign_remedy);
    }
    const layout::Header& header = from.header();
    Statistics out{
        .instance_id = header.instance_id,
        .pid = header.pid,
        .started_unix_ns = header.started_unix_ns,
        .generation = header.generation.load(std::memory_order_acquire),
    };
    const auto* const names = reinterpret_cast<const char*>(from.memory + from.drop_names_offset);
    for (std::size_t i = 0; i < from.drop_count; ++i) {
        const char* const name = names + i * layout::drop_name_bytes;
        out.drops.push_back({to_name(name, layout::drop_name_bytes), 0});
    }
    for (std::size_t i = 0; i < from.worker_count; ++i) {
        WorkerSample& sample =
            out.workers.emplace_back(sample_worker(from.worker(i), header.lcores[i]));
        for (std::size_t reason = 0; reason < from.drop_count; ++reason) {
            const std::uint64_t packets = from.worker(i).drops[reason].read();
            out.drops[reason].packets += packets;
            sample.counters.dropped_packets += packets;
        }
        add(out.totals, sample.counters);
    }

    const auto half_written = [&from] {
        return refuse(from.path, "a record stays half written", "restart penstock-dp");
    };
    for (std::size_t id = 0; id < max_services; ++id) {
        layout::ServicePayload record;
        if (!load_at_rest(from.service_records()[id], record)) {
            return half_written();
        }
        if (names_something(record.state)) {
            out.services.push_back(from.sum(id, record));
        }
    }
    for (std::size_t id = 1; id < max_backends; ++id) {
        layout::BackendPayload record;
        if (!load_at_rest(from.backend_records()[id], record)) {
            return half_written();
        }
        if (names_something(record.state)) {
            out.backends.push_back(from.sum(id, record));
        }
    }
    return out;
}

bool StatisticsReader::is_replaced() const {
    struct stat now{};
    return ::stat(mapping_->path.c_str(), &now) != 0 || now.st_ino != mapping_->identity.st_ino ||
           now.st_dev != mapping_->identity.st_dev;
}

} // namespace penstock
