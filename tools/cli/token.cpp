// SPDX-License-Identifier: Apache-2.0
// penstock token: edits the file of bearer tokens on this node (controlplane/config/token_file.hpp).
#include "controlplane/config/read_file.hpp"
#include "controlplane/config/token_file.hpp"
#include "tools/cli/arguments.hpp"
#include "tools/cli/output.hpp"
#include "tools/cli/run.hpp"
#include "tools/cli/table.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <fmt/format.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <openssl/sha.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <ctime>
#include <fcntl.h>
#include <filesystem>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>

namespace penstock::cli {
namespace {

constexpr std::string_view default_file = "/etc/penstock/api-tokens";
constexpr std::string_view head = "# Bearer tokens of penstock-cp's API: name, role, expiry, hash. "
                                  "penstock token create adds one.\n";
constexpr std::int64_t default_days = 90;
constexpr std::uint64_t max_days = 36500;
constexpr std::int64_t day_s = 86400;

struct TokenFile {
    std::string path;
    std::string text; ///< empty: it does not exist
    std::vector<config::TokenEntry> entries;
};

Failure refuse(std::string cause, std::string remedy) {
    return {.code = ExitCode::refused, .cause = std::move(cause), .remedy = std::move(remedy)};
}

std::string file_of(const Invocation& invocation) {
    const std::string given = invocation.text("file");
    return given.empty() ? std::string(default_file) : given;
}

std::expected<TokenFile, Failure> open_file(const std::string& path, bool may_be_missing) {
    TokenFile file{.path = path, .text = {}, .entries = {}};
    std::error_code error;
    if (may_be_missing && !std::filesystem::exists(path, error) && !error)
        return file;
    auto text = config::read_file(path, config::max_token_file_bytes);
    if (!text)
        return std::unexpected(refuse(
            fmt::format("{}: {}", path, text.error().cause), "run it on the node, or name --file"
        ));
    auto entries = config::parse_token_file(*text, path);
    if (!entries) {
        const config::Diagnostic& first = entries.error().front();
        return std::unexpected(refuse(
            fmt::format(
                "{}:{}:{}: {}; nothing was changed",
                path,
                first.place.line,
                first.place.column,
                first.cause
            ),
            first.remedy
        ));
    }
    file.text = std::move(*text);
    file.entries = std::move(*entries);
    return file;
}

std::expected<void, Failure> fail_write(const std::string& path) {
    const int error = errno;
    const bool is_busy = error == EEXIST;
    return std::unexpected(refuse(
        fmt::format("{} cannot be written: {}", path, std::generic_category().message(error)),
        is_busy ? fmt::format("another penstock token is at work; was it killed? rm {}", path)
                : std::string("run it as root, or as who owns the file and its directory")
    ));
}

/// A new file takes the place of the old one, with its mode and owner; two at once are refused.
std::expected<void, Failure> write_file(const std::string& path, std::string_view text) {
    const std::string fresh = path + ".new";
    struct stat old{};
    const bool has_old = ::stat(path.c_str(), &old) == 0;
    const int fd = ::open(fresh.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return fail_write(fresh);
    bool is_good = ::fchmod(fd, has_old ? old.st_mode & 0777U : 0640U) == 0 &&
                   (!has_old || ::fchown(fd, old.st_uid, old.st_gid) == 0);
    while (is_good && !text.empty()) {
        const ssize_t count = ::write(fd, text.data(), text.size());
        is_good = count > 0;
        text.remove_prefix(is_good ? static_cast<std::size_t>(count) : 0);
    }
    is_good = is_good && ::fsync(fd) == 0 && ::rename(fresh.c_str(), path.c_str()) == 0;
    std::expected<void, Failure> result;
    if (!is_good) {
        result = fail_write(path);
        ::unlink(fresh.c_str());
    }
    ::close(fd);
    return result;
}

std::string make_token() {
    std::array<std::uint8_t, 32> random{};
    if (RAND_bytes(random.data(), random.size()) != 1)
        return {};
    return fmt::format("{}{:02x}", config::token_prefix, fmt::join(random, ""));
}

std::expected<config::TokenEntry, Failure> make_entry(const Invocation& invocation) {
    const std::string role = invocation.text("role");
    const auto parsed = config::parse_api_role(role);
    if (!parsed)
        return std::unexpected(Failure{
            .code = ExitCode::usage,
            .cause = role.empty() ? std::string("'token create' needs --role")
                                  : fmt::format("'{}' is no role", role),
            .remedy = "--role viewer, operator or admin"
        });
    const std::uint64_t days = invocation.count("days").value_or(default_days);
    if (days > max_days)
        return std::unexpected(Failure{
            .code = ExitCode::usage,
            .cause = fmt::format("--days {} is more than {}", days, max_days),
            .remedy = "--days 0 is for ever"
        });
    config::TokenEntry entry{.name = invocation.arguments[0], .role = *parsed};
    if (days > 0)
        entry.expires_s = std::time(nullptr) + static_cast<std::int64_t>(days) * day_s;
    return entry;
}

boost::json::value to_json(const std::optional<std::int64_t>& expires_s) {
    return expires_s ? boost::json::value(config::format_token_time(*expires_s))
                     : boost::json::value(nullptr);
}

} // namespace

RunResult run_token_create(const Invocation& invocation, Output& output) {
    auto entry = make_entry(invocation);
    if (!entry)
        return std::unexpected(entry.error());
    auto file = open_file(file_of(invocation), true);
    if (!file)
        return std::unexpected(file.error());
    std::string token = make_token();
    if (token.empty())
        return std::unexpected(refuse("the machine has no randomness", "try again later"));
    SHA256(reinterpret_cast<const unsigned char*>(token.data()), token.size(), entry->hash.data());
    std::string text = file->text.empty() ? std::string(head) : std::move(file->text);
    text += (text.ends_with('\n') ? "" : "\n") + config::format_token_line(*entry);
    // It must be readable with the new line: a bad name, one that is there, or one too many is told here.
    if (auto readable = config::parse_token_file(text, file->path); !readable)
        return std::unexpected(
            refuse(readable.error().front().cause, readable.error().front().remedy)
        );
    if (auto written = write_file(file->path, text); !written)
        return std::unexpected(written.error());
    if (invocation.json) {
        output.print_json(boost::json::object{
            {"name", entry->name},
            {"role", config::to_string(entry->role)},
            {"expires", to_json(entry->expires_s)},
            {"token", token},
            {"file", file->path},
        });
    } else {
        output.print_line(token);
        output.print_note(fmt::format(
            "token {}, {}, expires {}: it is shown this once; {} has its hash alone",
            entry->name,
            config::to_string(entry->role),
            entry->expires_s ? config::format_token_time(*entry->expires_s) : "never",
            file->path
        ));
    }
    OPENSSL_cleanse(token.data(), token.size());
    return ExitCode::ok;
}

RunResult run_token_list(const Invocation& invocation, Output& output) {
    const auto file = open_file(file_of(invocation), false);
    if (!file)
        return std::unexpected(file.error());
    const std::int64_t now_s = std::time(nullptr);
    Table table({{"TOKEN"}, {"ROLE"}, {"EXPIRES"}});
    boost::json::array list;
    for (const config::TokenEntry& entry : file->entries) {
        const bool is_expired = entry.expires_s && *entry.expires_s <= now_s;
        const std::string expires =
            entry.expires_s ? config::format_token_time(*entry.expires_s) : std::string("never");
        table.add({
            entry.name,
            std::string(config::to_string(entry.role)),
            Cell(
                is_expired ? expires + " (expired)" : expires,
                is_expired ? Colour::red : Colour::none
            ),
        });
        list.push_back(boost::json::object{
            {"name", entry.name},
            {"role", config::to_string(entry.role)},
            {"expires", to_json(entry.expires_s)},
            {"expired", is_expired},
        });
    }
    if (invocation.json)
        output.print_json(boost::json::object{{"tokens", std::move(list)}, {"file", file->path}});
    else
        output.print_table(table, invocation.header);
    return ExitCode::ok;
}

RunResult run_token_revoke(const Invocation& invocation, Output& output) {
    const auto file = open_file(file_of(invocation), false);
    if (!file)
        return std::unexpected(file.error());
    const std::string& name = invocation.arguments[0];
    const auto found = std::ranges::find(file->entries, name, &config::TokenEntry::name);
    if (found == file->entries.end())
        return std::unexpected(
            refuse(fmt::format("{} has no token '{}'", file->path, name), "penstock token list")
        );
    std::size_t begin = 0;
    for (std::uint32_t line = 1; line < found->line; ++line)
        begin = file->text.find('\n', begin) + 1;
    std::string text = file->text;
    text.erase(begin, std::min(text.find('\n', begin), text.size() - 1) + 1 - begin);
    if (auto written = write_file(file->path, text); !written)
        return std::unexpected(written.error());
    if (invocation.json)
        output.print_json(
            boost::json::object{{"name", name}, {"revoked", true}, {"file", file->path}}
        );
    else
        output.print_line(fmt::format("token {} is revoked", name));
    return ExitCode::ok;
}

} // namespace penstock::cli
