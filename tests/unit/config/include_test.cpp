// SPDX-License-Identifier: Apache-2.0
// Configurations of several files: joined, packed into one text, compared with what is on disk.
#include "tests/unit/config/sample.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <unistd.h>

namespace penstock::config {
namespace {

using testing::head;
using testing::replace;
using testing::service;

class Includes : public ::testing::Test {
protected:
    Includes()
        : folder_(
              std::filesystem::temp_directory_path() /
              fmt::format("penstock-include-{}", ::getpid())
          ) {
        std::filesystem::create_directories(folder_ / "services");
    }

    ~Includes() override { std::filesystem::remove_all(folder_); }

    std::string write(const std::string& name, const std::string& text) {
        std::ofstream(folder_ / name, std::ios::binary) << text;
        return (folder_ / name).string();
    }

    static std::string named(const std::string& name, unsigned port) {
        return replace(
            replace(service, "\"web\"", fmt::format("\"{}\"", name)), "80", fmt::format("{}", port)
        );
    }

    /// Main file, two services in files of their own, one of which has a list.
    std::string write_all() {
        write("services/b.toml", named("b", 81) + "deny_file = \"../blocked.txt\"\n");
        write("services/a.toml", named("a", 82));
        write("blocked.txt", "192.0.2.0/24\n");
        write("flow.toml", "[flow]\nudp = \"1m\"\n");
        main_ = "include = [\"services/*.toml\", \"flow.toml\"]\n" + head + service;
        return write("penstock.toml", main_);
    }

    std::string refusal(const std::string& text) {
        const auto result = read_configuration(write("penstock.toml", text));
        return result ? "accepted" : render(result.error());
    }

    [[nodiscard]] std::string path(const std::string& name) const {
        return (folder_ / name).string();
    }

    std::filesystem::path folder_;
    std::string main_;
};

TEST_F(Includes, join_services_in_order_and_other_sections_from_one_file) {
    const auto read = read_configuration(write_all());
    ASSERT_TRUE(read) << render(read.error());
    std::vector<std::string> names;
    for (const ServiceConfig& each : read->services) {
        names.push_back(each.spec.name);
    }
    EXPECT_EQ(names, (std::vector<std::string>{"web", "a", "b"}));
    EXPECT_EQ(read->services[1].place.file, path("services/a.toml"));
    EXPECT_EQ(read->services[2].spec.access.deny.size(), 1U);
    EXPECT_EQ(read->flow_timeouts.udp_s, 60);
}

TEST_F(Includes, say_places_in_the_file_that_has_them) {
    write("services/a.toml", "\n" + replace(service, "\"web-1\"", "\"web 1\""));
    const std::string said = refusal("include = [\"services/a.toml\"]\n" + head + service);
    EXPECT_TRUE(said.starts_with(path("penstock.toml")) || said.starts_with(path("services")))
        << said;
    EXPECT_NE(said.find(path("services/a.toml") + ":8:22: error: backend name 'web 1'"), said.npos)
        << said;
    EXPECT_NE(
        said.find(
            "two services are named 'web', the first at " + path("penstock.toml") + ", line 10"
        ),
        said.npos
    ) << said;
    EXPECT_NE(said.find("    backend = [ { name = \"web 1\""), said.npos) << said;
}

TEST_F(Includes, are_bounded_and_do_not_go_round) {
    write("services/a.toml", "include = [\"b.toml\"]\n");
    write("services/b.toml", "include = [\"a.toml\"]\n");
    EXPECT_NE(
        refusal("include = [\"services/a.toml\"]\n" + head)
            .find("the includes go round: 'services/a.toml' includes 'services/b.toml' includes "
                  "'services/a.toml'"),
        std::string::npos
    );
    write("services/b.toml", "");
    EXPECT_NE(
        refusal("include = [\"services/a.toml\", \"services/b.toml\"]\n" + head)
            .find("'services/b.toml' is included already"),
        std::string::npos
    );
    EXPECT_NE(
        refusal("include = [\"services/none.toml\"]\n" + head).find(":1:12: error: 'services/none"),
        std::string::npos
    );
    for (unsigned i = 0; i < 20; ++i) {
        write(fmt::format("deep{}.toml", i), fmt::format("include = [\"deep{}.toml\"]\n", i + 1));
    }
    EXPECT_NE(
        refusal("include = [\"deep0.toml\"]\n" + head).find("includes go deeper than 8 files"),
        std::string::npos
    );
    write("flow.toml", "[flow]\n");
    EXPECT_NE(
        refusal("include = [\"flow.toml\"]\n" + head + "[flow]\n")
            .find("'flow' stands in another file already"),
        std::string::npos
    );
    write("services/a.toml", "[[service]\n");
    EXPECT_TRUE(refusal("include = [\"services/a.toml\"]\n" + head)
                    .starts_with(path("services/a.toml") + ":1:"));
}

TEST_F(Includes, of_patterns_that_match_nothing_are_a_warning) {
    Diagnostics warnings;
    const auto read = read_configuration(
        write("penstock.toml", "include = [\"none/*.toml\"]\n" + head + service), &warnings
    );
    ASSERT_TRUE(read);
    ASSERT_EQ(warnings.size(), 1U);
    EXPECT_EQ(warnings[0].place.line, 1U);
}

TEST_F(Includes, are_packed_into_a_text_that_needs_no_file) {
    const std::string main_path = write_all();
    const auto read = read_configuration(main_path);
    ASSERT_TRUE(read);
    const std::string packed = pack_named_files(main_, main_path);
    EXPECT_TRUE(equals_on_disk(packed, main_, main_path));
    write("blocked.txt", "192.0.2.0/25\n");
    EXPECT_FALSE(equals_on_disk(packed, main_, main_path));
    std::filesystem::remove_all(folder_);
    const auto again = parse_configuration(packed, main_path);
    ASSERT_TRUE(again) << render(again.error());
    EXPECT_EQ(*again, *read);
    EXPECT_EQ(again->services[1].place.file, read->services[1].place.file);
}

TEST_F(Includes, that_cannot_be_read_say_so_from_the_pack_too) {
    const std::string text = "include = [\"none.toml\"]\n" + head + service;
    const std::string main_path = write("penstock.toml", text);
    const auto here = read_configuration(main_path);
    const auto there = parse_configuration(pack_named_files(text, main_path), main_path);
    ASSERT_FALSE(here);
    ASSERT_FALSE(there);
    EXPECT_EQ(render(there.error()), render(here.error()));
}

TEST_F(Includes, leave_a_file_alone_as_it_is) {
    const std::string text = head + service;
    EXPECT_EQ(pack_named_files(text, write("penstock.toml", text)), text);
}

TEST(FilePack, refuses_every_truncation) {
    FilePack files{.main = "a = 1\n", .files = {}};
    files.files.insert_or_assign("b.toml", "b = 2");
    files.files.insert_or_assign("c", std::unexpected(FileRefusal{"cause", "remedy"}));
    const std::string text = pack(files);
    ASSERT_TRUE(is_packed(text));
    const auto whole = unpack(text);
    ASSERT_TRUE(whole);
    EXPECT_EQ(whole->main, files.main);
    EXPECT_EQ(whole->files, files.files);
    std::size_t taken = 0;
    for (std::size_t bytes = 0; bytes < text.size(); ++bytes) {
        if (is_packed(std::string_view(text).substr(0, bytes))) {
            taken += unpack(std::string_view(text).substr(0, bytes)) ? 1 : 0;
        }
    }
    EXPECT_EQ(taken, 2U) << "between two entries nothing shows that there were more";
    EXPECT_FALSE(unpack("# penstock files 1\n# file 99999999999999999999\nx\n"));
    EXPECT_FALSE(unpack("# penstock files 1\n# missing 1\nx\n"));
    EXPECT_FALSE(unpack("# penstock files 1\n# file 1\nx\n# file 1\nx\n")) << "two main files";
}

} // namespace
} // namespace penstock::config
