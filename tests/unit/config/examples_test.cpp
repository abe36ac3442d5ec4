// SPDX-License-Identifier: Apache-2.0
// docs/examples: files that people begin with must be right.
#include "controlplane/config/parse.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <vector>

namespace penstock::config {
namespace {

std::vector<std::filesystem::path> list_examples() {
    std::vector<std::filesystem::path> files;
    for (const auto& entry : std::filesystem::directory_iterator(PENSTOCK_EXAMPLES)) {
        if (entry.path().extension() == ".toml") {
            files.push_back(entry.path());
        }
    }
    std::ranges::sort(files);
    return files;
}

TEST(Examples, are_accepted_without_a_warning) {
    const auto files = list_examples();
    ASSERT_GE(files.size(), 4U);
    for (const auto& file : files) {
        Diagnostics warnings;
        const auto read = read_configuration(file.string(), &warnings);
        ASSERT_TRUE(read) << render(read.error());
        EXPECT_TRUE(warnings.empty()) << render(warnings);
        EXPECT_FALSE(read->services.empty()) << file;
    }
}

// One for each typical edge.
TEST(Examples, show_tunnels_and_nat) {
    std::vector<Forwarding> seen;
    for (const auto& file : list_examples()) {
        const auto read = read_configuration(file.string());
        ASSERT_TRUE(read);
        for (const ServiceConfig& service : read->services) {
            seen.push_back(service.spec.forwarding);
        }
    }
    for (const Forwarding mode : {Forwarding::ipip, Forwarding::gue, Forwarding::nat}) {
        EXPECT_NE(std::ranges::find(seen, mode), seen.end()) << to_string(mode);
    }
}

} // namespace
} // namespace penstock::config
