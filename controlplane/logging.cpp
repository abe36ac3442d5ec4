// SPDX-License-Identifier: Apache-2.0
#include "controlplane/logging.hpp"

#include "controlplane/wall_time.hpp"

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <memory>
#include <spdlog/async.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

namespace penstock {

namespace {

constexpr std::size_t queue_lines = 8192;

std::string_view to_word(spdlog::level::level_enum level) {
    const auto word = spdlog::level::to_string_view(level);
    return {word.data(), word.size()};
}

class LineFormatter final : public spdlog::formatter {
public:
    explicit LineFormatter(bool json) : json_(json) {}

    void format(const spdlog::details::log_msg& message, spdlog::memory_buf_t& out) override {
        const std::string_view text(message.payload.data(), message.payload.size());
        const std::string time = format_rfc3339(message.time);
        std::string line;
        if (json_) {
            line = boost::json::serialize(boost::json::object{
                {"time", time},
                {"level", to_word(message.level)},
                {"program", "penstock-cp"},
                {"message", text},
            });
        } else {
            line = fmt::format("{} {} {}", time, to_word(message.level), text);
        }
        line.push_back('\n');
        out.append(line.data(), line.data() + line.size());
    }

    [[nodiscard]] std::unique_ptr<spdlog::formatter> clone() const override {
        return std::make_unique<LineFormatter>(json_);
    }

private:
    bool json_;
};

} // namespace

void start_logging(const std::string& level, bool json) {
    spdlog::init_thread_pool(queue_lines, 1);
    auto logger = std::make_shared<spdlog::async_logger>(
        "penstock-cp",
        std::make_shared<spdlog::sinks::stderr_sink_mt>(),
        spdlog::thread_pool(),
        spdlog::async_overflow_policy::overrun_oldest
    );
    logger->set_formatter(std::make_unique<LineFormatter>(json));
    logger->set_level(spdlog::level::from_str(level));
    logger->flush_on(spdlog::level::info);
    spdlog::set_default_logger(std::move(logger));
}

void stop_logging() {
    spdlog::shutdown();
}

} // namespace penstock
