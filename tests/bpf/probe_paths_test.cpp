// SPDX-License-Identifier: Apache-2.0
// The control plane's ways through the data path: a mark for each backend, kept while it stays what
// it is, and nothing of the kernel's in use while nobody asks for one.
#include "controlplane/health/probe_paths.hpp"
#include "tests/bpf/frame.hpp"
#include "tests/bpf/scratch_interfaces.hpp"

#include <gtest/gtest.h>

namespace penstock::bpf::test {

namespace {

class ProbePathsTest : public testing::Test {
protected:
    ProbePathsTest() : interfaces_(make_scratch_interfaces()) {
        EXPECT_EQ(
            run_command("ip address add 10.9.0.1/24 dev steered && "
                        "ip route add default via 10.9.0.254"),
            0
        );
        service_.probe.via = config::ProbeVia::vip;
        service_.spec.key = {
            .vip = address("198.51.100.10"), .protocol = Protocol::tcp, .port = 80
        };
    }

    BackendRef give_way(std::string_view backend, Forwarding forwarding = Forwarding::ipip) {
        service_.spec.forwarding = forwarding;
        BackendSpec spec;
        spec.key = {.address = address(backend), .port = 80};
        const BackendRef ref{.service = service_.spec.key, .backend = spec.key};
        targets_[ref] = find_way(service_, spec).value();
        paths_.set_targets(targets_);
        return ref;
    }

    static bool has_device() {
        return run_command("ip link show dev penstock-probe >/dev/null 2>&1") == 0;
    }

    ScratchInterfaces interfaces_;
    config::ServiceConfig service_;
    std::map<BackendRef, bpf::ProbeTarget> targets_;
    ProbePaths paths_;
};

TEST_F(ProbePathsTest, a_backend_keeps_its_mark_while_it_stays_what_it_is) {
    const BackendRef first = give_way("10.9.0.2");
    EXPECT_FALSE(has_device()) << "nobody asked yet";
    const auto mark = paths_.find_mark(first);
    ASSERT_TRUE(mark);
    EXPECT_TRUE(has_device());
    const BackendRef second = give_way("10.9.0.3");
    const auto other_mark = paths_.find_mark(second);
    ASSERT_TRUE(other_mark);
    EXPECT_NE(mark, other_mark);
    EXPECT_EQ(paths_.find_mark(first), mark);
    // Another mode is another way; a mark that was given back may be used again.
    give_way("10.9.0.3", Forwarding::l2dsr);
    EXPECT_TRUE(paths_.find_mark(second));
    EXPECT_EQ(paths_.find_mark(first), mark);
}

TEST_F(ProbePathsTest, what_is_no_target_has_no_way) {
    const BackendRef first = give_way("10.9.0.2");
    ASSERT_TRUE(paths_.find_mark(first));
    paths_.set_targets({});
    EXPECT_FALSE(paths_.find_mark(first));
    EXPECT_FALSE(has_device()) << "the last target is gone";
    paths_.set_targets(targets_);
    EXPECT_TRUE(paths_.find_mark(first));
}

TEST_F(ProbePathsTest, a_way_that_cannot_be_had_is_asked_for_again) {
    const BackendRef far = give_way("10.77.0.2", Forwarding::ipip);
    ASSERT_EQ(run_command("ip route del default"), 0);
    EXPECT_FALSE(paths_.find_mark(far));
    ASSERT_EQ(run_command("ip route add default via 10.9.0.254"), 0);
    EXPECT_TRUE(paths_.find_mark(far));
}

} // namespace

} // namespace penstock::bpf::test
