// SPDX-License-Identifier: Apache-2.0
#include "controlplane/health/agent_probe.hpp"

#include "controlplane/health/agent_line.hpp"

#include <array>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <fmt/format.h>
#include <memory>
#include <utility>

namespace penstock {

namespace {

namespace asio = boost::asio;
using asio::ip::tcp;

tcp::endpoint to_endpoint(const BackendKey& target) {
    if (target.address.is_ipv4()) {
        return {asio::ip::address_v4(target.address.ipv4().host()), target.port};
    }
    return {asio::ip::address_v6(target.address.bytes()), target.port};
}

class Conversation : public std::enable_shared_from_this<Conversation> {
public:
    Conversation(asio::io_context& loop, const ProbeRequest& request, ProbeDone done)
        : socket_(loop), timer_(loop), request_(request), done_(std::move(done)) {}

    void start() {
        timer_.expires_after(request_.timeout());
        timer_.async_wait([self = shared_from_this()](const boost::system::error_code& error) {
            if (!error) {
                self->finish(self->describe_timeout());
            }
        });
        // async_connect opens the socket; if it cannot (no descriptor), the handler gets that error.
        socket_.async_connect(
            to_endpoint(request_.target),
            [self = shared_from_this()](const boost::system::error_code& error) {
                if (!error) {
                    self->ask();
                } else if (error != asio::error::operation_aborted) {
                    self->finish(describe_socket_error("tcp connect", error.value()));
                }
            }
        );
    }

private:
    void ask() {
        connected_ = true;
        if (request_.probe->send.empty()) {
            return read();
        }
        asio::async_write(
            socket_,
            asio::buffer(request_.probe->send),
            [self = shared_from_this()](const boost::system::error_code& error, std::size_t) {
                if (!error) {
                    self->read();
                } else if (error != asio::error::operation_aborted) {
                    self->finish(describe_socket_error("agent: send", error.value()));
                }
            }
        );
    }

    void read() {
        socket_.async_read_some(
            asio::buffer(buffer_.data() + size_, buffer_.size() - size_),
            [self = shared_from_this()](const boost::system::error_code& error, std::size_t size) {
                if (error == asio::error::operation_aborted) {
                    return;
                }
                self->size_ += size;
                self->take(error);
            }
        );
    }

    void take(const boost::system::error_code& error) {
        const std::string_view seen(buffer_.data(), size_);
        const std::size_t end = seen.find('\n');
        if (end != std::string_view::npos) {
            finish(judge(seen.substr(0, end)));
        } else if (error == asio::error::eof) {
            finish(size_ == 0 ? make_bad("agent: connection closed without a line") : judge(seen));
        } else if (error) {
            finish(describe_socket_error("agent: read", error.value()));
        } else if (size_ == buffer_.size()) {
            finish(make_bad(fmt::format("agent: cut after {} bytes without a line", size_)));
        } else {
            read();
        }
    }

    static ProbeResult judge(std::string_view text) {
        auto line = parse_agent_line(text);
        if (!line) {
            return make_bad("agent: " + line.error());
        }
        const std::string why =
            line->description.empty() ? "" : " " + quote_untrusted(line->description);
        return {
            .outcome = line->is_up ? ProbeOutcome::good : ProbeOutcome::bad,
            .detail = fmt::format("agent says {}{}", line->is_up ? "up" : "down", why),
            .report = line->report,
        };
    }

    ProbeResult describe_timeout() const {
        const std::string timeout = format_timeout(request_.timeout());
        if (!connected_) {
            return make_bad(fmt::format("tcp connect timeout {}", timeout));
        }
        return make_bad(
            fmt::format("agent timeout {}: connected, {} bytes without a line", timeout, size_)
        );
    }

    void finish(ProbeResult result) {
        if (!done_) {
            return;
        }
        ProbeDone done = std::exchange(done_, nullptr);
        timer_.cancel();
        boost::system::error_code ignored; // a socket that was never connected has no linger to set
        socket_.set_option(asio::socket_base::linger(true, 0), ignored);
        socket_.close(ignored);
        done(std::move(result));
    }

    tcp::socket socket_;
    asio::steady_timer timer_;
    ProbeRequest request_;
    ProbeDone done_;
    bool connected_ = false;
    std::array<char, max_agent_line> buffer_;
    std::size_t size_ = 0;
};

} // namespace

void start_agent_probe(asio::io_context& loop, const ProbeRequest& request, ProbeDone done) {
    std::make_shared<Conversation>(loop, request, std::move(done))->start();
}

} // namespace penstock
