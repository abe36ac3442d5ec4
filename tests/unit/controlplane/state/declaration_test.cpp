// SPDX-License-Identifier: Apache-2.0
#include "controlplane/state/declaration.hpp"

#include <gtest/gtest.h>

namespace penstock {
namespace {

TEST(Declaration, SizeIsCountedInWords) {
    config::Configuration configuration;
    EXPECT_EQ(describe_size(configuration), "0 services, 0 backends");
    configuration.services.resize(1);
    configuration.services[0].spec.backends.resize(1);
    EXPECT_EQ(describe_size(configuration), "1 service, 1 backend");
    configuration.services[0].spec.backends.resize(2);
    EXPECT_EQ(describe_size(configuration), "1 service, 2 backends");
}

} // namespace
} // namespace penstock
