// SPDX-License-Identifier: Apache-2.0
#include "tools/cli/arguments.hpp"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

namespace penstock::cli {
namespace {

using Arguments = std::vector<std::string>;

std::expected<Invocation, Failure>
parse(const Arguments& arguments, std::string_view environment = "") {
    return parse_arguments(arguments, {.socket = std::string(environment)});
}

std::string error_of(const Arguments& arguments) {
    const auto parsed = parse(arguments);
    if (parsed)
        return "accepted";
    EXPECT_EQ(parsed.error().code, ExitCode::usage);
    return parsed.error().cause + " | " + parsed.error().remedy;
}

TEST(Arguments, FindsCommandAndArguments) {
    const auto parsed = parse({"backend", "drain", "web/web-2"});
    ASSERT_TRUE(parsed);
    EXPECT_EQ(parsed->action, Action::run);
    EXPECT_EQ(parsed->command, find_command("backend drain"));
    EXPECT_EQ(parsed->arguments, Arguments{"web/web-2"});
    EXPECT_FALSE(parsed->json);
    EXPECT_TRUE(parsed->header);
}

TEST(Arguments, TakesFlagsAnywhere) {
    for (const Arguments& arguments : std::vector<Arguments>{
             {"--json", "--socket", "/s", "backend", "list", "web"},
             {"backend", "--json", "list", "--socket", "/s", "web"},
             {"backend", "list", "web", "--socket=/s", "--json"},
         }) {
        const auto parsed = parse(arguments);
        ASSERT_TRUE(parsed) << parsed.error().cause;
        EXPECT_EQ(parsed->command, find_command("backend list"));
        EXPECT_EQ(parsed->arguments, Arguments{"web"});
        EXPECT_TRUE(parsed->json);
        EXPECT_EQ(parsed->endpoint.socket, "/s");
    }
}

TEST(Arguments, ChoosesSocketByPrecedence) {
    EXPECT_EQ(parse({"status"})->endpoint.socket, "/run/penstock/control.sock");
    EXPECT_EQ(parse({"status"}, "/env")->endpoint.socket, "/env");
    EXPECT_EQ(parse({"status", "--runtime-dir", "/r"}, "/env")->endpoint.socket, "/r/control.sock");
    EXPECT_EQ(
        parse({"status", "--runtime-dir", "/r", "--socket", "/s"}, "/env")->endpoint.socket, "/s"
    );
}

TEST(Arguments, TheNetworkStandsAloneAndIsWhole) {
    const Arguments asked{
        "status", "--api", "https://lb:9443/", "--cert", "/c", "--key", "/k", "--cacert", "/a"
    };
    const auto parsed = parse(asked, "/env");
    ASSERT_TRUE(parsed) << parsed.error().cause;
    EXPECT_EQ(parsed->endpoint.url, "https://lb:9443");
    EXPECT_EQ(parsed->endpoint.ca, "/a");
    EXPECT_EQ(parsed->endpoint.name(), "https://lb:9443");
    EXPECT_TRUE(error_of({"status", "--api", "https://lb:9443", "--socket", "/s"})
                    .starts_with("--api and a socket are two control planes"));
    EXPECT_TRUE(error_of({"status", "--api", "http://lb:9443"}).contains("https://HOST:PORT"));
    EXPECT_TRUE(error_of({"status", "--api", "https://lb/v1"}).contains("https://HOST:PORT"));
    EXPECT_TRUE(error_of({"status", "--token-file", "/t"}).contains("without --api"));
    EXPECT_TRUE(error_of({"status", "--api", "https://lb:9443", "--cert", "/c"})
                    .starts_with("--cert and --key belong together"));
    const Surroundings remote{.api = "https://lb:9443", .token_file = "/t"};
    EXPECT_EQ(parse_arguments(Arguments{"status"}, remote)->endpoint.token_file, "/t");
    const auto local = parse_arguments(Arguments{"status", "--runtime-dir", "/r"}, remote);
    EXPECT_FALSE(local->endpoint.is_network());
}

TEST(Arguments, TakesTimeoutOfCommandOrFlag) {
    EXPECT_EQ(parse({"status"})->timeout_s, 10);
    EXPECT_EQ(parse({"apply", "f"})->timeout_s, 60);
    EXPECT_EQ(parse({"apply", "f", "--timeout", "0.5"})->timeout_s, 0.5);
}

TEST(Arguments, ReadsValuesOfOptions) {
    const auto parsed = parse({"stats", "--interval", "0.25", "--count=3"});
    ASSERT_TRUE(parsed);
    EXPECT_EQ(parsed->seconds("interval"), 0.25);
    EXPECT_EQ(parsed->count("count"), 3);
    EXPECT_EQ(parsed->count("last"), std::nullopt);
}

TEST(Arguments, TakesDashAsFileAndWhatFollowsTwoDashesAsItIs) {
    EXPECT_EQ(parse({"check", "-"})->arguments, Arguments{"-"});
    EXPECT_EQ(parse({"check", "--", "--json"})->arguments, Arguments{"--json"});
}

TEST(Arguments, HelpAndVersionNeedNothingElse) {
    EXPECT_EQ(parse({"--help"})->action, Action::help);
    EXPECT_EQ(parse({"-h"})->command, nullptr);
    EXPECT_EQ(parse({"backend", "--help"})->topic, "backend");
    EXPECT_EQ(parse({"backend", "drain", "--help"})->command, find_command("backend drain"));
    EXPECT_EQ(parse({"check", "--help", "--nonsense"})->command, find_command("check"));
    EXPECT_EQ(parse({"--version"})->action, Action::version);
    EXPECT_EQ(parse_topic(Arguments{"backend", "list"})->command, find_command("backend list"));
    EXPECT_EQ(parse_topic(Arguments{"service"})->topic, "service");
    EXPECT_FALSE(parse_topic(Arguments{"backed"}));
}

TEST(Arguments, SuggestsCommands) {
    EXPECT_EQ(error_of({"staus"}), "there is no command 'staus' | did you mean 'penstock status'?");
    EXPECT_EQ(
        error_of({"services"}), "there is no command 'services' | did you mean 'penstock service'?"
    );
    EXPECT_EQ(
        error_of({"backend", "drian", "web/web-1"}),
        "there is no command 'backend drian' | did you mean 'penstock backend drain'?"
    );
    EXPECT_EQ(error_of({"xyzzy"}), "there is no command 'xyzzy' | see: penstock --help");
}

TEST(Arguments, SuggestsFlags) {
    EXPECT_EQ(
        error_of({"status", "--jsno"}), "'status' has no flag '--jsno' | did you mean '--json'?"
    );
    EXPECT_EQ(error_of({"status", "-json"}), "there is no flag '-json' | did you mean '--json'?");
    EXPECT_EQ(
        error_of({"events", "--folow"}), "'events' has no flag '--folow' | did you mean '--follow'?"
    );
    // Another command's flag is not this one's.
    EXPECT_EQ(
        error_of({"status", "--follow"}),
        "'status' has no flag '--follow' | see: penstock status --help"
    );
    // No abbreviations: a script that relies on one breaks with the next flag.
    EXPECT_EQ(
        error_of({"status", "--js"}), "'status' has no flag '--js' | see: penstock status --help"
    );
}

TEST(Arguments, RefusesWhatIsMissingOrTooMuch) {
    EXPECT_EQ(
        error_of({}),
        "a command is missing | for example: penstock status. All commands: penstock --help"
    );
    EXPECT_EQ(
        error_of({"backend"}),
        "'backend' needs a verb: list, drain, enable, maint, disable, weight | see: penstock "
        "backend --help"
    );
    EXPECT_EQ(
        error_of({"check"}),
        "'check' needs FILE: a configuration file, or - for standard input | see: penstock check "
        "--help"
    );
    EXPECT_EQ(error_of({"check", ""}), "FILE of 'check' is empty | see: penstock check --help");
    EXPECT_EQ(
        error_of({"status", "web"}), "'status' does not take 'web' | see: penstock status --help"
    );
}

TEST(Arguments, RefusesBadValues) {
    for (const char* value : {"0", "-1", "nan", "inf", "1e9", "2x", "", " 1"}) {
        EXPECT_NE(error_of({"status", "--timeout", value}), "accepted") << value;
        EXPECT_NE(error_of({"status", std::string("--timeout=") + value}), "accepted") << value;
    }
    for (const char* value : {"-1", "1.5", "x", "", "18446744073709551616"})
        EXPECT_NE(error_of({"events", std::string("--last=") + value}), "accepted") << value;
    EXPECT_NE(error_of({"status", "--socket="}), "accepted");
    EXPECT_NE(error_of({"status", "--socket"}), "accepted");
    EXPECT_NE(error_of({"status", "--json=yes"}), "accepted");
    EXPECT_NE(error_of({"status", "--socket", "/a", "--socket", "/b"}), "accepted");
}

// scan_words() relies on it.
TEST(CommandTable, FlagsMeanTheSameEverywhere) {
    std::set<std::string_view> valued;
    std::set<std::string_view> plain;
    const auto add = [&](const Option& option) {
        EXPECT_EQ(option.value.empty(), option.kind == OptionKind::flag) << option.name;
        (option.kind == OptionKind::flag ? plain : valued).insert(option.name);
    };
    for (const Option& option : global_options())
        add(option);
    for (const Command& command : commands()) {
        for (const Option& option : command.options)
            add(option);
    }
    for (const std::string_view name : valued)
        EXPECT_FALSE(plain.contains(name)) << name;
}

TEST(CommandTable, RequiredArgumentsComeFirst) {
    for (const Command& command : commands()) {
        bool optional = false;
        for (const Argument& argument : command.arguments) {
            EXPECT_FALSE(optional && argument.required) << command.words;
            optional = optional || !argument.required;
        }
        EXPECT_NE(command.run, nullptr) << command.words;
    }
}

} // namespace
} // namespace penstock::cli
