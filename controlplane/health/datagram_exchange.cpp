// SPDX-License-Identifier: Apache-2.0
#include "controlplane/health/datagram_exchange.hpp"

#include <array>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cerrno>
#include <fmt/format.h>
#include <memory>
#include <utility>

namespace penstock {

namespace {

namespace asio = boost::asio;

// The largest UDP datagram is 64 KiB; what is beyond this is cut, and no answer needs it.
constexpr std::size_t max_answer = 8192;

class Exchange : public std::enable_shared_from_this<Exchange> {
public:
    Exchange(asio::io_context& loop, DatagramExchange exchange, ProbeDone done)
        : loop_(loop),
          descriptor_(loop, exchange.fd),
          timer_(loop),
          exchange_(std::move(exchange)),
          done_(std::move(done)) {}

    void start(const ProbeRequest& request) {
        const SocketAddress address(request.target);
        const int fd = descriptor_.native_handle();
        if (::connect(fd, address.get(), address.length) != 0 ||
            ::send(fd, exchange_.datagram.data(), exchange_.datagram.size(), 0) < 0) {
            asio::post(loop_, [self = shared_from_this(), error = errno] { self->fail(error); });
            return;
        }
        timer_.expires_after(request.timeout());
        timer_.async_wait([self = shared_from_this(),
                           timeout = request.timeout()](const boost::system::error_code& error) {
            if (!error) {
                self->finish(self->describe_timeout(timeout));
            }
        });
        wait();
    }

private:
    void wait() {
        descriptor_.async_wait(
            asio::posix::stream_descriptor::wait_read,
            [self = shared_from_this()](const boost::system::error_code& error) {
                if (!error) {
                    self->receive();
                }
            }
        );
    }

    void receive() {
        std::array<char, max_answer> buffer;
        while (done_) {
            const ssize_t size =
                ::recv(descriptor_.native_handle(), buffer.data(), buffer.size(), 0);
            if (size < 0 && (errno == EAGAIN || errno == EINTR)) {
                return wait();
            }
            if (size < 0) {
                return fail(errno);
            }
            ++read_;
            const std::string_view answer(buffer.data(), static_cast<std::size_t>(size));
            if (auto result = exchange_.judge(answer)) {
                return finish(std::move(*result));
            }
            if (read_ == max_datagrams_read) {
                return finish(
                    make_bad(fmt::format("{}: cut after {} foreign answers", exchange_.what, read_))
                );
            }
        }
    }

    ProbeResult describe_timeout(std::chrono::milliseconds timeout) const {
        return make_bad(fmt::format(
            "{} timeout {}{}",
            exchange_.what,
            format_timeout(timeout),
            read_ == 0 ? "" : fmt::format(", {} foreign answers", read_)
        ));
    }

    /// A refusal of a datagram is an ICMP message that came back.
    void fail(int error) {
        finish(
            error == ECONNREFUSED
                ? make_bad(fmt::format("{}: port closed (icmp port unreachable)", exchange_.what))
                : describe_socket_error(exchange_.what, error)
        );
    }

    void finish(ProbeResult result) {
        if (!done_) {
            return;
        }
        ProbeDone done = std::exchange(done_, nullptr);
        timer_.cancel();
        boost::system::error_code ignored;
        descriptor_.close(ignored);
        done(std::move(result));
    }

    asio::io_context& loop_;
    asio::posix::stream_descriptor descriptor_;
    asio::steady_timer timer_;
    DatagramExchange exchange_;
    ProbeDone done_;
    std::size_t read_ = 0;
};

} // namespace

void start_datagram_exchange(
    asio::io_context& loop, const ProbeRequest& request, DatagramExchange exchange, ProbeDone done
) {
    if (exchange.fd < 0) {
        asio::post(
            loop,
            [what = std::move(exchange.what), error = -exchange.fd, done = std::move(done)](
            ) mutable { done(describe_socket_error(what, error)); }
        );
        return;
    }
    std::make_shared<Exchange>(loop, std::move(exchange), std::move(done))->start(request);
}

} // namespace penstock
