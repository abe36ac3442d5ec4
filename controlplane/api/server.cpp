// SPDX-License-Identifier: Apache-2.0
#include "controlplane/api/server.hpp"

#include "controlplane/api/session.hpp"

#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/basic_stream.hpp>
#include <boost/beast/http/error.hpp>
#include <cerrno>
#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace penstock {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;

HttpResponse make_read_problem(const beast::error_code& error) {
    if (error == http::error::body_limit) {
        return make_problem_response({
            .status = 413,
            .type = "body-too-large",
            .title = "The body is too large",
            .detail = fmt::format("more than {} MiB", max_body_bytes >> 20U),
            .remedy = "",
        });
    }
    if (error == http::error::header_limit || error == http::error::buffer_overflow) {
        return make_problem_response({
            .status = 431,
            .type = "head-too-large",
            .title = "Request line and header fields are too large",
            .detail = fmt::format("more than {} KiB", max_head_bytes >> 10U),
            .remedy = "",
        });
    }
    return make_problem_response({
        .status = 400,
        .type = "bad-request",
        .title = "The request is not understood",
        .detail = error.message(),
        .remedy = "",
    });
}

namespace {

using Local = asio::local::stream_protocol;

/// Whom the kernel has named, for as long as the connection lasts.
class LocalDoor final : public Door {
public:
    explicit LocalDoor(Actor actor) : actor_(std::move(actor)) {}

    std::expected<Actor, HttpResponse> admit(const Knock& /*knock*/) override { return actor_; }

    bool still_admits(const Knock& /*knock*/) override { return true; }

private:
    Actor actor_;
};

using LocalSession = Session<beast::basic_stream<Local>>;

std::unexpected<Refusal>
fail(const std::string& path, std::string_view what, int error, std::string remedy) {
    return std::unexpected(Refusal{
        .place = path,
        .cause = fmt::format("{}: {}", what, std::generic_category().message(error)),
        .remedy = std::move(remedy),
    });
}

} // namespace

class ApiServer::Listener : public std::enable_shared_from_this<Listener> {
public:
    Listener(asio::io_context& loop, std::string path, PeerRegistry peers, HttpHandler handler)
        : path_(std::move(path)),
          peers_(std::move(peers)),
          acceptor_(loop),
          pause_(loop),
          handler_(std::make_shared<const HttpHandler>(std::move(handler))) {}

    std::expected<void, Refusal> open(asio::io_context& loop) {
        if (path_.size() > 107) {
            return fail(path_, "the name of the socket", ENAMETOOLONG, "shorten --runtime-dir");
        }
        const Local::endpoint endpoint(path_);
        beast::error_code error;
        Local::socket probe(loop);
        probe.connect(endpoint, error);
        if (!error) {
            return fail(
                path_,
                "another penstock-cp answers there",
                EADDRINUSE,
                "stop it, or choose another --runtime-dir"
            );
        }
        if (error == asio::error::connection_refused) {
            ::unlink(path_.c_str()); // left by one that was killed
        }
        acceptor_.open(endpoint.protocol(), error);
        if (!error) {
            // With roles everybody may knock, and is judged by the groups that they are in.
            const mode_t before = ::umask(peers_.has_roles() ? 0111 : 0117);
            acceptor_.bind(endpoint, error);
            ::umask(before);
        }
        if (error) {
            return fail(
                path_,
                "the API socket cannot be made",
                error.value(),
                "make the directory writable for penstock-cp, or choose another --runtime-dir"
            );
        }
        is_bound_ = true;
        acceptor_.listen(asio::socket_base::max_listen_connections, error);
        if (error) {
            return fail(path_, "the API socket cannot listen", error.value(), "");
        }
        return {};
    }

    void accept() {
        acceptor_.async_accept([self = shared_from_this()](
                                   const beast::error_code& error, Local::socket socket
                               ) { self->take(error, std::move(socket)); });
    }

    void close() {
        beast::error_code ignored; // at the end there is nobody to tell
        acceptor_.close(ignored);
        pause_.cancel();
        if (std::exchange(is_bound_, false)) {
            ::unlink(path_.c_str());
        }
    }

private:
    void take(const beast::error_code& error, Local::socket socket) {
        if (error == asio::error::operation_aborted) {
            return;
        }
        if (error) {
            // No descriptor left: the connection waits in the queue; asking again at once would
            // spin.
            spdlog::warn("the API cannot accept a connection: {}", error.message());
            pause_.expires_after(std::chrono::milliseconds(200));
            pause_.async_wait([self = shared_from_this()](const beast::error_code& cancelled) {
                if (!cancelled) {
                    self->accept();
                }
            });
            return;
        }
        auto session = make_session(std::move(socket));
        // Every session holds the handler once, and so do we.
        if (static_cast<std::size_t>(handler_.use_count()) > max_connections + 1) {
            session->refuse(make_problem_response({
                .status = 503,
                .type = "too-many-connections",
                .title = "Too many connections",
                .detail = fmt::format("{} connections are open", max_connections),
                .remedy = "close some of them and try again",
            }));
        } else {
            session->start();
        }
        accept();
    }

    std::shared_ptr<LocalSession> make_session(Local::socket socket) {
        auto door = std::make_unique<LocalDoor>(peers_.identify(socket.native_handle()));
        return std::make_shared<LocalSession>(
            beast::basic_stream<Local>(std::move(socket)), std::move(door), handler_, nullptr
        );
    }

    std::string path_;
    PeerRegistry peers_;
    Local::acceptor acceptor_;
    asio::steady_timer pause_;
    std::shared_ptr<const HttpHandler> handler_;
    bool is_bound_ = false;
};

std::expected<std::unique_ptr<ApiServer>, Refusal> ApiServer::listen(
    asio::io_context& loop, const std::string& path, PeerRegistry peers, HttpHandler handler
) {
    auto listener = std::make_shared<Listener>(loop, path, std::move(peers), std::move(handler));
    if (auto opened = listener->open(loop); !opened) {
        return std::unexpected(opened.error());
    }
    listener->accept();
    return std::unique_ptr<ApiServer>(new ApiServer(std::move(listener)));
}

ApiServer::ApiServer(std::shared_ptr<Listener> listener) : listener_(std::move(listener)) {}

ApiServer::~ApiServer() {
    listener_->close();
}

} // namespace penstock
