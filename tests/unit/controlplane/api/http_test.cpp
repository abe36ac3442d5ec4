// SPDX-License-Identifier: Apache-2.0
#include "controlplane/api/http.hpp"

#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <gtest/gtest.h>

namespace penstock {
namespace {

TEST(ParseTarget, TakesPathAndQueryApart) {
    const auto target = parse_target("/v1/services/a%2Fb%20c/backends?after=3&name=x%26y&flag");
    ASSERT_TRUE(target);
    EXPECT_EQ(target->segments, (std::vector<std::string>{"v1", "services", "a/b c", "backends"}));
    EXPECT_EQ(target->parameters.at("after"), "3");
    EXPECT_EQ(target->parameters.at("name"), "x&y");
    EXPECT_EQ(target->parameters.at("flag"), "");
}

TEST(ParseTarget, RefusesWhatIsNotWellFormed) {
    for (const char* target :
         {"", "v1", "/%", "/%4", "/%zz", "/%00", "/?a=%", "/?a=1&a=2", "*", "http://host/v1", "/%+1"
         }) {
        EXPECT_FALSE(parse_target(target)) << target;
    }
}

TEST(Problem, IsAnRfc9457Document) {
    const HttpResponse response = make_problem_response(
        {.status = 404, .type = "not-found", .title = "t", .detail = "d", .remedy = ""}
    );
    EXPECT_EQ(response.content_type, "application/problem+json");
    const auto document = boost::json::parse(response.body).as_object();
    EXPECT_EQ(document.at("type"), "urn:penstock:problem:not-found");
    EXPECT_EQ(document.at("status"), 404);
    EXPECT_FALSE(document.contains("remedy"));
}

} // namespace
} // namespace penstock
