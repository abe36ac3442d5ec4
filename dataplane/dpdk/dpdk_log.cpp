// SPDX-License-Identifier: Apache-2.0
#include "dataplane/dpdk/dpdk_log.hpp"

#include <array>
#include <atomic>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <fcntl.h>
#include <mutex>
#include <rte_log.h>
#include <spdlog/spdlog.h>
#include <string_view>
#include <sys/mman.h>
#include <unistd.h>

namespace penstock {

namespace {

constexpr std::size_t lines_kept = 64;
constexpr std::size_t lines_quoted = 3;

struct Lines {
    std::mutex mutex;
    std::string unfinished;
    std::deque<std::string> kept;
};

Lines& lines() {
    static Lines instance;
    return instance;
}

void add_text(std::string_view text) {
    Lines& to = lines();
    const std::lock_guard lock(to.mutex);
    to.unfinished += text;
    for (std::size_t end = to.unfinished.find('\n'); end != std::string::npos;
         end = to.unfinished.find('\n')) {
        std::string line = to.unfinished.substr(0, end);
        to.unfinished.erase(0, end + 1);
        if (line.empty()) {
            continue;
        }
        spdlog::debug("dpdk: {}", line);
        to.kept.push_back(std::move(line));
        if (to.kept.size() > lines_kept) {
            to.kept.pop_front();
        }
    }
}

ssize_t write_stream(void*, const char* text, std::size_t length) {
    add_text({text, length});
    return static_cast<ssize_t>(length);
}

// What EAL says whenever it starts: no complaint.
bool is_small_talk(std::string_view line) {
    constexpr std::array<std::string_view, 7> talk{
        "EAL: Detected ",
        "EAL: Selected IOVA mode",
        "EAL: Physical addresses are unavailable",
        "EAL: Static memory layout",
        "EAL: No free ",
        "but no mounted hugetlbfs",
        "Failed to attach device on primary process",
    };
    for (const std::string_view phrase : talk) {
        if (line.find(phrase) != std::string_view::npos) {
            return true;
        }
    }
    return false;
}

// Signal handlers read these.
std::atomic<int> real_stderr{-1};
std::atomic<int> captured_stderr{-1};

void copy_captured(int to) {
    std::array<char, 4096> chunk{};
    off_t offset = 0;
    const int from = captured_stderr.load();
    for (;;) {
        const ssize_t got = ::pread(from, chunk.data(), chunk.size(), offset);
        if (got <= 0) {
            return;
        }
        if (to < 0) {
            add_text({chunk.data(), static_cast<std::size_t>(got)});
        } else if (::write(to, chunk.data(), static_cast<std::size_t>(got)) < 0) {
            return;
        }
        offset += got;
    }
}

void show_before_abort(int signal_number) {
    copy_captured(real_stderr.load());
    std::signal(signal_number, SIG_DFL);
    std::raise(signal_number);
}

} // namespace

void capture_dpdk_log() {
    FILE* const stream = ::fopencookie(nullptr, "w", {nullptr, write_stream, nullptr, nullptr});
    if (stream == nullptr || ::rte_openlog_stream(stream) != 0) {
        std::abort();
    }
}

std::string last_dpdk_complaint() {
    Lines& from = lines();
    const std::lock_guard lock(from.mutex);
    std::deque<std::string_view> complaints;
    for (const std::string& line : from.kept) {
        if (is_small_talk(line)) {
            continue;
        }
        complaints.push_back(line);
        if (complaints.size() > lines_quoted) {
            complaints.pop_front();
        }
    }
    std::string text;
    for (const std::string_view line : complaints) {
        text += text.empty() ? "" : "; ";
        text += line;
    }
    return text;
}

void forget_dpdk_log() {
    Lines& all = lines();
    const std::lock_guard lock(all.mutex);
    all.kept.clear();
}

StderrCapture::StderrCapture() {
    std::fflush(stderr);
    captured_stderr = ::memfd_create("penstock-dp stderr", MFD_CLOEXEC);
    real_stderr = ::fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
    if (captured_stderr < 0 || real_stderr < 0 ||
        ::dup2(captured_stderr.load(), STDERR_FILENO) < 0) {
        std::abort();
    }
    std::signal(SIGABRT, show_before_abort);
}

StderrCapture::~StderrCapture() {
    std::fflush(stderr);
    std::signal(SIGABRT, SIG_DFL);
    ::dup2(real_stderr.load(), STDERR_FILENO);
    copy_captured(-1);
    ::close(captured_stderr.exchange(-1));
    ::close(real_stderr.exchange(-1));
}

} // namespace penstock
