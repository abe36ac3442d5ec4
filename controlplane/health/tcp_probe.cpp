// SPDX-License-Identifier: Apache-2.0
#include "controlplane/health/tcp_probe.hpp"

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cerrno>
#include <fmt/format.h>
#include <memory>
#include <system_error>
#include <utility>

namespace penstock {

namespace {

namespace asio = boost::asio;
using asio::ip::tcp;

tcp::endpoint to_endpoint(const BackendKey& backend) {
    if (backend.address.is_ipv4()) {
        return {asio::ip::address_v4(backend.address.ipv4().host()), backend.port};
    }
    return {asio::ip::address_v6(backend.address.bytes()), backend.port};
}

/// Lives as long as its handlers; finish() takes the callback, so the later of connect and timer
/// finds none.
struct Attempt {
    tcp::socket socket;
    asio::steady_timer timer;
    ProbeDone done;

    Attempt(asio::io_context& loop, ProbeDone callback)
        : socket(loop), timer(loop), done(std::move(callback)) {}

    void finish(ProbeResult result) {
        if (!done) {
            return;
        }
        ProbeDone callback = std::exchange(done, nullptr);
        timer.cancel();
        boost::system::error_code ignored; // a socket that was never connected has no linger to set
        socket.set_option(asio::socket_base::linger(true, 0), ignored);
        socket.close(ignored);
        callback(std::move(result));
    }
};

} // namespace

ProbeResult describe_connect_error(int system_errno) {
    const auto bad = [](std::string text) {
        return ProbeResult{.outcome = ProbeOutcome::bad, .detail = std::move(text)};
    };
    switch (system_errno) {
    case ECONNREFUSED:
        return bad("tcp connect refused");
    case ECONNRESET:
        return bad("tcp connect reset");
    case ETIMEDOUT:
        return bad("tcp connect timeout");
    case EHOSTUNREACH:
        return bad("tcp connect: no answer from the host (no neighbour or route)");
    case ENETUNREACH:
        return bad("tcp connect: no route to the network");
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
    case EAGAIN:
    case EADDRNOTAVAIL:
        return {
            .outcome = ProbeOutcome::inconclusive,
            .detail = fmt::format("this host: {}", std::generic_category().message(system_errno)),
        };
    default:
        return bad(fmt::format("tcp connect: {}", std::generic_category().message(system_errno)));
    }
}

void start_tcp_probe(
    asio::io_context& loop,
    const BackendKey& backend,
    std::chrono::milliseconds timeout,
    ProbeDone done
) {
    auto attempt = std::make_shared<Attempt>(loop, std::move(done));
    attempt->timer.expires_after(timeout);
    attempt->timer.async_wait([attempt, timeout](const boost::system::error_code& error) {
        if (!error) {
            attempt->finish(
                {.outcome = ProbeOutcome::bad,
                 .detail = fmt::format("tcp connect timeout after {} ms", timeout.count())}
            );
        }
    });
    // async_connect opens the socket; if it cannot (no descriptor), the handler gets that error.
    attempt->socket.async_connect(
        to_endpoint(backend),
        [attempt](const boost::system::error_code& error) {
            if (!error) {
                attempt->finish({.outcome = ProbeOutcome::good, .detail = "tcp connect ok"});
            } else if (error != asio::error::operation_aborted) {
                attempt->finish(describe_connect_error(error.value()));
            }
        }
    );
}

} // namespace penstock
