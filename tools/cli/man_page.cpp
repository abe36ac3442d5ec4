// SPDX-License-Identifier: Apache-2.0
#include "tools/cli/man_page.hpp"

#include "tools/cli/command.hpp"
#include "tools/cli/help.hpp"

#include <fmt/format.h>

#include <cstdint>
#include <span>
#include <string_view>
#include <utility>

namespace penstock::cli {
namespace {

/// Code point and bytes of the character that `text` begins with; our own texts are UTF-8.
std::pair<std::uint32_t, std::size_t> decode(std::string_view text) {
    const auto first = static_cast<unsigned char>(text[0]);
    const std::size_t length = first >= 0xf0U ? 4 : first >= 0xe0U ? 3 : 2;
    std::uint32_t code = first & (0xffU >> (length + 1));
    for (std::size_t i = 1; i < length && i < text.size(); ++i)
        code = (code << 6U) | (static_cast<unsigned char>(text[i]) & 0x3fU);
    return {code, length};
}

/// Nothing in it is a request or an escape of roff, and dashes are dashes.
std::string escape(std::string_view text) {
    std::string escaped;
    bool begins_line = true;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if ((static_cast<unsigned char>(c) & 0x80U) != 0) {
            const auto [code, length] = decode(text.substr(i));
            escaped += fmt::format("\\[u{:04X}]", code);
            i += length - 1;
            begins_line = false;
            continue;
        }
        if (begins_line && (c == '.' || c == '\''))
            escaped += "\\&";
        if (c == '\\')
            escaped += "\\e";
        else if (c == '-')
            escaped += "\\-";
        else
            escaped += c;
        begins_line = c == '\n';
    }
    return escaped;
}

std::string entry(std::string_view term, std::string_view text) {
    return fmt::format(".TP\n.B {}\n{}\n", escape(term), escape(text));
}

std::string options(std::span<const Option> list) {
    std::string text;
    for (const Option& option : list) {
        text += entry(
            option.kind == OptionKind::flag ? fmt::format("--{}", option.name)
                                            : fmt::format("--{} {}", option.name, option.value),
            option.text
        );
    }
    return text;
}

std::string section(const Command& command) {
    std::string text =
        fmt::format(".SS {}\n{}.\n", escape(usage_line(command)), escape(command.summary));
    if (!command.details.empty())
        text += fmt::format(".PP\n{}\n", escape(command.details));
    for (const Argument& argument : command.arguments)
        text += entry(argument.name, argument.text);
    text += options(command.options);
    text += fmt::format(".PP\n\\-\\-json: {}\n", escape(command.json));
    for (const Example& example : command.examples)
        text += fmt::format(
            ".PP\n{}:\n.PP\n.RS\n.nf\n{}\n.fi\n.RE\n", escape(example.text), escape(example.line)
        );
    return text;
}

} // namespace

std::string man_page() {
    std::string text = ".\\\" Made by `penstock help --man` from the command table.\n"
                       ".TH PENSTOCK 1 \"\" \"Penstock " PENSTOCK_VERSION "\"\n"
                       ".SH NAME\npenstock \\- operate the Penstock load balancer\n"
                       ".SH SYNOPSIS\n.B penstock\nCOMMAND [arguments] [flags]\n"
                       ".SH FLAGS OF EVERY COMMAND\n";
    text += options(global_options());
    text += ".SH COMMANDS\n";
    for (const Command& command : commands())
        text += section(command);
    text += ".SH EXIT STATUS\n";
    for (const ExitCodeText& code : exit_codes)
        text += entry(std::to_string(static_cast<int>(code.code)), code.text);
    text +=
        ".SH ENVIRONMENT\n" +
        entry("PENSTOCK_SOCKET", "the socket when neither --socket nor --runtime-dir is given") +
        entry(
            "PENSTOCK_API, PENSTOCK_CACERT, PENSTOCK_CERT, PENSTOCK_KEY, PENSTOCK_TOKEN_FILE",
            "stand for --api, --cacert, --cert, --key and --token-file"
        ) +
        entry("NO_COLOR", "turns colours off");
    return text;
}

} // namespace penstock::cli
