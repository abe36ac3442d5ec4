// SPDX-License-Identifier: Apache-2.0
#include "dataplane/core/publish.hpp"

#include "tests/unit/core/publication_run.hpp"

#include <array>
#include <cstdio>
#include <gtest/gtest.h>
#include <string>
#include <sys/wait.h>

namespace penstock {
namespace {

TEST(Publication, IsNullBeforeTheFirst) {
    const Publication<int> publication(1);
    EXPECT_EQ(publication.acquire(), nullptr);
}

// The worked example of the header.
TEST(Publication, GracePeriodEndsWhenEveryWorkerHasReported) {
    Publication<int> publication(2);
    const std::array<int, 2> values{1, 2};
    const std::uint64_t first = publication.publish(&values[0]);
    EXPECT_FALSE(publication.grace_period_over(first));
    publication.report_quiescent(0);
    EXPECT_FALSE(publication.grace_period_over(first));
    publication.report_quiescent(1);
    EXPECT_TRUE(publication.grace_period_over(first));

    const std::uint64_t second = publication.publish(&values[1]);
    EXPECT_GT(second, first);
    EXPECT_EQ(publication.acquire(), &values[1]);
    publication.report_quiescent(0);
    EXPECT_FALSE(publication.grace_period_over(second));
    EXPECT_TRUE(publication.grace_period_over(first));
    publication.report_quiescent(1);
    EXPECT_TRUE(publication.grace_period_over(second));
}

TEST(Publication, WorkerThatIsGoneHoldsUpNobody) {
    Publication<int> publication(2);
    const int value = 1;
    publication.report_quiescent(1);
    const std::uint64_t epoch = publication.publish(&value);
    publication.report_quiescent(1);
    EXPECT_FALSE(publication.grace_period_over(epoch));
    publication.report_gone(0);
    EXPECT_TRUE(publication.grace_period_over(epoch));
    EXPECT_FALSE(publication.grace_period_over(publication.publish(&value)));
}

TEST(Publication, NobodyWaitsWithoutWorkers) {
    Publication<int> publication(0);
    const int value = 1;
    EXPECT_TRUE(publication.grace_period_over(publication.publish(&value)));
}

TEST(Publication, WorkersNeverSeeAFreedValue) {
    const auto outcome = test::run_publication(3, 1000, true);
    EXPECT_GT(outcome.reads, 1000U);
    EXPECT_EQ(outcome.torn, 0U);
    EXPECT_EQ(outcome.backwards, 0U);
}

#if defined(__SANITIZE_THREAD__)

// Proof that the test above could fail: without the wait, ThreadSanitizer must speak.
TEST(Publication, SanitizerReportsTheSameRunWithoutTheGracePeriod) {
    const std::string command =
        "TSAN_OPTIONS='halt_on_error=1 exitcode=66' " PENSTOCK_WITHOUT_GRACE " 2>&1";
    std::FILE* const pipe = popen(command.c_str(), "r");
    ASSERT_NE(pipe, nullptr);
    std::string output;
    std::array<char, 4096> part{};
    while (const std::size_t length = std::fread(part.data(), 1, part.size(), pipe)) {
        output.append(part.data(), length);
    }
    const int status = pclose(pipe);
    ASSERT_TRUE(WIFEXITED(status));
    EXPECT_EQ(WEXITSTATUS(status), 66) << output;
    const bool reported = output.contains("ThreadSanitizer: data race") ||
                          output.contains("ThreadSanitizer: heap-use-after-free");
    EXPECT_TRUE(reported) << output;
}

#endif

} // namespace
} // namespace penstock
