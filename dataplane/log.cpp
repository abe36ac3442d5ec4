// SPDX-License-Identifier: Apache-2.0
#include "dataplane/log.hpp"

#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <memory>
#include <spdlog/async.h>
#include <spdlog/details/console_globals.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

namespace penstock {

namespace {

constexpr std::size_t queued_lines = 4096;

using StreamSink = spdlog::sinks::stdout_sink_base<spdlog::details::console_mutex>;

/// %J: the message as the inside of a JSON string (RFC 8259 7).
class JsonEscaped final : public spdlog::custom_flag_formatter {
public:
    void format(const spdlog::details::log_msg& message, const std::tm&, spdlog::memory_buf_t& to)
        override {
        for (const char c : message.payload) {
            const auto byte = static_cast<unsigned char>(c);
            if (c == '"' || c == '\\') {
                to.push_back('\\');
                to.push_back(c);
            } else if (byte < 0x20) {
                fmt::format_to(std::back_inserter(to), "\\u{:04x}", byte);
            } else {
                to.push_back(c);
            }
        }
    }

    [[nodiscard]] std::unique_ptr<custom_flag_formatter> clone() const override {
        return std::make_unique<JsonEscaped>();
    }
};

std::unique_ptr<spdlog::formatter> make_formatter(bool is_json) {
    auto formatter = std::make_unique<spdlog::pattern_formatter>();
    if (is_json) {
        formatter->add_flag<JsonEscaped>('J').set_pattern(
            R"({"time":"%Y-%m-%dT%H:%M:%S.%e%z","level":"%l","program":"penstock-dp","message":"%J"})"
        );
    } else {
        formatter->set_pattern("%Y-%m-%dT%H:%M:%S.%e %l: %v");
    }
    return formatter;
}

} // namespace

std::optional<spdlog::level::level_enum> parse_log_level(std::string_view name) {
    if (name == "debug") {
        return spdlog::level::debug;
    }
    if (name == "info") {
        return spdlog::level::info;
    }
    if (name == "warning") {
        return spdlog::level::warn;
    }
    if (name == "error") {
        return spdlog::level::err;
    }
    return std::nullopt;
}

void open_log(const LogOptions& options) {
    const int fd = ::fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
    // Without a standard error there is nobody to read, but the work goes on.
    std::FILE* const stream = fd >= 0 ? ::fdopen(fd, "w") : std::fopen("/dev/null", "we");
    if (stream == nullptr) {
        std::abort();
    }
    auto sink = std::make_shared<StreamSink>(stream);
    spdlog::init_thread_pool(queued_lines, 1);
    auto logger = std::make_shared<spdlog::async_logger>(
        "penstock-dp",
        std::move(sink),
        spdlog::thread_pool(),
        spdlog::async_overflow_policy::overrun_oldest
    );
    logger->set_formatter(make_formatter(options.is_json));
    logger->set_level(options.level);
    logger->flush_on(spdlog::level::debug);
    spdlog::set_default_logger(std::move(logger));
}

void close_log() {
    spdlog::shutdown();
}

} // namespace penstock
