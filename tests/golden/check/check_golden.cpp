// SPDX-License-Identifier: Apache-2.0
// What `penstock check` says of broken files, held to the letter: every NN-name.toml of a folder is
// read by read_configuration() and rendered, and must give NN-name.expected. Beyond equality each
// message must name line and column and offer help.
//
//   test-golden-check FOLDER           compare; one GoogleTest case a file
//   test-golden-check --regen FOLDER   write the expectations anew; look at the diff before you
//   commit it
#include "controlplane/config/parse.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

namespace fs = std::filesystem;
using penstock::config::Diagnostic;
using penstock::config::Diagnostics;

constexpr std::size_t least_cases = 20;

std::string read_all(const fs::path& path) {
    std::ifstream file(path, std::ios::binary);
    return file ? std::string(std::istreambuf_iterator<char>(file), {})
                : "cannot read " + path.string();
}

fs::path expected_path(const fs::path& path) {
    return fs::path(path).replace_extension(".expected");
}

/// The messages for a file; none if it was accepted.
Diagnostics check(const fs::path& path) {
    auto result = penstock::config::read_configuration(path.string());
    if (result) {
        return {};
    }
    // Names alone, so that expectations do not hold the place of a checkout.
    const std::string folder = path.parent_path().string() + "/";
    for (Diagnostic& diagnostic : result.error()) {
        for (std::string* text : {&diagnostic.place.file, &diagnostic.cause}) {
            for (std::size_t at = text->find(folder); at != std::string::npos;
                 at = text->find(folder)) {
                text->erase(at, folder.size());
            }
        }
    }
    return result.error();
}

/// Steps over a number above 0 and the ':' after it; false if there is none.
bool skip_number(std::string_view& text) {
    const std::size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
    if (digits == 0 || text[0] == '0' || !text.substr(digits).starts_with(':')) {
        return false;
    }
    text.remove_prefix(digits + 1);
    return true;
}

/// What a message lacks, or nothing.
std::string_view find_fault(std::string_view said, const std::string& file) {
    std::string_view rest = said;
    if (!rest.starts_with(file + ":")) {
        return "does not begin with the file";
    }
    rest.remove_prefix(file.size() + 1);
    if (!skip_number(rest) || !skip_number(rest)) {
        return "has no line and column";
    }
    if (!rest.starts_with(" error: ") && !rest.starts_with(" warning: ")) {
        return "does not say that it is an error";
    }
    const std::size_t help = said.find("\n  help: ");
    if (help == std::string_view::npos || said.substr(help + 9).find_first_not_of(" \n") != 0) {
        return "offers no help";
    }
    return {};
}

class BrokenFile : public testing::Test {
public:
    explicit BrokenFile(fs::path path) : path_(std::move(path)) {}

    void TestBody() override {
        const Diagnostics diagnostics = check(path_);
        ASSERT_FALSE(diagnostics.empty()) << "accepted, but it is a broken file";
        bool has_error = false;
        for (const Diagnostic& diagnostic : diagnostics) {
            const std::string said = render(diagnostic);
            EXPECT_EQ(find_fault(said, diagnostic.place.file), "") << said;
            has_error = has_error || diagnostic.severity == penstock::config::Severity::error;
        }
        EXPECT_TRUE(has_error);
        EXPECT_EQ(render(diagnostics), read_all(expected_path(path_)));
    }

private:
    fs::path path_;
};

class Folder : public testing::Test {
public:
    explicit Folder(std::size_t cases) : cases_(cases) {}

    void TestBody() override { EXPECT_GE(cases_, least_cases) << "is this the right folder?"; }

private:
    std::size_t cases_;
};

std::vector<fs::path> list_cases(const fs::path& folder) {
    std::vector<fs::path> files;
    for (const auto& entry : fs::directory_iterator(folder)) {
        if (entry.path().extension() == ".toml") {
            files.push_back(entry.path());
        }
    }
    std::ranges::sort(files);
    return files;
}

int regenerate(const std::vector<fs::path>& files) {
    for (const fs::path& path : files) {
        std::ofstream file(expected_path(path), std::ios::binary);
        file << render(check(path)) << std::flush;
        if (!file) {
            fmt::print(
                stderr, "test-golden-check: cannot write {}\n", expected_path(path).string()
            );
            return 1;
        }
    }
    fmt::print("wrote {} expectations\n", files.size());
    return 0;
}

void register_cases(const std::vector<fs::path>& files) {
    const std::size_t count = files.size();
    testing::RegisterTest(
        "Check",
        "folder_has_cases",
        nullptr,
        nullptr,
        __FILE__,
        __LINE__,
        [count]() -> testing::Test* { return new Folder(count); } // GoogleTest deletes it
    );
    for (const fs::path& path : files) {
        std::string name = path.stem().string();
        std::ranges::replace(name, '-', '_');
        testing::RegisterTest(
            "Check",
            name.c_str(),
            nullptr,
            nullptr,
            __FILE__,
            __LINE__,
            [path]() -> testing::Test* { return new BrokenFile(path); }
        );
    }
}

} // namespace

int main(int argc, char** argv) {
    testing::InitGoogleTest(&argc, argv);
    const std::vector<std::string_view> arguments(argv + 1, argv + argc);
    const bool regen = arguments.size() == 2 && arguments[0] == "--regen";
    if ((arguments.size() != 1 && !regen) || !fs::is_directory(arguments.back())) {
        fmt::print(stderr, "usage: test-golden-check [--regen] FOLDER\n");
        return 2;
    }
    const std::vector<fs::path> files = list_cases(arguments.back());
    if (regen) {
        return regenerate(files);
    }
    register_cases(files);
    return RUN_ALL_TESTS();
}
