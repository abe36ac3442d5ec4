// SPDX-License-Identifier: Apache-2.0
#include "tools/cli/configuration_text.hpp"

#include "controlplane/config/parse.hpp"
#include "controlplane/config/read_file.hpp"

#include <fmt/format.h>

#include <array>
#include <cerrno>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace penstock::cli {
namespace {

std::expected<std::string, config::Diagnostic> read_stdin() {
    std::string text;
    std::array<char, 65536> buffer{};
    while (true) {
        const ssize_t count = read(STDIN_FILENO, buffer.data(), buffer.size());
        if (count == 0)
            return text;
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0) {
            // Member by member: GCC 12 takes a temporary of braces in std::unexpected for
            // uninitialized.
            config::Diagnostic diagnostic;
            diagnostic.place = {.file = displayed_name("-"), .line = 1, .column = 1};
            diagnostic.cause = fmt::format(
                "cannot read standard input: {}", std::generic_category().message(errno)
            );
            diagnostic.remedy = "name the file instead of -";
            return std::unexpected(std::move(diagnostic));
        }
        text.append(buffer.data(), static_cast<std::size_t>(count));
        if (text.size() > config::max_file_bytes)
            return std::unexpected(config::explain_size(displayed_name("-"), text.size()));
    }
}

} // namespace

std::expected<ConfigurationText, config::Diagnostic> read_text(const std::string& file) {
    auto text = file == "-" ? read_stdin() : config::read_file(file);
    if (!text)
        return std::unexpected(text.error());
    return ConfigurationText{.name = displayed_name(file), .text = std::move(*text)};
}

std::expected<ConfigurationText, config::Diagnostic> read_packed_text(const std::string& file) {
    auto text = read_text(file);
    if (text && file != "-")
        text->text = config::pack_named_files(std::move(text->text), file);
    return text;
}

std::string displayed_name(const std::string& file) {
    return file == "-" ? "<stdin>" : file;
}

Failure unreadable(const config::Diagnostic& diagnostic) {
    return {
        .code = ExitCode::refused,
        .cause = fmt::format("{}: {}", diagnostic.place.file, diagnostic.cause),
        .remedy = diagnostic.remedy
    };
}

} // namespace penstock::cli
