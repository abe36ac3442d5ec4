// SPDX-License-Identifier: Apache-2.0
#include "tools/replay/report.hpp"

#include "dataplane/core/verdict_name.hpp"
#include "tools/replay/verdict_words.hpp"

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <cerrno>
#include <fmt/format.h>
#include <system_error>

namespace penstock::replay {
namespace {

namespace json = boost::json;

json::value text_or_null(std::string_view text) {
    return text.empty() ? json::value(nullptr) : json::value(text);
}

void put(json::object& object, const NamedVerdict& named) {
    const Verdict& verdict = named.verdict;
    object["verdict"] = verdict_name(verdict.kind);
    object["reason"] = text_or_null(
        verdict.kind == VerdictKind::drop ? drop_reason_name(verdict.reason) : std::string_view{}
    );
    object["service"] = text_or_null(named.destination.service);
    object["backend"] = text_or_null(named.destination.backend);
}

} // namespace

std::expected<Report, Refusal> Report::create(const std::string& path) {
    auto file = std::make_unique<OutputFile>(path);
    std::unique_ptr<std::FILE, Close> stream(std::fopen(file->working_path().c_str(), "wbe"));
    if (!stream) {
        return std::unexpected(Refusal{
            path,
            "cannot be written: " + std::generic_category().message(errno),
            "choose another file"
        });
    }
    std::fputc('[', stream.get());
    return Report(std::move(file), std::move(stream));
}

void Report::add(
    std::uint64_t index,
    std::uint64_t time_ns,
    const NamedVerdict& verdict,
    const NamedVerdict* other,
    bool changed
) {
    json::object object{
        {"index", index},
        {"time", fmt::format("{}.{:09}", time_ns / ns_per_s, time_ns % ns_per_s)},
    };
    put(object, verdict);
    if (other != nullptr) {
        json::object compared;
        put(compared, *other);
        object["other"] = std::move(compared);
        object["changed"] = changed;
    }
    std::fputs(is_empty_ ? "\n" : ",\n", stream_.get());
    is_empty_ = false;
    std::fputs(json::serialize(object).c_str(), stream_.get());
}

std::expected<void, Refusal> Report::finish() {
    std::fputs("\n]\n", stream_.get());
    const bool is_written = std::fflush(stream_.get()) == 0 && std::ferror(stream_.get()) == 0;
    const int error_number = errno;
    stream_.reset();
    if (!is_written) {
        return std::unexpected(Refusal{
            file_->path(),
            "cannot be written: " + std::generic_category().message(error_number),
            "make room for it"
        });
    }
    return file_->commit();
}

} // namespace penstock::replay
