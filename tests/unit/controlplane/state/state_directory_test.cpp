// SPDX-License-Identifier: Apache-2.0
#include "controlplane/state/state_directory.hpp"

#include "tests/unit/controlplane/temporary_directory.hpp"

#include <csignal>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

namespace penstock {
namespace {

namespace fs = std::filesystem;

BackendRef make_ref(const char* address) {
    return {
        .service =
            {.vip = *IpAddress::parse("198.51.100.10"), .protocol = Protocol::tcp, .port = 80},
        .backend = {.address = *IpAddress::parse(address), .port = 8080},
    };
}

std::size_t count_damaged(const TemporaryDirectory& directory) {
    std::size_t count = 0;
    for (const auto& entry : fs::directory_iterator(directory.path())) {
        count += entry.path().native().find(".damaged-") != std::string::npos ? 1 : 0;
    }
    return count;
}

LoadedState load(const std::string& path) {
    auto directory = StateDirectory::open(path);
    EXPECT_TRUE(directory) << to_string(directory.error());
    auto state = directory->load();
    EXPECT_TRUE(state) << to_string(state.error());
    return *state;
}

TEST(StateDirectory, KeepsEverythingAcrossARestart) {
    const TemporaryDirectory temporary;
    const std::string path = temporary / "new/state";
    FlowHashKey key{};
    {
        auto directory = StateDirectory::open(path);
        ASSERT_TRUE(directory);
        key = directory->load()->flow_hash_key;
        ASSERT_TRUE(directory->save_applied("a = 1\n"));
        ASSERT_TRUE(directory->save_pending("b = 2\n"));
        ASSERT_TRUE(directory->save_overrides({{make_ref("10.0.1.11"), AdminState::drain}}));
        ASSERT_TRUE(directory->save_generation(41));
    }
    const LoadedState state = load(path);
    EXPECT_EQ(state.applied, "a = 1\n");
    EXPECT_EQ(state.pending, "b = 2\n");
    EXPECT_EQ(state.overrides.at(make_ref("10.0.1.11")), AdminState::drain);
    EXPECT_EQ(state.generation, 41U);
    EXPECT_EQ(state.flow_hash_key, key) << "a new key would move every flow";
    EXPECT_TRUE(state.set_aside.empty());
}

TEST(StateDirectory, KeyIsRandomAndSecret) {
    const TemporaryDirectory one;
    const TemporaryDirectory two;
    EXPECT_NE(load(one.path()).flow_hash_key, load(two.path()).flow_hash_key);
    struct stat status{};
    ASSERT_EQ(::stat((one / "flow-hash-key").c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777U, 0600U);
}

TEST(StateDirectory, SecondInstanceIsRefused) {
    const TemporaryDirectory temporary;
    const auto first = StateDirectory::open(temporary.path());
    ASSERT_TRUE(first);
    const auto second = StateDirectory::open(temporary.path());
    ASSERT_FALSE(second);
    EXPECT_NE(second.error().cause.find("another penstock-cp"), std::string::npos);
}

TEST(StateDirectory, DamagedFilesAreSetAsideAndSaid) {
    const TemporaryDirectory temporary;
    write_text(
        temporary / "overrides.json", R"({"version":1,"overrides":[{"vip":"198.51.100.10"}]})"
    );
    write_text(temporary / "generation", "12x\n");
    const LoadedState state = load(temporary.path());
    EXPECT_EQ(state.set_aside.size(), 2U);
    EXPECT_EQ(count_damaged(temporary), 2U);
    EXPECT_TRUE(state.overrides.empty());
    EXPECT_EQ(state.generation, 0U);
    const LoadedState again = load(temporary.path());
    EXPECT_TRUE(again.set_aside.empty());
    EXPECT_EQ(again.flow_hash_key, state.flow_hash_key);
}

TEST(StateDirectory, ADamagedKeyIsRefusedAndKept) {
    const TemporaryDirectory temporary;
    write_text(temporary / "flow-hash-key", "short");
    auto directory = StateDirectory::open(temporary.path());
    ASSERT_TRUE(directory);
    const auto state = directory->load();
    ASSERT_FALSE(state);
    EXPECT_EQ(state.error().place, temporary / "flow-hash-key");
    EXPECT_NE(state.error().cause.find("5 bytes instead of 16"), std::string::npos);
    EXPECT_FALSE(state.error().remedy.empty());
    EXPECT_EQ(read_text(temporary / "flow-hash-key"), "short");
    // The remedy works.
    fs::remove(temporary / "flow-hash-key");
    EXPECT_TRUE(directory->load());
}

TEST(StateDirectory, UnfinishedFilesOfACrashAreRemoved) {
    const TemporaryDirectory temporary;
    write_text(temporary / "applied.toml", "old\n");
    write_text(temporary / "applied.toml.unfinished", "ne");
    EXPECT_EQ(load(temporary.path()).applied, "old\n");
    EXPECT_FALSE(fs::exists(temporary / "applied.toml.unfinished"));
}

TEST(StateDirectory, AnUnwritableDirectoryIsAnErrorAndKeepsTheOldFile) {
    const TemporaryDirectory temporary;
    auto directory = StateDirectory::open(temporary.path());
    ASSERT_TRUE(directory);
    ASSERT_TRUE(directory->save_applied("old\n"));
    // Also root cannot create a file whose name is taken by a directory.
    fs::create_directory(temporary / "applied.toml.unfinished");
    const auto saved = directory->save_applied("new\n");
    ASSERT_FALSE(saved);
    EXPECT_FALSE(saved.error().remedy.empty());
    EXPECT_EQ(read_text(temporary / "applied.toml"), "old\n");
}

/// A writer is killed again and again at any moment of its writing: what is found is always one of
/// the two texts, whole.
TEST(StateDirectory, KillAtAnyMomentLeavesOneWholeFile) {
    const TemporaryDirectory temporary;
    const std::string first(200000, 'a');
    const std::string second(150000, 'b');
    ASSERT_TRUE(StateDirectory::open(temporary.path())->save_applied(first));
    int seen_second = 0;
    for (int round = 0; round < 40; ++round) {
        const pid_t child = ::fork();
        ASSERT_GE(child, 0);
        if (child == 0) {
            auto directory = StateDirectory::open(temporary.path());
            while (directory) {
                if (!directory->save_applied(second) || !directory->save_applied(first)) {
                    ::_exit(1);
                }
            }
            ::_exit(2);
        }
        std::this_thread::sleep_for(std::chrono::microseconds(3000 + 731 * round));
        ::kill(child, SIGKILL);
        int status = 0;
        ASSERT_EQ(::waitpid(child, &status, 0), child);
        ASSERT_TRUE(WIFSIGNALED(status)) << "the writer ended by itself: " << WEXITSTATUS(status);
        const auto applied = load(temporary.path()).applied;
        ASSERT_TRUE(applied);
        ASSERT_TRUE(*applied == first || *applied == second) << applied->size() << " bytes";
        seen_second += *applied == second ? 1 : 0;
    }
    EXPECT_GT(seen_second, 0) << "the writer was never in the middle of its work";
}

TEST(Overrides, RoundTripOfBothFamilies) {
    Overrides overrides{
        {make_ref("10.0.1.11"), AdminState::drain}, {make_ref("2001:db8::1"), AdminState::disabled}
    };
    const auto parsed = parse_overrides(format_overrides(overrides));
    ASSERT_TRUE(parsed);
    EXPECT_EQ(*parsed, overrides);
}

TEST(Overrides, RefusesEveryTruncation) {
    const std::string text = format_overrides({{make_ref("10.0.1.11"), AdminState::drain}});
    for (std::size_t size = 0; size + 1 < text.size(); ++size) {
        EXPECT_FALSE(parse_overrides(text.substr(0, size))) << size;
    }
}

TEST(Overrides, RefusesWhatItWouldNotWrite) {
    for (const char* text :
         {"",
          "{}",
          "[]",
          R"({"version":2,"overrides":[]})",
          R"({"version":1,"overrides":{}})",
          R"({"version":1,"overrides":[7]})",
          R"({"version":1,"overrides":[{"vip":"1.2.3.4","protocol":"tcp","service_port":0,"address":"1.1.1.1","port":1,"admin":"drain"}]})",
          R"({"version":1,"overrides":[{"vip":"1.2.3.4","protocol":"tcp","service_port":1,"address":"1.1.1.1","port":1,"admin":"gone"}]})"
         }) {
        EXPECT_FALSE(parse_overrides(text)) << text;
    }
}

} // namespace
} // namespace penstock
