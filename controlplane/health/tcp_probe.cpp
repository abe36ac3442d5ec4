// SPDX-License-Identifier: Apache-2.0
#include "controlplane/health/tcp_probe.hpp"

#include <array>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cerrno>
#include <cstdlib>
#include <fmt/format.h>
#include <map>
#include <sys/epoll.h>
#include <unistd.h>
#include <unordered_map>
#include <utility>

namespace penstock {

namespace {

namespace asio = boost::asio;
using std::chrono::steady_clock;

// A deadline is met this late at most: the timer fires for many at once.
constexpr std::chrono::milliseconds deadline_grain{10};
constexpr std::size_t events_per_wait = 128;

int make_epoll() {
    const int fd = ::epoll_create1(EPOLL_CLOEXEC);
    if (fd < 0) {
        std::abort(); // no descriptor before the first probe
    }
    return fd;
}

} // namespace

class TcpProber::Attempts : public std::enable_shared_from_this<TcpProber::Attempts> {
public:
    explicit Attempts(asio::io_context& loop)
        : loop_(loop), epoll_(loop, make_epoll()), timer_(loop) {}

    Attempts(const Attempts&) = delete;
    Attempts& operator=(const Attempts&) = delete;

    ~Attempts() { end(); }

    void start(const ProbeRequest& request, ProbeDone done) {
        const SocketAddress address(request.target);
        const int fd = open_probe_socket(address.family(), SOCK_STREAM, 0, request.mark);
        if (fd < 0) {
            return fail(-fd, std::move(done));
        }
        // Close by RST.
        const linger value{.l_onoff = 1, .l_linger = 0};
        int error = 0;
        if (::setsockopt(fd, SOL_SOCKET, SO_LINGER, &value, sizeof(value)) != 0 ||
            (::connect(fd, address.get(), address.length) != 0 && errno != EINPROGRESS)) {
            error = errno;
        }
        const std::uint64_t id = ++last_id_;
        epoll_event event{.events = EPOLLOUT, .data = {.u64 = id}};
        if (error == 0 && ::epoll_ctl(epoll_.native_handle(), EPOLL_CTL_ADD, fd, &event) != 0) {
            error = errno;
        }
        if (error != 0) {
            ::close(fd);
            return fail(error, std::move(done));
        }
        const auto deadline = deadlines_.emplace(steady_clock::now() + request.timeout(), id);
        running_.emplace(
            id,
            Attempt{
                .fd = fd,
                .timeout = request.timeout(),
                .deadline = deadline,
                .done = std::move(done)
            }
        );
        watch();
        if (!timer_set_ || deadline->first + deadline_grain < timer_.expiry()) {
            set_timer();
        }
    }

    void end() {
        for (const auto& [id, attempt] : running_) {
            ::close(attempt.fd);
        }
        running_.clear();
        deadlines_.clear();
        timer_.cancel();
        boost::system::error_code ignored;
        epoll_.close(ignored);
    }

private:
    using Deadlines = std::multimap<steady_clock::time_point, std::uint64_t>;

    struct Attempt {
        int fd;
        std::chrono::milliseconds timeout;
        Deadlines::iterator deadline;
        ProbeDone done;
    };

    void fail(int error, ProbeDone done) {
        asio::post(loop_, [error, callback = std::move(done)]() mutable {
            callback(describe_socket_error("tcp connect", error));
        });
    }

    void watch() {
        if (std::exchange(watching_, true)) {
            return;
        }
        epoll_.async_wait(
            asio::posix::stream_descriptor::wait_read,
            [self = weak_from_this()](const boost::system::error_code& error) {
                if (const auto attempts = self.lock(); attempts && !error) {
                    attempts->watching_ = false;
                    attempts->take_events();
                }
            }
        );
    }

    void take_events() {
        std::array<epoll_event, events_per_wait> events;
        const int count =
            ::epoll_wait(epoll_.native_handle(), events.data(), static_cast<int>(events.size()), 0);
        for (int i = 0; i < count; ++i) {
            const auto found = running_.find(events[static_cast<std::size_t>(i)].data.u64);
            if (found == running_.end()) {
                continue; // ended by the callback of another
            }
            int error = 0;
            socklen_t length = sizeof(error);
            if (::getsockopt(found->second.fd, SOL_SOCKET, SO_ERROR, &error, &length) != 0) {
                error = errno;
            }
            finish(
                found,
                error == 0 ? make_good("tcp connect ok")
                           : describe_socket_error("tcp connect", error)
            );
        }
        if (!running_.empty()) {
            watch();
        }
    }

    void set_timer() {
        if (deadlines_.empty()) {
            timer_set_ = false;
            return;
        }
        timer_set_ = true;
        timer_.expires_at(deadlines_.begin()->first + deadline_grain);
        timer_.async_wait([self = weak_from_this()](const boost::system::error_code& error) {
            if (const auto attempts = self.lock(); attempts && !error) {
                attempts->expire();
                attempts->set_timer();
            }
        });
    }

    void expire() {
        const auto now = steady_clock::now();
        while (!deadlines_.empty() && deadlines_.begin()->first <= now) {
            const auto found = running_.find(deadlines_.begin()->second);
            finish(
                found,
                make_bad(
                    fmt::format("tcp connect timeout {}", format_timeout(found->second.timeout))
                )
            );
        }
    }

    void finish(std::unordered_map<std::uint64_t, Attempt>::iterator found, ProbeResult result) {
        ::close(found->second.fd); // which takes it out of the epoll instance
        deadlines_.erase(found->second.deadline);
        ProbeDone done = std::move(found->second.done);
        running_.erase(found);
        done(std::move(result));
    }

    asio::io_context& loop_;
    asio::posix::stream_descriptor epoll_;
    asio::steady_timer timer_;
    bool watching_ = false;
    bool timer_set_ = false;
    std::uint64_t last_id_ = 0;
    std::unordered_map<std::uint64_t, Attempt> running_; ///< invariant: each has its deadline
    Deadlines deadlines_;
};

TcpProber::TcpProber(asio::io_context& loop) : attempts_(std::make_shared<Attempts>(loop)) {}

TcpProber::~TcpProber() {
    attempts_->end();
}

void TcpProber::start(const ProbeRequest& request, ProbeDone done) {
    attempts_->start(request, std::move(done));
}

} // namespace penstock
