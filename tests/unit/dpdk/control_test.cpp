// SPDX-License-Identifier: Apache-2.0
// This file is long because every case drives the same fixture, a control half with fake workers.
// The control half as one: real socket, builder, Publication and statistics; the workers are
// threads that do what workers do with a snapshot, the ports have static neighbours.
#include "dataplane/dpdk/control.hpp"

#include "dataplane/api/client.hpp"
#include "dataplane/api/codec.hpp"
#include "tests/unit/dpdk/fake_workers.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <mutex>

namespace penstock {
namespace {

using std::chrono::milliseconds;
constexpr milliseconds patience{20'000};

class RecordingPorts final : public PortControl {
public:
    std::expected<void, Refusal> steer_vips(std::span<const IpPrefix> vips) override {
        const std::lock_guard lock(mutex_);
        if (vips.size() > max_vips) {
            return std::unexpected(Refusal{"steering", "the map is full", "use fewer VIPs"});
        }
        steered.emplace_back(vips.begin(), vips.end());
        return {};
    }

    std::expected<void, Refusal> steer_tunnels(const TunnelMarks& tunnels) override {
        const std::lock_guard lock(mutex_);
        marks = tunnels;
        return {};
    }

    void announce_vips(std::span<const IpAddress> vips) override {
        const std::lock_guard lock(mutex_);
        announced.insert(announced.end(), vips.begin(), vips.end());
        most_at_once = std::max(most_at_once.load(), vips.size());
    }

    PortObservation observe_port(PortId) override {
        return {
            LinkState::up, SteeringCounters{.to_workers = 1, .to_kernel = 2, .without_socket = 3}
        };
    }

    std::vector<IpPrefix> last_steered() {
        const std::lock_guard lock(mutex_);
        return steered.empty() ? std::vector<IpPrefix>{} : steered.back();
    }

    TunnelMarks last_marks() {
        const std::lock_guard lock(mutex_);
        return marks;
    }

    std::vector<IpAddress> all_announced() {
        const std::lock_guard lock(mutex_);
        return announced;
    }

    std::atomic<std::size_t> max_vips{1000};
    std::atomic<std::size_t> most_at_once{0}; ///< announced in one call

private:
    std::mutex mutex_;
    std::vector<std::vector<IpPrefix>> steered;
    TunnelMarks marks;
    std::vector<IpAddress> announced;
};

IpAddress address(const std::string& text) {
    return IpAddress::parse(text).value();
}

DesiredState
make_state(std::uint64_t generation, int backends, const std::string& vip = "198.51.100.10") {
    DesiredState state{.generation = generation};
    state.tunnel_sources.ipv4 = IpPrefix{.address = address("192.0.2.1")};
    ServiceSpec& service = state.services.emplace_back();
    service.name = "web";
    service.key = {address(vip), Protocol::tcp, 80};
    service.maglev_size = maglev_sizes[0];
    for (int i = 1; i <= backends; ++i) {
        service.backends.push_back({
            .name = fmt::format("web-{}", i),
            .key = {address(fmt::format("10.0.{}.{}", 1 + i / 250, 1 + i % 250)), 80},
            .health = Health::up,
        });
    }
    return state;
}

class ControlTest : public testing::Test {
protected:
    void SetUp() override {
        std::string pattern = (std::filesystem::temp_directory_path() / "penstock-XXXXXX").string();
        ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
        directory_ = pattern;
        socket_ = (directory_ / "dataplane.sock").string();
        const std::vector<std::uint32_t> lcores{1, 2};
        auto statistics = StatisticsWriter::create((directory_ / "stats").string(), lcores);
        ASSERT_TRUE(statistics) << to_string(statistics.error());
        statistics_ = std::move(*statistics);
        start();
    }

    void start() {
        auto control = Control::create(make_setup());
        ASSERT_TRUE(control) << to_string(control.error());
        control_ = std::move(*control);
        loop_ = std::thread([this] { control_->run(); });
        workers_ = std::make_unique<FakeWorkers>(publication_, *statistics_);
    }

    void stop() {
        if (control_) {
            control_->stop();
            loop_.join();
        }
        workers_.reset(); // before what they look into
        control_.reset();
    }

    void TearDown() override {
        stop();
        statistics_.reset();
        std::filesystem::remove_all(directory_);
    }

    ControlSetup make_setup() {
        const MacAddress mac = *MacAddress::parse("02:00:00:00:00:01");
        ControlSetup setup{
            .socket_path = socket_,
            .ports =
                {{.id = {0},
                  .name = "edge0",
                  .device = "net_null0",
                  .driver = "net_null",
                  .ifindex = {},
                  .mac = mac}},
            .workers =
                {{.lcore = 1, .queues = {{"edge0", 0}}}, {.lcore = 2, .queues = {{"edge0", 1}}}},
            .neighbours = {},
            .statistics = *statistics_,
            .publication = publication_,
            .next_hops = *next_hops_,
            .port_control = ports_,
        };
        for (int i = 1; i <= 3; ++i) {
            setup.neighbours.push_back(
                {address(fmt::format("10.0.1.{}", 1 + i)),
                 *MacAddress::parse(fmt::format("02:00:00:00:01:0{}", i)),
                 "edge0"}
            );
        }
        return setup;
    }

    DataplaneClient connect() {
        auto client = DataplaneClient::connect(socket_, "test", patience);
        EXPECT_TRUE(client) << to_string(client.error());
        return std::move(*client);
    }

    static Applied
    expect_applied(const std::expected<std::variant<Applied, Refused>, Refusal>& outcome) {
        if (!outcome) {
            ADD_FAILURE() << to_string(outcome.error());
            return {};
        }
        if (const auto* const refused = std::get_if<Refused>(&*outcome)) {
            ADD_FAILURE() << to_string(refused->refusal);
            return {};
        }
        return std::get<Applied>(*outcome);
    }

    static Refused
    expect_refused(const std::expected<std::variant<Applied, Refused>, Refusal>& outcome) {
        if (!outcome || std::holds_alternative<Applied>(*outcome)) {
            ADD_FAILURE() << "was not refused";
            return {};
        }
        return std::get<Refused>(*outcome);
    }

    Status status() {
        auto client = connect();
        auto got = client.get_status(patience);
        EXPECT_TRUE(got) << to_string(got.error());
        return std::move(*got);
    }

    /// A connection below the client, for breaking rules.
    int connect_raw() const {
        const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        struct sockaddr_un to{};
        to.sun_family = AF_UNIX;
        std::memcpy(to.sun_path, socket_.data(), socket_.size());
        EXPECT_EQ(::connect(fd, reinterpret_cast<sockaddr*>(&to), sizeof(to)), 0);
        struct timeval limit{.tv_sec = 15, .tv_usec = 0};
        ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
        return fd;
    }

    /// Everything until the server closes.
    static std::vector<ServerMessage> read_all(int fd) {
        std::vector<ServerMessage> messages;
        FrameDecoder decoder;
        std::array<std::uint8_t, 4096> bytes{};
        for (;;) {
            const ssize_t received = ::recv(fd, bytes.data(), bytes.size(), 0);
            EXPECT_GE(received, 0) << "the server neither answered nor closed";
            if (received <= 0) {
                break;
            }
            decoder.append({bytes.data(), static_cast<std::size_t>(received)});
            for (auto next = decoder.next(); next && *next; next = decoder.next()) {
                auto message = decode_server_message(**next);
                EXPECT_TRUE(message) << to_string(message.error());
                messages.push_back(std::move(*message));
            }
        }
        ::close(fd);
        return messages;
    }

    static void send_bytes(int fd, std::span<const std::uint8_t> bytes) {
        ASSERT_EQ(
            ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL), static_cast<ssize_t>(bytes.size())
        );
    }

    /// The server's hello, then a refusal of the connection whose text has `word`, then the end.
    static void expect_cut_off(int fd, const std::string& word) {
        const auto messages = read_all(fd);
        ASSERT_EQ(messages.size(), 2U);
        EXPECT_TRUE(std::holds_alternative<Hello>(messages[0]));
        const auto& reply = std::get<Reply>(messages[1]);
        EXPECT_EQ(reply.id, 0U);
        const std::string text = to_string(std::get<Refused>(reply.body).refusal);
        EXPECT_NE(text.find(word), std::string::npos) << text;
    }

    std::filesystem::path directory_;
    std::string socket_;
    std::unique_ptr<StatisticsWriter> statistics_;
    Publication<Snapshot> publication_{2};
    std::unique_ptr<NextHopTable> next_hops_ = std::make_unique<NextHopTable>();
    RecordingPorts ports_;
    std::unique_ptr<Control> control_;
    std::unique_ptr<FakeWorkers> workers_;
    std::thread loop_;
};

TEST_F(ControlTest, RepliesWhenEveryWorkerUsesTheState) {
    auto client = connect();
    EXPECT_EQ(client.server().instance_id, statistics_->instance_id());
    EXPECT_EQ(expect_applied(client.apply(make_state(5, 2), patience)).generation, 5U);
    ASSERT_NE(publication_.acquire(), nullptr);
    EXPECT_EQ(publication_.acquire()->generation(), 5U);
    EXPECT_EQ(ports_.last_steered(), std::vector{IpPrefix{address("198.51.100.10")}});
    EXPECT_EQ(ports_.last_marks().sources.size(), 1U);
    EXPECT_EQ(ports_.all_announced(), std::vector{address("198.51.100.10")});
    const Status now = status();
    EXPECT_EQ(now.generation, 5U);
    ASSERT_EQ(now.backends.size(), 2U);
    EXPECT_EQ(now.backends[0].name, "web-1");
    EXPECT_EQ(now.backends[0].next_hop, NextHopState::resolved);
    EXPECT_EQ(now.backends[0].next_hop_mac->to_string(), "02:00:00:00:01:01");
    EXPECT_EQ(now.backends[0].next_hop_port, "edge0");
    ASSERT_EQ(now.workers.size(), 2U);
    EXPECT_EQ(now.workers[1].lcore, 2U);
    EXPECT_EQ(now.ports.at(0).steering->without_socket, 3U);
}

TEST_F(ControlTest, SaysWhyANextHopIsMissing) {
    auto client = connect();
    expect_applied(client.apply(make_state(1, 4), patience));
    const Status now = status();
    EXPECT_EQ(now.backends.at(3).next_hop, NextHopState::unresolved);
    EXPECT_NE(now.backends.at(3).next_hop_reason.find("dataplane.neighbour"), std::string::npos);
}

TEST_F(ControlTest, AppliesHealthOnTopOfTheState) {
    auto client = connect();
    const DesiredState state = make_state(1, 2);
    expect_applied(client.apply(state, patience));
    const ServiceKey service = state.services[0].key;
    const BackendKey first = state.services[0].backends[0].key;
    const Applied applied = expect_applied(client.update_health(
        {{service, first, Health::down}, {service, {address("10.9.9.9"), 80}, Health::up}}, patience
    ));
    EXPECT_EQ(applied.generation, 1U);
    EXPECT_EQ(applied.unknown_backends, 1U);
    EXPECT_EQ(status().backends.at(0).health, Health::down);
    EXPECT_EQ(status().backends.at(1).health, Health::up);
    expect_applied(client.apply(make_state(2, 2), patience));
    EXPECT_EQ(status().backends.at(0).health, Health::up) << "a state carries its own health";
}

TEST_F(ControlTest, RefusesWholeAndLeavesTheRestAlone) {
    auto client = connect();
    expect_refused(client.update_health({}, patience));
    expect_applied(client.apply(make_state(3, 1), patience));
    const Snapshot* const before = publication_.acquire();

    DesiredState bad = make_state(4, 1);
    bad.services[0].backends[0].key.port = 81;
    const Refused refused = expect_refused(client.apply(bad, patience));
    EXPECT_EQ(refused.current_generation, 3U);
    EXPECT_NE(refused.refusal.place.find("web-1"), std::string::npos);

    const Refused older = expect_refused(client.apply(make_state(2, 1), patience));
    EXPECT_NE(older.refusal.remedy.find('4'), std::string::npos);
    EXPECT_EQ(publication_.acquire(), before);
    expect_applied(client.apply(make_state(3, 2), patience)); // the live generation again: a resync
}

TEST_F(ControlTest, SaysWhenNewVipsCannotBeSteered) {
    auto client = connect();
    expect_applied(client.apply(make_state(1, 1), patience));
    ports_.max_vips = 0;
    const Refused refused =
        expect_refused(client.apply(make_state(2, 1, "198.51.100.11"), patience));
    EXPECT_NE(refused.refusal.cause.find("the map is full"), std::string::npos);
    ports_.max_vips = 1000;
    expect_applied(client.apply(make_state(2, 1, "198.51.100.11"), patience));
    EXPECT_EQ(ports_.last_steered(), std::vector{IpPrefix{address("198.51.100.11")}})
        << "the old VIP is given back";
    EXPECT_EQ(ports_.all_announced().back(), address("198.51.100.11"));
}

TEST_F(ControlTest, AnnouncesManyVipsInSteps) {
    DesiredState state = make_state(1, 1);
    for (int i = 1; i < 200; ++i) {
        ServiceSpec service = state.services[0];
        service.name = fmt::format("web-{}", i);
        service.key.vip = address(fmt::format("203.0.113.{}", i));
        state.services.push_back(service);
    }
    auto client = connect();
    expect_applied(client.apply(state, patience));
    for (int i = 0; i < 1000 && ports_.all_announced().size() < 200; ++i) {
        std::this_thread::sleep_for(milliseconds(10));
    }
    EXPECT_EQ(ports_.all_announced().size(), 200U);
    EXPECT_LE(ports_.most_at_once, 32U);
}

TEST_F(ControlTest, NamesTheWorkerThatDoesNotMoveAndRecovers) {
    auto client = connect();
    expect_applied(client.apply(make_state(1, 1), patience));
    workers_->stall(true);
    const Refused refused = expect_refused(client.apply(make_state(2, 2), patience));
    EXPECT_NE(refused.refusal.cause.find("worker 0 (lcore 1"), std::string::npos)
        << refused.refusal.cause;
    EXPECT_EQ(refused.refusal.cause.find("worker 1"), std::string::npos);
    EXPECT_EQ(status().generation, 1U);
    workers_->stall(false);
    for (int i = 0; i < 100 && status().generation != 2; ++i) {
        std::this_thread::sleep_for(milliseconds(50));
    }
    EXPECT_EQ(status().generation, 2U);
}

TEST_F(ControlTest, TakesIdsBackOnlyWhenTheirFlowsHaveEnded) {
    auto client = connect();
    expect_applied(client.apply(make_state(1, 2), patience));
    auto reader = StatisticsReader::open(statistics_->path());
    ASSERT_TRUE(reader);
    const BackendId second = reader->read()->backends.at(1).id;
    statistics_->worker(0).backends[second.value].flows.set(1);
    expect_applied(client.apply(make_state(2, 1), patience));
    std::this_thread::sleep_for(milliseconds(2500));
    ASSERT_EQ(reader->read()->backends.size(), 2U) << "a flow still names it";
    EXPECT_FALSE(reader->read()->backends.at(1).desired);
    statistics_->worker(0).backends[second.value].flows.set(0);
    for (int i = 0; i < 100 && reader->read()->backends.size() != 1; ++i) {
        std::this_thread::sleep_for(milliseconds(50));
    }
    EXPECT_EQ(reader->read()->backends.size(), 1U);
}

TEST_F(ControlTest, AnswersManyClientsWhoApplyAtOnce) {
    std::vector<std::thread> threads;
    std::atomic<int> applied{0};
    std::atomic<int> refused{0};
    for (std::uint64_t i = 0; i < 6; ++i) {
        threads.emplace_back([&, i] {
            auto client = connect();
            for (std::uint64_t j = 0; j < 10; ++j) {
                const std::uint64_t generation = 1 + j * 6 + i;
                const auto outcome = client.apply(make_state(generation, 3), patience);
                ASSERT_TRUE(outcome) << to_string(outcome.error());
                if (const auto* const done = std::get_if<Applied>(&*outcome)) {
                    EXPECT_GE(done->generation, generation);
                    ++applied;
                } else {
                    EXPECT_GT(std::get<Refused>(*outcome).current_generation + 1, generation)
                        << "refused only because a newer one is live";
                    ++refused;
                }
            }
        });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
    EXPECT_EQ(applied + refused, 60);
    EXPECT_GT(applied, 0);
    EXPECT_EQ(status().generation, 60U);
}

TEST_F(ControlTest, TakesAStateThatIsDecodedElsewhere) {
    auto client = connect();
    const DesiredState large = make_state(1, 10'000);
    expect_applied(client.apply(large, patience));
    EXPECT_EQ(status().backends.size(), 10'000U);
}

// ---- Hostile clients

TEST_F(ControlTest, CutsOffAnotherVersion) {
    const int fd = connect_raw();
    send_bytes(fd, *encode_frame(ClientMessage{Hello{protocol_version + 1, 1, "later"}}));
    expect_cut_off(fd, "version");
}

TEST_F(ControlTest, CutsOffAMessageThatIsTooLong) {
    const int fd = connect_raw();
    send_bytes(fd, std::vector<std::uint8_t>(4, 0xff));
    expect_cut_off(fd, "length");
}

TEST_F(ControlTest, CutsOffGarbage) {
    const int fd = connect_raw();
    std::vector<std::uint8_t> bytes;
    append_frame_header(bytes, 100);
    bytes.resize(bytes.size() + 100, 0xee);
    send_bytes(fd, bytes);
    expect_cut_off(fd, "not a message");
}

TEST_F(ControlTest, CutsOffARequestBeforeTheHello) {
    const int fd = connect_raw();
    send_bytes(fd, *encode_frame(ClientMessage{Request{1, GetStatus{}}}));
    expect_cut_off(fd, "hello");
}

TEST_F(ControlTest, CutsOffASequenceThatDoesNotGrow) {
    auto client = connect();
    expect_applied(client.apply(make_state(1, 1), patience));
    const int fd = connect_raw();
    std::vector<std::uint8_t> bytes = *encode_frame(ClientMessage{Hello{protocol_version, 1, "t"}});
    const auto update = *encode_frame(ClientMessage{Request{1, UpdateHealth{1, {}}}});
    bytes.insert(bytes.end(), update.begin(), update.end());
    bytes.insert(bytes.end(), update.begin(), update.end());
    send_bytes(fd, bytes);
    bool cut_off = false;
    for (const ServerMessage& message : read_all(fd)) {
        const auto* const reply = std::get_if<Reply>(&message);
        cut_off |= reply != nullptr && reply->id == 0;
    }
    EXPECT_TRUE(cut_off);
}

TEST_F(ControlTest, CutsOffWhoeverSaysNothingOrHalfOfIt) {
    const int silent = connect_raw();
    const int half = connect_raw();
    const auto hello = *encode_frame(ClientMessage{Hello{protocol_version, 1, "t"}});
    send_bytes(half, hello);
    send_bytes(half, std::span{hello}.first(5));
    expect_cut_off(silent, "whole within");
    expect_cut_off(half, "whole within");
}

TEST_F(ControlTest, CutsOffWhoeverDoesNotReadAndServesOthersMeanwhile) {
    auto client = connect();
    expect_applied(client.apply(make_state(1, 10'000), patience));
    const int fd = connect_raw();
    send_bytes(fd, *encode_frame(ClientMessage{Hello{protocol_version, 1, "t"}}));
    for (std::uint64_t id = 1; id <= 30; ++id) { // some 60 MB of answers
        send_bytes(fd, *encode_frame(ClientMessage{Request{id, GetStatus{}}}));
    }
    for (std::uint64_t generation = 2; generation < 5; ++generation) {
        expect_applied(client.apply(make_state(generation, 2), patience));
    }
    std::this_thread::sleep_for(milliseconds(8000));
    std::array<std::uint8_t, 65536> bytes{};
    ssize_t received = 0;
    while ((received = ::recv(fd, bytes.data(), bytes.size(), 0)) > 0) {
    }
    EXPECT_TRUE(received == 0 || errno == ECONNRESET) << "the end of the stream, not a timeout";
    ::close(fd);
}

TEST_F(ControlTest, RefusesMoreClientsThanItServes) {
    std::vector<DataplaneClient> clients;
    for (int i = 0; i < 32; ++i) {
        clients.push_back(connect());
    }
    const int fd = connect_raw();
    expect_cut_off(fd, "clients");
    EXPECT_TRUE(clients[0].get_status(patience));
}

TEST_F(ControlTest, TakesThePlaceOfAnIdleClient) {
    std::vector<DataplaneClient> clients;
    for (int i = 0; i < 32; ++i) {
        clients.push_back(connect());
    }
    std::this_thread::sleep_for(milliseconds(5200));
    for (std::size_t i = 1; i < clients.size(); ++i) {
        EXPECT_TRUE(clients[i].get_status(patience));
    }
    auto one_more = connect();
    EXPECT_TRUE(one_more.get_status(patience));
    EXPECT_TRUE(clients[1].get_status(patience));
    EXPECT_FALSE(clients[0].get_status(patience)) << "it was idle the longest";
}

TEST_F(ControlTest, ClosesAtOnceBeyondWhatItRefusesPolitely) {
    std::vector<DataplaneClient> clients;
    for (int i = 0; i < 32; ++i) {
        clients.push_back(connect());
    }
    std::vector<int> refused;
    for (int i = 0; i < 8; ++i) {
        refused.push_back(connect_raw());
    }
    const auto begin = std::chrono::steady_clock::now();
    EXPECT_TRUE(read_all(connect_raw()).empty());
    EXPECT_LT(std::chrono::steady_clock::now() - begin, milliseconds(2000));
    for (const int fd : refused) {
        expect_cut_off(fd, "clients");
    }
    EXPECT_TRUE(clients[0].get_status(patience));
}

TEST_F(ControlTest, RestsWhileThereIsNoFileDescriptor) {
    struct rlimit before{};
    ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
    const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_un to{};
    to.sun_family = AF_UNIX;
    std::memcpy(to.sun_path, socket_.data(), socket_.size());
    clockid_t clock{};
    ASSERT_EQ(::pthread_getcpuclockid(loop_.native_handle(), &clock), 0);
    const auto cpu_time = [&] {
        struct timespec time{};
        ::clock_gettime(clock, &time);
        return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
    };
    const struct rlimit none{.rlim_cur = 0, .rlim_max = before.rlim_max};
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
    ASSERT_EQ(::connect(fd, reinterpret_cast<sockaddr*>(&to), sizeof(to)), 0);
    const auto begin = cpu_time();
    std::this_thread::sleep_for(milliseconds(600));
    const auto used = cpu_time() - begin;
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
    EXPECT_LT(used, milliseconds(200)) << "the main loop spins";
    send_bytes(fd, *encode_frame(ClientMessage{Hello{protocol_version, 1, "t"}}));
    std::array<std::uint8_t, 4096> bytes{};
    struct timeval limit{.tv_sec = 5, .tv_usec = 0};
    ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    EXPECT_GT(::recv(fd, bytes.data(), bytes.size(), 0), 0) << "it is accepted afterwards";
    ::close(fd);
}

TEST_F(ControlTest, LeavesForwardingAloneWhateverClientsSend) {
    auto client = connect();
    expect_applied(client.apply(make_state(1, 2), patience));
    const Snapshot* const before = publication_.acquire();
    for (const std::uint8_t byte : std::vector<std::uint8_t>{0x00, 0x0a, 0x12, 0x7f, 0xff}) {
        const int fd = connect_raw();
        (void)::send(fd, std::vector<std::uint8_t>(5000, byte).data(), 5000, MSG_NOSIGNAL);
        ::close(fd);
    }
    EXPECT_EQ(publication_.acquire(), before);
    EXPECT_TRUE(client.get_status(patience));
}

// ---- The socket file

TEST_F(ControlTest, IsForItsGroupOnly) {
    struct stat file{};
    ASSERT_EQ(::stat(socket_.c_str(), &file), 0);
    EXPECT_EQ(file.st_mode & 0777U, 0660U);
}

TEST_F(ControlTest, LeavesALivingSocketAlone) {
    const auto second = Control::create(make_setup());
    ASSERT_FALSE(second);
    EXPECT_NE(second.error().cause.find("another penstock-dp"), std::string::npos);
    EXPECT_TRUE(connect().get_status(patience)) << "the first still serves";
}

TEST_F(ControlTest, ReplacesADeadSocketAndRemovesItsOwn) {
    stop();
    EXPECT_FALSE(std::filesystem::exists(socket_));
    const int dead = ::socket(AF_UNIX, SOCK_STREAM, 0);
    struct sockaddr_un at{};
    at.sun_family = AF_UNIX;
    std::memcpy(at.sun_path, socket_.data(), socket_.size());
    ASSERT_EQ(::bind(dead, reinterpret_cast<sockaddr*>(&at), sizeof(at)), 0);
    ::close(dead);
    ASSERT_TRUE(std::filesystem::exists(socket_));
    start();
    EXPECT_TRUE(connect().get_status(patience));
}

TEST_F(ControlTest, RefusesAFileThatIsNoSocket) {
    stop();
    std::filesystem::create_directory(socket_);
    const auto control = Control::create(make_setup());
    ASSERT_FALSE(control);
    EXPECT_TRUE(std::filesystem::is_directory(socket_));
}

TEST_F(ControlTest, EndsOnSigterm) {
    // Blocked in every thread of this process by create(): the signalfd gets it.
    ASSERT_EQ(::kill(::getpid(), SIGTERM), 0);
    loop_.join();
    workers_.reset();
    control_.reset();
    EXPECT_FALSE(std::filesystem::exists(socket_));
}

} // namespace
} // namespace penstock
