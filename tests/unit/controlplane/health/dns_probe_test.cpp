// SPDX-License-Identifier: Apache-2.0
#include "controlplane/health/dns_probe.hpp"

#include <gtest/gtest.h>
#include <random>

namespace penstock {
namespace {

using namespace std::string_literals;

config::ProbeConfig ask(const char* name) {
    config::ProbeConfig probe;
    probe.type = config::ProbeType::dns;
    probe.query = name;
    return probe;
}

/// An answer to `query` with one A record.
std::string answer_to(std::string query, std::uint8_t rcode, const std::string& address) {
    query[2] = static_cast<char>(0x81);
    query[3] = static_cast<char>(0x80 | rcode);
    query[7] = 1;
    return query + "\xc0\x0c\0\x01\0\x01\0\0\0\x3c\0\x04"s + address;
}

TEST(DnsProbe, WritesAQueryAsRfc1035HasIt) {
    EXPECT_EQ(
        make_dns_query(ask("www.example.org"), 0x1234),
        "\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x03www\x07"s + "example\x03org\0\0\x01\0\x01"s
    );
    EXPECT_EQ(make_dns_query(ask("a.b."), 1), make_dns_query(ask("a.b"), 1));
}

TEST(DnsProbe, JudgesRcodeQuestionAndAddress) {
    config::ProbeConfig probe = ask("www.example.org");
    const std::string query = make_dns_query(probe, 7);
    const std::string good = answer_to(query, 0, "\xc0\0\x02\x07"s);
    EXPECT_EQ(judge_dns_answer(probe, 7, good)->outcome, ProbeOutcome::good);
    EXPECT_FALSE(judge_dns_answer(probe, 8, good)); // somebody else's
    probe.answer = IpAddress::parse("192.0.2.7");
    EXPECT_EQ(judge_dns_answer(probe, 7, good)->detail, "dns NOERROR, 192.0.2.7");
    probe.answer = IpAddress::parse("192.0.2.8");
    EXPECT_EQ(
        judge_dns_answer(probe, 7, good)->detail, "dns answer 192.0.2.7 instead of 192.0.2.8"
    );
    const auto refused = judge_dns_answer(probe, 7, answer_to(query, 5, "\xc0\0\x02\x07"s));
    EXPECT_EQ(refused->outcome, ProbeOutcome::bad);
    EXPECT_EQ(refused->detail, "dns REFUSED");
    EXPECT_EQ(
        judge_dns_answer(ask("other.example.org"), 7, good)->detail,
        "dns answer is to another question"
    );
    EXPECT_EQ(judge_dns_answer(probe, 7, query)->detail, "dns answer is a query");
}

TEST(DnsProbe, NoBytesDoHarm) {
    config::ProbeConfig probe = ask("www.example.org");
    probe.answer = IpAddress::parse("192.0.2.8");
    const std::string good = answer_to(make_dns_query(probe, 7), 0, "\xc0\0\x02\x07"s);
    for (std::size_t size = 0; size < good.size(); ++size) {
        const auto result = judge_dns_answer(probe, 7, good.substr(0, size));
        EXPECT_TRUE(result && result->outcome == ProbeOutcome::bad) << size;
    }
    std::minstd_rand random(3);
    for (int round = 0; round < 20000; ++round) {
        std::string text = good;
        for (int i = 0; i < 4; ++i) {
            text[2 + random() % (text.size() - 2)] = static_cast<char>(random());
        }
        (void)judge_dns_answer(probe, 7, text);
    }
}

} // namespace
} // namespace penstock
