// SPDX-License-Identifier: Apache-2.0
#include "controlplane/api/certificate_name.hpp"

#include <gtest/gtest.h>

namespace penstock {
namespace {

using config::ApiClientConfig;

TEST(CertificateName, AClientIsKnownByItsWholeSubjectOrByOneName) {
    const std::vector<ApiClientConfig> clients{
        {.name = "eva", .subject = "CN=eva,O=Example", .san = {}},
        {.name = "ci", .subject = {}, .san = "DNS:CI.example.org"},
        {.name = "node", .subject = {}, .san = "IP:2001:db8:0::7"},
        {.name = "spiffe", .subject = {}, .san = "URI:spiffe://example.org/CI"},
    };
    const auto found = [&](CertificateName name) -> std::string {
        const auto* client = find_client(clients, name);
        return client == nullptr ? "" : client->name;
    };
    EXPECT_EQ(found({.subject = "CN=eva,O=Example", .names = {}}), "eva");
    EXPECT_EQ(found({.subject = "CN=eva", .names = {}}), "");
    EXPECT_EQ(found({.subject = "CN=x", .names = {"DNS:other", "DNS:ci.example.org"}}), "ci");
    EXPECT_EQ(found({.subject = {}, .names = {"IP:2001:db8::7"}}), "node");
    EXPECT_EQ(found({.subject = {}, .names = {"URI:spiffe://example.org/ci"}}), "");
    EXPECT_EQ(found({.subject = {}, .names = {"URI:spiffe://example.org/CI"}}), "spiffe");
    EXPECT_EQ(found({}), ""); // no subject is nobody's subject
}

TEST(CertificateName, SaysWhatToWriteForIt) {
    EXPECT_EQ(describe({.subject = "CN=eva", .names = {"DNS:a"}}), "subject = \"CN=eva\"");
    EXPECT_EQ(describe({.subject = {}, .names = {"DNS:a"}}), "san = \"DNS:a\"");
}

} // namespace
} // namespace penstock
