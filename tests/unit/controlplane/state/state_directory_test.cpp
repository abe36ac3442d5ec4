// SPDX-License-Identifier: Apache-2.0
#include "controlplane/state/state_directory.hpp"

#include "tests/unit/controlplane/temporary_directory.hpp"

#include <csignal>
#include <gtest/gtest.h>
#include <string>
#include <sys/stat.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

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

Override drained() {
    return {.admin = AdminState::drain, .weight = {}, .actor = {}, .since = {}};
}

/// The text before the seal.
std::string text_of(const std::string& path) {
    const auto sealed = unseal(read_text(path));
    EXPECT_TRUE(sealed && sealed->is_sealed) << path;
    return sealed ? sealed->text : std::string();
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
        ASSERT_TRUE(directory->save_applied("a = 1\n", {{"name", "x.toml"}}));
        ASSERT_TRUE(directory->save_pending("b = 2", {}));
        ASSERT_TRUE(directory->save_overrides({{make_ref("10.0.1.11"), drained()}}));
        ASSERT_TRUE(directory->save_generation(41));
    }
    const LoadedState state = load(path);
    ASSERT_TRUE(state.applied && state.pending);
    EXPECT_EQ(state.applied->text, "a = 1\n");
    EXPECT_EQ(state.applied->meta.at("name"), "x.toml");
    EXPECT_EQ(state.pending->text, "b = 2") << "byte by byte, also without a last newline";
    EXPECT_EQ(state.overrides.at(make_ref("10.0.1.11")), drained());
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
    const LoadedState state = load(temporary.path());
    ASSERT_TRUE(state.applied);
    EXPECT_EQ(state.applied->text, "old\n") << "of a version without seals";
    EXPECT_EQ(text_of(temporary / "applied.toml"), "old\n");
    EXPECT_FALSE(fs::exists(temporary / "applied.toml.unfinished"));
}

TEST(StateDirectory, AnUnwritableDirectoryIsAnErrorAndKeepsTheOldFile) {
    const TemporaryDirectory temporary;
    auto directory = StateDirectory::open(temporary.path());
    ASSERT_TRUE(directory);
    ASSERT_TRUE(directory->save_applied("old\n", {}));
    // Also root cannot create a file whose name is taken by a directory.
    fs::create_directory(temporary / "applied.toml.unfinished");
    const auto saved = directory->save_applied("new\n", {});
    ASSERT_FALSE(saved);
    EXPECT_FALSE(saved.error().remedy.empty());
    EXPECT_EQ(text_of(temporary / "applied.toml"), "old\n");
}

TEST(StateDirectory, AFlippedBitIsFoundAndTheLastGoodIsUsed) {
    const TemporaryDirectory temporary;
    {
        auto directory = StateDirectory::open(temporary.path());
        ASSERT_TRUE(directory);
        auto state = directory->load();
        ASSERT_TRUE(state);
        ASSERT_TRUE(state->history->add({.source = "api", .actor = {}}, "weight = 100\n"));
        ASSERT_TRUE(directory->save_applied("weight = 100\n", {}));
        ASSERT_TRUE(directory->save_overrides({{make_ref("10.0.1.11"), drained()}}));
        ASSERT_TRUE(directory->save_overrides({}));
    }
    std::string applied = read_text(temporary / "applied.toml");
    applied.at(applied.find("100")) = '3'; // still TOML, and still a weight
    write_text(temporary / "applied.toml", applied);
    std::string overrides = read_text(temporary / "overrides.json");
    write_text(temporary / "overrides.json", overrides.substr(0, overrides.size() / 2));
    const LoadedState state = load(temporary.path());
    ASSERT_TRUE(state.applied);
    EXPECT_EQ(state.applied->text, "weight = 100\n");
    ASSERT_EQ(state.set_aside.size(), 2U);
    EXPECT_EQ(state.overrides.size(), 1U) << "the ones before";
    EXPECT_NE(state.set_aside[0].find("before the last change"), std::string::npos)
        << state.set_aside[0];
    EXPECT_NE(state.set_aside[1].find("its checksum does not fit"), std::string::npos)
        << state.set_aside[1];
    EXPECT_NE(state.set_aside[1].find("number 1 of the history"), std::string::npos)
        << state.set_aside[1];
}

TEST(StateDirectory, AnotherVersionIsRefusedAndKept) {
    const TemporaryDirectory temporary;
    (void)load(temporary.path());
    write_text(temporary / "format", "2\n");
    auto directory = StateDirectory::open(temporary.path());
    ASSERT_TRUE(directory);
    const auto state = directory->load();
    ASSERT_FALSE(state);
    EXPECT_NE(state.error().cause.find("another version"), std::string::npos);
}

TEST(SealedText, RefusesEveryTruncationAndEveryFlippedByte) {
    const std::string sealed = seal("a = 1\n# b\n", {{"name", "x"}});
    ASSERT_EQ(unseal(sealed)->text, "a = 1\n# b\n");
    for (std::size_t size = 0; size < sealed.size(); ++size) {
        const auto cut = unseal(sealed.substr(0, size));
        EXPECT_FALSE(cut && cut->is_sealed) << size;
    }
    for (std::size_t i = 0; i < sealed.size(); ++i) {
        std::string flipped = sealed;
        flipped[i] = static_cast<char>(flipped[i] ^ 1);
        const auto read = unseal(flipped);
        EXPECT_FALSE(read && read->is_sealed) << i << ": " << flipped;
    }
}

TEST(History, KeepsTheNewestAndNumbersThemOnce) {
    const TemporaryDirectory temporary;
    std::vector<std::string> aside;
    {
        auto history = History::open(temporary / "history", aside);
        ASSERT_TRUE(history);
        for (std::size_t i = 1; i <= max_history_entries + 5; ++i) {
            const Actor actor{
                .user = "eva", .uid = 7U, .pid = 8, .from = "control.sock", .role = Role::administer
            };
            const auto number = history->add(
                {.source = "api", .actor = actor, .name = "x.toml"}, "# " + std::to_string(i)
            );
            ASSERT_TRUE(number);
            EXPECT_EQ(*number, i);
        }
    }
    write_text(temporary / "history/000050.toml", "rubbish");
    auto history = History::open(temporary / "history", aside);
    ASSERT_TRUE(history);
    EXPECT_EQ(history->entries().size(), max_history_entries - 1);
    EXPECT_EQ(aside.size(), 1U);
    EXPECT_EQ(history->find(5), nullptr);
    EXPECT_EQ(history->find(50), nullptr);
    EXPECT_EQ(history->newest()->number, max_history_entries + 5);
    EXPECT_EQ(history->newest()->actor.user, "eva");
    EXPECT_EQ(history->read(51), "# 51");
    EXPECT_FALSE(history->read(50));
}

TEST(Confirmation, IsReadAsWrittenAndNeverLastsLongerThanItsWindow) {
    const WallTime deadline(std::chrono::milliseconds(1'795'000'000'000));
    const Confirmation trial{
        .back_to = 3,
        .window = std::chrono::seconds(60),
        .deadline = deadline,
        .actor = {.from = "x"}
    };
    const auto read = parse_confirmation(format_confirmation(trial));
    ASSERT_TRUE(read);
    EXPECT_EQ(read->back_to, 3U);
    EXPECT_EQ(read->deadline, deadline);
    using std::chrono::seconds;
    EXPECT_EQ(time_left(*read, deadline - seconds(10)), seconds(10));
    EXPECT_EQ(time_left(*read, deadline + seconds(10)), seconds(0));
    EXPECT_EQ(time_left(*read, deadline - seconds(86400)), seconds(60)) << "the clock was set back";
    for (const char* text :
         {"",
          "{}",
          "[]",
          R"({"version":1,"back_to":0,"window_s":1,"deadline_ms":1})",
          R"({"version":1,"back_to":1,"window_s":86401,"deadline_ms":1})"}) {
        EXPECT_FALSE(parse_confirmation(text)) << text;
    }
}

/// A writer is killed again and again at any moment of its writing: what is found is always one of
/// the two texts, whole.
TEST(StateDirectory, KillAtAnyMomentLeavesOneWholeFile) {
    const TemporaryDirectory temporary;
    const std::string first(200000, 'a');
    const std::string second(150000, 'b');
    ASSERT_TRUE(StateDirectory::open(temporary.path())->save_applied(first, {}));
    int seen_second = 0;
    for (int round = 0; round < 40; ++round) {
        const pid_t child = ::fork();
        ASSERT_GE(child, 0);
        if (child == 0) {
            auto directory = StateDirectory::open(temporary.path());
            while (directory) {
                if (!directory->save_applied(second, {}) || !directory->save_applied(first, {})) {
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
        const LoadedState state = load(temporary.path());
        ASSERT_TRUE(state.applied && state.set_aside.empty());
        const std::string& text = state.applied->text;
        ASSERT_TRUE(text == first || text == second) << text.size() << " bytes";
        seen_second += text == second ? 1 : 0;
    }
    EXPECT_GT(seen_second, 0) << "the writer was never in the middle of its work";
}

TEST(Overrides, RoundTripOfBothFamilies) {
    Overrides overrides{
        {make_ref("10.0.1.11"), drained()},
        {make_ref("2001:db8::1"),
         {.admin = AdminState::disabled,
          .weight = std::uint16_t{7},
          .actor =
              {.user = "eva", .uid = 1000U, .pid = 17, .from = "control.sock", .role = Role::operate
              },
          .since = "2026-11-22T14:02:11.250Z"}},
    };
    const auto parsed = parse_overrides(format_overrides(overrides));
    ASSERT_TRUE(parsed);
    EXPECT_EQ(*parsed, overrides);
    EXPECT_EQ(parsed->at(make_ref("2001:db8::1")).actor.user, "eva");
    EXPECT_EQ(parsed->at(make_ref("2001:db8::1")).since, "2026-11-22T14:02:11.250Z");
}

TEST(Overrides, RefusesEveryTruncation) {
    const std::string text = format_overrides({{make_ref("10.0.1.11"), drained()}});
    for (std::size_t size = 0; size + 1 < text.size(); ++size) {
        EXPECT_FALSE(parse_overrides(text.substr(0, size))) << size;
    }
}

TEST(Overrides, RefusesWhatItWouldNotWrite) {
    for (const char* text :
         {"",
          "{}",
          "[]",
          R"({"version":3,"overrides":[]})",
          R"({"version":2,"overrides":[{"vip":"1.2.3.4","protocol":"tcp","service_port":1,"address":"1.1.1.1","port":1}]})",
          R"({"version":2,"overrides":[{"vip":"1.2.3.4","protocol":"tcp","service_port":1,"address":"1.1.1.1","port":1,"weight":65536}]})",
          R"({"version":1,"overrides":{}})",
          R"({"version":1,"overrides":[7]})",
          R"({"version":1,"overrides":[{"vip":"1.2.3.4","protocol":"tcp","service_port":-1,"address":"1.1.1.1","port":1,"admin":"drain"}]})",
          R"({"version":1,"overrides":[{"vip":"1.2.3.4","protocol":"tcp","service_port":1,"address":"1.1.1.1","port":1,"admin":"gone"}]})"
         }) {
        EXPECT_FALSE(parse_overrides(text)) << text;
    }
}

} // namespace
} // namespace penstock
