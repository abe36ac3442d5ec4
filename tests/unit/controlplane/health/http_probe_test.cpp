// SPDX-License-Identifier: Apache-2.0
#include "controlplane/health/http_probe.hpp"

#include <boost/asio/io_context.hpp>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <optional>
#include <sys/resource.h>
#include <unistd.h>

namespace penstock {
namespace {

using namespace std::chrono_literals;

/// While it lives, no descriptor can be had.
class NoDescriptors {
public:
    NoDescriptors() {
        EXPECT_EQ(::getrlimit(RLIMIT_NOFILE, &before_), 0);
        const int next = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
        EXPECT_GE(next, 0);
        ::close(next);
        const rlimit none{.rlim_cur = static_cast<rlim_t>(next), .rlim_max = before_.rlim_max};
        EXPECT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
    }

    NoDescriptors(const NoDescriptors&) = delete;
    NoDescriptors& operator=(const NoDescriptors&) = delete;

    ~NoDescriptors() { EXPECT_EQ(::setrlimit(RLIMIT_NOFILE, &before_), 0); }

private:
    rlimit before_{};
};

std::optional<ProbeResult> probe(boost::asio::io_context& loop, HttpProber& prober) {
    // Nobody listens on port 1 of loopback.
    std::optional<ProbeResult> result;
    auto config = std::make_shared<config::ProbeConfig>();
    config->type = config::ProbeType::http;
    config->host = "h";
    prober.start(
        {.ref = {},
         .target = {.address = *IpAddress::parse("127.0.0.1"), .port = 1},
         .probe = std::move(config),
         .mark = 0},
        [&](const ProbeResult& found) {
            result = found;
            loop.stop();
        }
    );
    loop.restart();
    loop.run_for(5s);
    return result;
}

TEST(HttpProbe, ARefusedConnectionIsBad) {
    boost::asio::io_context loop;
    HttpProber prober(loop);
    const auto result = probe(loop, prober);
    ASSERT_TRUE(result);
    EXPECT_EQ(result->outcome, ProbeOutcome::bad) << result->detail;
}

TEST(HttpProbe, AHostWithoutDescriptorsSaysNothingOfTheBackend) {
    boost::asio::io_context loop;
    HttpProber prober(loop);
    ASSERT_TRUE(probe(loop, prober)); // what curl and the loop open once is open
    std::optional<ProbeResult> result;
    {
        const NoDescriptors none;
        result = probe(loop, prober);
    }
    ASSERT_TRUE(result);
    EXPECT_EQ(result->outcome, ProbeOutcome::inconclusive) << result->detail;
    EXPECT_NE(result->detail.find("open files"), std::string::npos) << result->detail;
}

} // namespace
} // namespace penstock
