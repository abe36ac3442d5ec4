// SPDX-License-Identifier: Apache-2.0
#include "controlplane/state/history.hpp"

#include "controlplane/config/parse.hpp"
#include "controlplane/state/actor_json.hpp"
#include "controlplane/state/atomic_file.hpp"
#include "controlplane/state/sealed_text.hpp"

#include <algorithm>
#include <boost/json/value.hpp>
#include <charconv>
#include <filesystem>
#include <fmt/format.h>
#include <optional>
#include <spdlog/spdlog.h>
#include <system_error>
#include <utility>

namespace penstock {

namespace json = boost::json;

namespace {

constexpr std::string_view extension = ".toml";
constexpr std::size_t max_seal_bytes = 64U << 10U;
constexpr mode_t file_mode = 0640;

/// "000012.toml" → 12; nothing for any other name.
std::optional<std::uint64_t> number_of(std::string_view name) {
    if (!name.ends_with(extension)) {
        return std::nullopt;
    }
    name.remove_suffix(extension.size());
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
    return error == std::errc{} && end == name.data() + name.size() && number > 0
               ? std::optional(number)
               : std::nullopt;
}

json::object make_meta(const HistoryEntry& entry) {
    return {
        {"number", entry.number},
        {"time", entry.time},
        {"generation", entry.generation},
        {"source", entry.source},
        {"actor", make_actor_object(entry.actor)},
        {"name", entry.name},
        {"services", entry.services},
        {"backends", entry.backends},
    };
}

std::uint64_t count_of(const json::object& meta, std::string_view key) {
    const json::value* value = meta.if_contains(key);
    return value != nullptr && value->is_int64() && value->get_int64() >= 0
               ? static_cast<std::uint64_t>(value->get_int64())
               : 0;
}

std::string text_of(const json::object& meta, std::string_view key) {
    const json::value* value = meta.if_contains(key);
    return value != nullptr && value->is_string() ? std::string(value->get_string())
                                                  : std::string();
}

HistoryEntry read_meta(std::uint64_t number, const SealedText& sealed) {
    const json::value* actor = sealed.meta.if_contains("actor");
    return {
        .number = number,
        .time = text_of(sealed.meta, "time"),
        .generation = count_of(sealed.meta, "generation"),
        .source = text_of(sealed.meta, "source"),
        .actor = actor != nullptr && actor->is_object() ? read_actor(actor->get_object()) : Actor{},
        .name = text_of(sealed.meta, "name"),
        .services = count_of(sealed.meta, "services"),
        .backends = count_of(sealed.meta, "backends"),
        .bytes = sealed.text.size(),
    };
}

std::expected<SealedText, Refusal> read_sealed(const std::string& path) {
    auto content = read_whole_file(path, config::max_pack_bytes + max_seal_bytes);
    if (!content) {
        return std::unexpected(content.error());
    }
    if (!*content) {
        return std::unexpected(Refusal{.place = path, .cause = "it is gone", .remedy = ""});
    }
    auto sealed = unseal(**content);
    if (sealed && sealed->is_sealed) {
        return std::move(*sealed);
    }
    return std::unexpected(Refusal{
        .place = path,
        .cause =
            sealed ? std::string("its last line, with the checksum, is missing") : sealed.error(),
        .remedy = "choose another entry of the history",
    });
}

} // namespace

std::expected<History, Refusal>
History::open(std::string folder, std::vector<std::string>& set_aside) {
    std::error_code error;
    std::filesystem::create_directories(folder, error);
    std::vector<std::uint64_t> numbers;
    for (const auto& item : std::filesystem::directory_iterator(folder, error)) {
        const std::string name = item.path().filename();
        if (const auto number = number_of(name)) {
            numbers.push_back(*number);
        } else if (name.ends_with(unfinished_suffix)) {
            std::error_code ignored; // the next write replaces it
            std::filesystem::remove(item.path(), ignored);
        }
    }
    if (error) {
        return std::unexpected(Refusal{
            .place = folder,
            .cause = "the history cannot be read: " + error.message(),
            .remedy = "make the folder readable and writable for penstock-cp",
        });
    }
    std::ranges::sort(numbers);
    History history(std::move(folder));
    for (const std::uint64_t number : numbers) {
        const std::string path = history.path_of(number);
        if (const auto sealed = read_sealed(path)) {
            history.entries_.push_back(read_meta(number, *sealed));
            continue;
        } else {
            std::error_code ignored; // then it stays, and is found damaged again
            std::filesystem::rename(path, path + ".damaged", ignored);
            set_aside.push_back(
                fmt::format("{0} was set aside as {0}.damaged: {1}", path, sealed.error().cause)
            );
        }
    }
    return history;
}

const HistoryEntry* History::find(std::uint64_t number) const {
    const auto found = std::ranges::find(entries_, number, &HistoryEntry::number);
    return found == entries_.end() ? nullptr : &*found;
}

const HistoryEntry* History::newest() const {
    return entries_.empty() ? nullptr : &entries_.back();
}

std::expected<std::string, Refusal> History::read(std::uint64_t number) const {
    auto sealed = read_sealed(path_of(number));
    if (!sealed) {
        return std::unexpected(sealed.error());
    }
    return std::move(sealed->text);
}

std::expected<std::uint64_t, Refusal> History::add(HistoryEntry entry, std::string_view text) {
    entry.number = entries_.empty() ? 1 : entries_.back().number + 1;
    entry.bytes = text.size();
    // A damaged newest one was set aside: its number is not given out again.
    while (std::filesystem::exists(path_of(entry.number) + ".damaged")) {
        ++entry.number;
    }
    const auto written =
        write_file_atomically(path_of(entry.number), seal(text, make_meta(entry)), file_mode);
    if (!written) {
        return std::unexpected(written.error());
    }
    entries_.push_back(std::move(entry));
    forget_old();
    return entries_.back().number;
}

void History::forget_old() {
    std::size_t bytes = 0;
    for (const HistoryEntry& entry : entries_) {
        bytes += entry.bytes;
    }
    while (entries_.size() > 2 &&
           (entries_.size() > max_history_entries || bytes > max_history_bytes)) {
        std::error_code error;
        std::filesystem::remove(path_of(entries_.front().number), error);
        if (error) {
            spdlog::warn(
                "{} cannot be removed: {}", path_of(entries_.front().number), error.message()
            );
            return;
        }
        bytes -= entries_.front().bytes;
        entries_.erase(entries_.begin());
    }
}

std::string History::path_of(std::uint64_t number) const {
    return fmt::format("{}/{:06}{}", folder_, number, extension);
}

} // namespace penstock
