// SPDX-License-Identifier: Apache-2.0
#include "controlplane/config/read_file.hpp"

#include "tests/unit/config/sample.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace penstock::config {
namespace {

namespace fs = std::filesystem;

class ReadFile : public ::testing::Test {
protected:
    void SetUp() override {
        std::string pattern = ::testing::TempDir() + "penstock-config-XXXXXX";
        ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
        folder_ = pattern;
    }

    void TearDown() override { fs::remove_all(folder_); }

    fs::path folder_;
};

TEST_F(ReadFile, reads_and_parses) {
    const std::string path = folder_ / "penstock.toml";
    std::ofstream(path) << testing::head << testing::service;
    const auto result = read_configuration(path);
    ASSERT_TRUE(result) << render(result.error());
    EXPECT_EQ(result->dataplane.ports.at(0).place.file, path);
}

TEST_F(ReadFile, a_missing_file_and_a_directory_are_said) {
    const auto missing = read_configuration(folder_ / "none.toml");
    ASSERT_FALSE(missing);
    EXPECT_NE(missing.error().at(0).cause.find("No such file"), std::string::npos);
    const auto directory = read_configuration(folder_);
    ASSERT_FALSE(directory);
    EXPECT_EQ(directory.error().at(0).cause, "this is a directory");
    EXPECT_FALSE(read_configuration(folder_ / "none.toml" / "x"));
}

TEST_F(ReadFile, a_fifo_is_refused_without_waiting_for_a_writer) {
    const std::string path = folder_ / "fifo";
    ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
    const auto result = read_configuration(path);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().at(0).cause, "this is no regular file");
}

TEST_F(ReadFile, a_file_of_100_mb_is_refused_unread) {
    const std::string path = folder_ / "huge.toml";
    std::ofstream(path) << "x";
    fs::resize_file(path, 100U << 20U);
    const auto result = read_configuration(path);
    ASSERT_FALSE(result);
    EXPECT_NE(result.error().at(0).cause.find("104857600 bytes"), std::string::npos);
    EXPECT_TRUE(render(result.error()).starts_with(path + ":1:1: error: "));
}

TEST_F(ReadFile, an_unreadable_file_is_said) {
    if (::geteuid() == 0) {
        // Root reads everything, so the refusal comes from a file that nobody can read.
        const auto result = read_configuration("/proc/self/mem");
        ASSERT_FALSE(result);
        EXPECT_FALSE(result.error().at(0).remedy.empty());
        return;
    }
    const std::string path = folder_ / "secret.toml";
    std::ofstream(path) << testing::head;
    ASSERT_EQ(::chmod(path.c_str(), 0), 0);
    const auto result = read_configuration(path);
    ASSERT_FALSE(result);
    EXPECT_NE(result.error().at(0).cause.find("Permission denied"), std::string::npos);
}

} // namespace
} // namespace penstock::config
