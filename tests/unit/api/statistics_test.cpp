// SPDX-License-Identifier: Apache-2.0
// What the dataplane writes is what a reader gets; what anybody else wrote is refused, never a
// crash.
#include "dataplane/api/statistics.hpp"

#include "dataplane/api/statistics_layout.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <random>
#include <thread>

namespace penstock {
namespace {

namespace layout = statistics_layout;

const ServiceKey web{*IpAddress::parse("198.51.100.10"), Protocol::tcp, 80};
const ServiceKey dns{*IpAddress::parse("2001:db8::"), Protocol::udp, 53, 7, 64};
const BackendKey first{*IpAddress::parse("10.0.1.11"), 80};
const BackendKey second{*IpAddress::parse("10.0.1.12"), 80};

class StatisticsTest : public testing::Test {
protected:
    void SetUp() override {
        std::string pattern = (std::filesystem::temp_directory_path() / "penstock-XXXXXX").string();
        ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
        directory_ = pattern;
        path_ = (directory_ / "dataplane.stats").string();
    }

    void TearDown() override { std::filesystem::remove_all(directory_); }

    std::unique_ptr<StatisticsWriter> make_writer(std::vector<std::uint32_t> lcores = {1, 3}) {
        auto writer = StatisticsWriter::create(path_, lcores);
        EXPECT_TRUE(writer) << to_string(writer.error());
        return std::move(*writer);
    }

    Statistics read() {
        auto reader = StatisticsReader::open(path_);
        EXPECT_TRUE(reader) << to_string(reader.error());
        auto sample = reader->read();
        EXPECT_TRUE(sample) << to_string(sample.error());
        return std::move(*sample);
    }

    /// A private copy of a live file, for spoiling.
    std::string copy() {
        const std::string to = path_ + ".copy";
        std::filesystem::copy_file(path_, to, std::filesystem::copy_options::overwrite_existing);
        return to;
    }

    std::filesystem::path directory_;
    std::string path_;
};

template <typename Value>
void overwrite(const std::string& path, std::size_t offset, Value value) {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(static_cast<std::streamoff>(offset));
    file.write(reinterpret_cast<const char*>(&value), sizeof(value));
}

TEST_F(StatisticsTest, SumsWorkers) {
    const auto writer = make_writer();
    writer->set_service({0}, web, "web", true);
    writer->set_backend({1}, {0}, first, "web-1", true);
    writer->set_generation(42);
    for (std::size_t i = 0; i < 2; ++i) {
        const WorkerStats stats = writer->worker(i);
        stats.worker->rx_packets.add(10 + i);
        stats.worker->generation.set(42);
        stats.worker->drops[static_cast<std::size_t>(DropReason::no_backend)].add(3);
        stats.services[0].packets.add(7);
        stats.backends[1].packets.add(5);
        stats.backends[1].flows.set(2);
    }
    const Statistics sample = read();
    EXPECT_EQ(sample.instance_id, writer->instance_id());
    EXPECT_EQ(sample.pid, static_cast<std::uint64_t>(::getpid()));
    EXPECT_EQ(sample.generation, 42U);
    EXPECT_EQ(sample.totals.rx_packets, 21U);
    EXPECT_EQ(sample.totals.dropped_packets, 6U);
    ASSERT_EQ(sample.workers.size(), 2U);
    EXPECT_EQ(sample.workers[1].lcore, 3U);
    EXPECT_EQ(sample.workers[1].counters.rx_packets, 11U);
    EXPECT_EQ(sample.workers[1].heartbeat_age_ns, UINT64_MAX);
    ASSERT_EQ(sample.drops.size(), drop_reason_count);
    EXPECT_EQ(sample.drops[static_cast<std::size_t>(DropReason::no_backend)].reason, "no_backend");
    EXPECT_EQ(sample.drops[static_cast<std::size_t>(DropReason::no_backend)].packets, 6U);
    ASSERT_EQ(sample.services.size(), 1U);
    EXPECT_EQ(sample.services[0].name, "web");
    EXPECT_EQ(sample.services[0].key, web);
    EXPECT_EQ(sample.services[0].packets, 14U);
    ASSERT_EQ(sample.backends.size(), 1U);
    EXPECT_EQ(sample.backends[0].key, first);
    EXPECT_EQ(sample.backends[0].packets, 10U);
    EXPECT_EQ(sample.backends[0].flows, 4U);
}

TEST_F(StatisticsTest, StartsReusedIdsAtZero) {
    const auto writer = make_writer();
    writer->set_service({0}, web, "web", true);
    writer->set_backend({1}, {0}, first, "web-1", true);
    writer->worker(0).backends[1].packets.add(100);
    writer->worker(1).services[0].dropped_packets.add(9);

    writer->set_backend({1}, {0}, first, "renamed", false);
    EXPECT_EQ(read().backends.at(0).packets, 100U) << "a new name or state is no new backend";
    EXPECT_EQ(read().backends.at(0).name, "renamed");
    EXPECT_FALSE(read().backends.at(0).desired);

    writer->clear_backend({1});
    writer->clear_service({0});
    EXPECT_TRUE(read().backends.empty());
    EXPECT_TRUE(read().services.empty());

    writer->set_service({0}, dns, "dns", true);
    writer->set_backend({1}, {0}, second, "dns-1", true);
    writer->worker(0).backends[1].packets.add(1);
    EXPECT_EQ(read().backends.at(0).packets, 1U);
    EXPECT_EQ(read().services.at(0).dropped_packets, 0U);
    EXPECT_EQ(read().services.at(0).key, dns);
}

TEST_F(StatisticsTest, ReplacesWhatWasLeftAndSaysSoToReaders) {
    auto writer = make_writer();
    const std::uint64_t id = writer->instance_id();
    auto reader = StatisticsReader::open(path_);
    ASSERT_TRUE(reader);
    EXPECT_FALSE(reader->is_replaced());
    const auto next = make_writer();
    EXPECT_NE(next->instance_id(), id);
    EXPECT_TRUE(reader->is_replaced());
    EXPECT_TRUE(reader->read()) << "the old file stays readable";
    writer.reset();
    EXPECT_TRUE(std::filesystem::exists(path_)) << "an old writer must not remove a new one's file";
    struct stat now{};
    ASSERT_EQ(::stat(path_.c_str(), &now), 0);
    EXPECT_EQ(now.st_mode & 0777U, 0644U);
    EXPECT_EQ(std::distance(std::filesystem::directory_iterator(directory_), {}), 1)
        << "no leftovers";
}

TEST_F(StatisticsTest, RemovesItsFileInTheEnd) {
    make_writer().reset();
    EXPECT_FALSE(std::filesystem::exists(path_));
    const auto reader = StatisticsReader::open(path_);
    ASSERT_FALSE(reader);
    EXPECT_NE(reader.error().remedy.find("start penstock-dp"), std::string::npos);
}

TEST_F(StatisticsTest, RefusesADirectoryThatIsNotThere) {
    const std::vector<std::uint32_t> lcores{1};
    const auto writer = StatisticsWriter::create((directory_ / "none" / "s").string(), lcores);
    ASSERT_FALSE(writer);
    EXPECT_FALSE(writer.error().remedy.empty());
}

TEST_F(StatisticsTest, RefusesTruncatedFiles) {
    const auto writer = make_writer();
    const std::size_t whole = std::filesystem::file_size(path_);
    for (const std::size_t bytes :
         {std::size_t{0}, std::size_t{8}, std::size_t{4095}, std::size_t{4096}, whole - 1}) {
        const std::string path = copy();
        std::filesystem::resize_file(path, bytes);
        EXPECT_FALSE(StatisticsReader::open(path)) << bytes;
    }
}

TEST_F(StatisticsTest, NoticesAFileCutShortUnderIt) {
    const auto writer = make_writer();
    const std::string path = copy();
    auto reader = StatisticsReader::open(path);
    ASSERT_TRUE(reader);
    std::filesystem::resize_file(path, 4096);
    EXPECT_FALSE(reader->read());
}

TEST_F(StatisticsTest, RefusesEveryWrongFieldOfTheHeader) {
    const auto writer = make_writer();
    EXPECT_TRUE(StatisticsReader::open(copy())) << "the copy itself is good";
    const std::vector<std::size_t> fields{
        offsetof(layout::Header, magic),
        offsetof(layout::Header, version),
        offsetof(layout::Header, header_bytes),
        offsetof(layout::Header, total_bytes),
        offsetof(layout::Header, worker_count),
        offsetof(layout::Header, drop_reason_count),
        offsetof(layout::Header, service_count),
        offsetof(layout::Header, backend_count),
        offsetof(layout::Header, service_record_bytes),
        offsetof(layout::Header, backend_record_bytes),
        offsetof(layout::Header, worker_counters_bytes),
        offsetof(layout::Header, drop_names_offset),
        offsetof(layout::Header, services_offset),
        offsetof(layout::Header, backends_offset),
        offsetof(layout::Header, workers_offset),
        offsetof(layout::Header, worker_block_bytes),
    };
    for (const std::size_t field : fields) {
        for (const std::uint32_t value : {0U, 65U, 0x7fffffc0U, 0xffffffffU}) {
            const std::string path = copy();
            overwrite(path, field, value);
            EXPECT_FALSE(StatisticsReader::open(path)) << field << " = " << value;
        }
    }
}

TEST_F(StatisticsTest, RefusesThingsThatAreNoFiles) {
    EXPECT_FALSE(StatisticsReader::open(directory_.string()));
    EXPECT_FALSE(StatisticsReader::open("/dev/zero"));
    const std::string fifo = (directory_ / "fifo").string();
    ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
    EXPECT_FALSE(StatisticsReader::open(fifo)) << "and must not wait for its writer";
}

TEST_F(StatisticsTest, SurvivesRandomContents) {
    const auto writer = make_writer({1});
    writer->set_backend({1}, {0}, first, "web-1", true);
    std::mt19937_64 random(7);
    const std::size_t whole = std::filesystem::file_size(path_);
    int refused = 0;
    for (int round = 0; round < 20; ++round) {
        const std::string path = copy();
        for (int i = 0; i < 2000; ++i) { // everything behind the header
            overwrite(path, 4096 + random() % (whole - 4096 - 8), random());
        }
        auto reader = StatisticsReader::open(path);
        ASSERT_TRUE(reader);
        refused += reader->read() ? 0 : 1;
    }
    EXPECT_GT(refused, 0) << "a record that stays odd must be refused";
}

TEST_F(StatisticsTest, RefusesARecordThatStaysHalfWritten) {
    const auto writer = make_writer();
    const std::string path = copy();
    overwrite(
        path,
        layout::header_bytes + 48 * drop_reason_count + 63 - (48 * drop_reason_count + 63) % 64,
        std::uint64_t{1}
    );
    auto reader = StatisticsReader::open(path);
    ASSERT_TRUE(reader);
    EXPECT_FALSE(reader->read());
}

// Under TSan this is the test that the seqlock and the counters are free of races.
TEST_F(StatisticsTest, NeverShowsHalfARecord) {
    const auto writer = make_writer({1});
    auto reader = StatisticsReader::open(path_);
    ASSERT_TRUE(reader);
    std::atomic<bool> stop{false};
    std::thread directory([&] {
        for (int i = 0; !stop.load(std::memory_order_relaxed); ++i) {
            writer->clear_backend({1});
            if (i % 2 == 0) {
                writer->set_backend({1}, {0}, first, std::string(63, 'a'), true);
            } else {
                writer->set_backend({1}, {5}, second, std::string(63, 'b'), false);
            }
            // A directory changes a few times a second; without a pause nothing could ever be read.
            std::this_thread::sleep_for(std::chrono::microseconds(200));
        }
    });
    std::thread worker([&] {
        while (!stop.load(std::memory_order_relaxed)) {
            writer->worker(0).worker->rx_packets.add(1);
        }
    });
    int seen = 0;
    std::uint64_t last = 0;
    for (int i = 0; i < 200; ++i) {
        const auto sample = reader->read();
        ASSERT_TRUE(sample) << to_string(sample.error());
        EXPECT_GE(sample->totals.rx_packets, last);
        last = sample->totals.rx_packets;
        for (const BackendSample& backend : sample->backends) {
            ++seen;
            const bool is_first = backend.key == first;
            EXPECT_EQ(backend.name, std::string(63, is_first ? 'a' : 'b'));
            EXPECT_EQ(backend.service.value, is_first ? 0 : 5);
            EXPECT_EQ(backend.desired, is_first);
        }
    }
    stop.store(true);
    directory.join();
    worker.join();
    EXPECT_GT(seen, 0);
}

} // namespace
} // namespace penstock
