// SPDX-License-Identifier: Apache-2.0
// Next hops against a real kernel, in namespaces that this test makes:
//
//   this process, own namespace          child, own namespace
//     edge0 192.0.2.1/24 ──── veth ──── peer0 192.0.2.2/24, 192.0.2.3/24
//          2001:db8:1::1/64                   2001:db8:1::2, 2001:db8:1::3
//     routes 10.0.0.0/8 via 192.0.2.2, 2001:db8:a::/48 via 2001:db8:1::2, 2001:db8:b::/48 via the link-local
//     address of peer0
//
// Both namespaces end with their process. Needs root, and fails without it.
#include "dataplane/dpdk/neighbour.hpp"

#include <gtest/gtest.h>
#include <net/if.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>

namespace penstock {
namespace {

using std::chrono::milliseconds;

void run(const std::string& command) {
    ASSERT_EQ(std::system(command.c_str()), 0) << command;
}

std::string output_of(const std::string& command) {
    std::string output;
    FILE* const pipe = ::popen(command.c_str(), "r");
    std::array<char, 256> line{};
    while (pipe != nullptr && std::fgets(line.data(), line.size(), pipe) != nullptr) {
        output += line.data();
    }
    if (pipe != nullptr) {
        ::pclose(pipe);
    }
    return output;
}

class NeighbourTest : public testing::Test {
protected:
    void SetUp() override {
        ASSERT_EQ(::geteuid(), 0U) << "run as root: the test makes network namespaces";
        ASSERT_EQ(::unshare(CLONE_NEWNET), 0);
        std::array<int, 2> ready{};
        ASSERT_EQ(::pipe(ready.data()), 0);
        child_ = ::fork();
        ASSERT_GE(child_, 0);
        if (child_ == 0) {
            ::prctl(PR_SET_PDEATHSIG, SIGKILL);
            const char answer = ::unshare(CLONE_NEWNET) == 0 ? 'y' : 'n';
            [[maybe_unused]] const ssize_t written = ::write(ready[1], &answer, 1);
            ::alarm(120);
            ::pause();
            ::_exit(0);
        }
        char answer = 'n';
        ASSERT_EQ(::read(ready[0], &answer, 1), 1);
        ::close(ready[0]);
        ::close(ready[1]);
        ASSERT_EQ(answer, 'y');
        in_peer_ = "nsenter -n -t " + std::to_string(child_) + " ";
        run("ip link add edge0 type veth peer name peer0 netns " + std::to_string(child_));
        run("ip addr add 192.0.2.1/24 dev edge0 && ip link set edge0 up && ip link set lo up");
        run(in_peer_ + "ip addr add 192.0.2.2/24 dev peer0");
        run(in_peer_ + "ip addr add 192.0.2.3/24 dev peer0");
        run(in_peer_ + "ip link set peer0 address 02:00:00:00:00:99 up");
        run("ip route add 10.0.0.0/8 via 192.0.2.2");
        run("ip addr add 2001:db8:1::1/64 dev edge0 nodad");
        run(in_peer_ + "ip addr add 2001:db8:1::2/64 dev peer0 nodad");
        run(in_peer_ + "ip addr add 2001:db8:1::3/64 dev peer0 nodad");
        run(in_peer_ + "ip addr add fe80::99/64 dev peer0 nodad");
        run("ip route add 2001:db8:a::/48 via 2001:db8:1::2");
        run("ip route add 2001:db8:b::/48 via fe80::99 dev edge0");
        auto loop = MainLoop::create();
        ASSERT_TRUE(loop) << to_string(loop.error());
        loop_ = std::move(*loop);
        open();
    }

    void TearDown() override {
        neighbours_.reset();
        loop_.reset();
        if (child_ > 0) {
            ::kill(child_, SIGKILL);
            ::waitpid(child_, nullptr, 0);
        }
    }

    void open() {
        PortDescription port{.id = {0}, .name = "edge0", .device = "edge0", .driver = "net_af_xdp"};
        port.ifindex = ::if_nametoindex("edge0");
        auto neighbours = Neighbours::create(*loop_, {&port, 1}, {}, *next_hops_);
        ASSERT_TRUE(neighbours) << to_string(neighbours.error());
        neighbours_ = std::move(*neighbours);
    }

    /// Sets one backend an address, all of them reached by `forwarding`; returns their ids in that
    /// order. Every call takes new ids.
    std::vector<BackendId> aim(const std::vector<std::string>& addresses, Forwarding forwarding) {
        auto targets = std::make_shared<Neighbours::Targets>();
        std::vector<BackendId> ids;
        for (const std::string& address : addresses) {
            ids.push_back({next_id_++});
            targets->push_back({ids.back(), *IpAddress::parse(address), forwarding});
        }
        neighbours_->set_targets(std::move(targets));
        return ids;
    }

    template <typename Condition>
    bool wait_until(Condition condition) {
        for (int i = 0; i < 500 && !condition(); ++i) {
            loop_->call_after(milliseconds(10), [this] { loop_->stop(); });
            loop_->run();
        }
        return condition();
    }

    HopProblem problem_of(BackendId id) { return neighbours_->states()[id.value].problem; }

    std::string mac_of(BackendId id) {
        const std::uint64_t word = next_hops_->load(id);
        return word == 0 ? "none" : NextHopTable::unpack(word).mac.to_string();
    }

    pid_t child_ = -1;
    std::string in_peer_;
    std::uint16_t next_id_ = 1;
    std::unique_ptr<NextHopTable> next_hops_ = std::make_unique<NextHopTable>();
    std::unique_ptr<MainLoop> loop_;
    std::unique_ptr<Neighbours> neighbours_;
};

TEST_F(NeighbourTest, ResolvesOnLinkAndBehindAGateway) {
    const auto ids = aim({"192.0.2.3", "10.1.2.3"}, Forwarding::ipip);
    ASSERT_TRUE(wait_until([&] { return neighbours_->is_settled() && mac_of(ids[0]) != "none"; }));
    EXPECT_EQ(mac_of(ids[0]), "02:00:00:00:00:99");
    EXPECT_EQ(mac_of(ids[1]), "02:00:00:00:00:99");
}

TEST_F(NeighbourTest, SaysWhyThereIsNone) {
    const auto ids = aim({"203.0.113.1", "192.0.2.1", "192.0.2.77"}, Forwarding::ipip);
    ASSERT_TRUE(wait_until([&] { return problem_of(ids[2]) == HopProblem::unanswered; }));
    EXPECT_EQ(problem_of(ids[0]), HopProblem::no_route);
    EXPECT_EQ(problem_of(ids[1]), HopProblem::local_address);
    EXPECT_EQ(mac_of(ids[2]), "none");
    const auto dsr = aim({"10.1.2.3"}, Forwarding::l2dsr);
    EXPECT_TRUE(wait_until([&] { return problem_of(dsr[0]) == HopProblem::not_on_link; }));
}

TEST_F(NeighbourTest, ResolvesIpv6OnLinkAndBehindGateways) {
    const auto ids = aim({"2001:db8:1::3", "2001:db8:a::3", "2001:db8:b::3"}, Forwarding::l2dsr);
    ASSERT_TRUE(wait_until([&] { return mac_of(ids[0]) != "none"; }));
    EXPECT_EQ(mac_of(ids[0]), "02:00:00:00:00:99");
    EXPECT_TRUE(wait_until([&] { return problem_of(ids[1]) == HopProblem::not_on_link; }));
    EXPECT_TRUE(wait_until([&] { return problem_of(ids[2]) == HopProblem::not_on_link; }));
    EXPECT_NE(
        output_of("ip -6 neigh show 2001:db8:1::3 dev edge0").find("managed"), std::string::npos
    );
    EXPECT_NE(output_of("ip -6 neigh show fe80::99 dev edge0").find("managed"), std::string::npos);
    run("ip route replace 2001:db8:a::/48 dev edge0"); // on-link now
    run(in_peer_ + "ip addr add 2001:db8:a::3/128 dev peer0 nodad");
    EXPECT_TRUE(wait_until([&] { return mac_of(ids[1]) == "02:00:00:00:00:99"; }));
    run("ip -6 neigh replace 2001:db8:1::3 dev edge0 lladdr 02:00:00:00:00:55 nud permanent");
    EXPECT_TRUE(wait_until([&] { return mac_of(ids[0]) == "02:00:00:00:00:55"; }));
    neighbours_.reset();
    EXPECT_EQ(output_of("ip -6 neigh show dev edge0").find("managed"), std::string::npos);
}

TEST_F(NeighbourTest, SaysWhyThereIsNoneOfIpv6) {
    const auto ids = aim({"2001:db8:99::1", "2001:db8:1::1", "2001:db8:1::77"}, Forwarding::l2dsr);
    ASSERT_TRUE(wait_until([&] { return problem_of(ids[2]) == HopProblem::unanswered; }));
    EXPECT_EQ(problem_of(ids[0]), HopProblem::no_route);
    EXPECT_EQ(problem_of(ids[1]), HopProblem::local_address);
    EXPECT_NE(
        describe(HopProblem::unanswered, *IpAddress::parse("2001:db8:1::77")).find("solicitation"),
        std::string::npos
    );
}

TEST_F(NeighbourTest, FollowsChangedMacsAndRoutes) {
    const auto ids = aim({"192.0.2.3", "10.1.2.3"}, Forwarding::ipip);
    ASSERT_TRUE(wait_until([&] { return mac_of(ids[0]) == "02:00:00:00:00:99"; }));
    run("ip neigh replace 192.0.2.3 dev edge0 lladdr 02:00:00:00:00:55 nud permanent");
    EXPECT_TRUE(wait_until([&] { return mac_of(ids[0]) == "02:00:00:00:00:55"; }));
    run("ip route del 10.0.0.0/8");
    EXPECT_TRUE(wait_until([&] { return problem_of(ids[1]) == HopProblem::no_route; }));
    EXPECT_EQ(mac_of(ids[1]), "none");
    run("ip route add 10.0.0.0/8 via 192.0.2.2");
    EXPECT_TRUE(wait_until([&] { return mac_of(ids[1]) == "02:00:00:00:00:99"; }));
}

TEST_F(NeighbourTest, KeepsManagedNeighboursAndTakesThemAway) {
    const auto ids = aim({"192.0.2.3"}, Forwarding::ipip);
    ASSERT_TRUE(wait_until([&] { return mac_of(ids[0]) != "none"; }));
    EXPECT_NE(output_of("ip neigh show dev edge0").find("managed"), std::string::npos);
    run("ip neigh flush dev edge0");
    run("ip neigh del 192.0.2.3 dev edge0 2>/dev/null; true");
    EXPECT_TRUE(wait_until([&] {
        return output_of("ip neigh show 192.0.2.3 dev edge0").find("managed") !=
                   std::string::npos &&
               mac_of(ids[0]) != "none";
    })) << "a flush must be mended";
    neighbours_.reset();
    EXPECT_EQ(output_of("ip neigh show dev edge0").find("managed"), std::string::npos);
}

TEST_F(NeighbourTest, KeepsTheOldHopWhileTheNewOneIsPending) {
    const auto ids = aim({"10.1.2.3"}, Forwarding::ipip);
    ASSERT_TRUE(wait_until([&] { return mac_of(ids[0]) == "02:00:00:00:00:99"; }));
    run("ip route replace 10.0.0.0/8 via 192.0.2.77"); // nobody
    ASSERT_TRUE(wait_until([&] { return problem_of(ids[0]) == HopProblem::pending; }));
    EXPECT_EQ(mac_of(ids[0]), "02:00:00:00:00:99");
    ASSERT_TRUE(wait_until([&] { return problem_of(ids[0]) == HopProblem::unanswered; }));
    EXPECT_EQ(mac_of(ids[0]), "none");
    run("ip route replace 10.0.0.0/8 via 192.0.2.3");
    EXPECT_TRUE(wait_until([&] { return mac_of(ids[0]) == "02:00:00:00:00:99"; }));
}

TEST_F(NeighbourTest, RecoversFromLostMessagesWithoutABreak) {
    const auto ids = aim({"192.0.2.3", "10.1.2.3"}, Forwarding::ipip);
    ASSERT_TRUE(wait_until([&] { return mac_of(ids[0]) != "none" && mac_of(ids[1]) != "none"; }));
    bool source_changed = false;
    neighbours_->on_source_change([&] { source_changed = true; });
    // More changes than the socket holds while nobody reads it; what follows them is lost.
    run("for i in $(seq 12000); do echo \"neigh replace 192.0.2.200 dev edge0 lladdr "
        "02:00:00:00:$((i % 90 + 10)):01 nud permanent\"; done | ip -batch -");
    run("ip neigh replace 192.0.2.2 dev edge0 lladdr 02:00:00:00:00:55 nud permanent");
    run("ip neigh del 192.0.2.3 dev edge0");
    bool has_broken = false;
    EXPECT_TRUE(wait_until([&] {
        has_broken = has_broken || mac_of(ids[0]) == "none" || mac_of(ids[1]) == "none";
        return mac_of(ids[1]) == "02:00:00:00:00:55" &&
               output_of("ip neigh show 192.0.2.3 dev edge0").find("managed") != std::string::npos;
    })) << "the kernel was not asked again";
    EXPECT_TRUE(wait_until([&] { return neighbours_->is_settled(); }));
    EXPECT_FALSE(has_broken) << "a next hop was cleared meanwhile";
    EXPECT_EQ(mac_of(ids[0]), "02:00:00:00:00:99");
    EXPECT_FALSE(source_changed);
    EXPECT_EQ(neighbours_->default_tunnel_sources().ipv4, IpPrefix::parse("192.0.2.1"));
}

TEST_F(NeighbourTest, FindsAndFollowsTheTunnelSource) {
    EXPECT_EQ(neighbours_->default_tunnel_sources().ipv4, IpPrefix::parse("192.0.2.1"));
    bool changed = false;
    neighbours_->on_source_change([&] { changed = true; });
    run("ip addr del 192.0.2.1/24 dev edge0");
    EXPECT_TRUE(wait_until([&] { return changed; }));
    EXPECT_EQ(neighbours_->default_tunnel_sources().ipv4, std::nullopt);
}

TEST_F(NeighbourTest, TakesNoIpv6SourceThatWillNotStay) {
    EXPECT_EQ(neighbours_->default_tunnel_sources().ipv6, IpPrefix::parse("2001:db8:1::1"));
    // Link-local addresses are there too, and none of these may come in its place.
    run("ip addr add 2001:db8:1::8/64 dev edge0 nodad preferred_lft 0"); // deprecated
    run("ip addr del 2001:db8:1::1/64 dev edge0");
    EXPECT_TRUE(wait_until([&] { return !neighbours_->default_tunnel_sources().ipv6; }));
    run("ip addr add 2001:db8:1::9/64 dev edge0"); // tentative until nobody else claims it
    EXPECT_TRUE(wait_until([&] {
        return neighbours_->default_tunnel_sources().ipv6 == IpPrefix::parse("2001:db8:1::9");
    }));
    EXPECT_EQ(neighbours_->default_tunnel_sources().ipv4, IpPrefix::parse("192.0.2.1"));
}

} // namespace
} // namespace penstock
