// SPDX-License-Identifier: Apache-2.0
// This file is long because a connection is served from its first byte to its last in one class.
#include "controlplane/api/server.hpp"

#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/basic_stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <cerrno>
#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace penstock {

namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using Local = asio::local::stream_protocol;

constexpr std::chrono::seconds transfer_timeout{10};
constexpr std::chrono::seconds idle_timeout{30};

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

/// One connection: read, handle, write, again. Kept alive by its own handlers.
class Session : public std::enable_shared_from_this<Session> {
public:
    Session(Local::socket socket, Actor actor, std::shared_ptr<const ApiServer::Handler> handler)
        : stream_(std::move(socket)), actor_(std::move(actor)), handler_(std::move(handler)) {}

    void start() { read_head(); }

    /// For one connection too many.
    void refuse(HttpResponse response) {
        close_after_write_ = true;
        write(std::move(response));
    }

private:
    void read_head() {
        parser_.emplace();
        parser_->header_limit(max_head_bytes);
        parser_->body_limit(max_configuration_bytes);
        stream_.expires_after(is_first_ ? std::chrono::seconds(transfer_timeout) : idle_timeout);
        is_first_ = false;
        http::async_read_header(
            stream_,
            buffer_,
            *parser_,
            [self = shared_from_this()](const beast::error_code& error, std::size_t) {
                self->take_head(error);
            }
        );
    }

    void take_head(const beast::error_code& error) {
        if (error) {
            fail_read(error);
            return;
        }
        if (!parser_->get().target().starts_with("/v1/config")) {
            if (parser_->content_length().value_or(0) > max_body_bytes)
                return fail_read(http::error::body_limit);
            parser_->body_limit(max_body_bytes);
        }
        stream_.expires_after(transfer_timeout);
        if (beast::iequals(parser_->get()[http::field::expect], "100-continue")) {
            auto go_on = std::make_shared<http::response<http::empty_body>>(
                http::status::continue_, parser_->get().version()
            );
            http::async_write(
                stream_,
                *go_on,
                [self = shared_from_this(), go_on](const beast::error_code& failed, std::size_t) {
                    if (!failed) {
                        self->read_body();
                    }
                }
            );
            return;
        }
        read_body();
    }

    void read_body() {
        http::async_read(
            stream_,
            buffer_,
            *parser_,
            [self = shared_from_this()](const beast::error_code& error, std::size_t) {
                if (error) {
                    self->fail_read(error);
                } else {
                    self->dispatch();
                }
            }
        );
    }

    void fail_read(const beast::error_code& error) {
        // Gone, or too slow: Beast has closed the stream, there is nobody to tell.
        if (error == http::error::end_of_stream ||
            error.category() == boost::system::system_category() || error == asio::error::eof ||
            error == beast::error::timeout) {
            return;
        }
        close_after_write_ = true;
        write(make_read_problem(error));
    }

    void dispatch() {
        auto& message = parser_->get();
        close_after_write_ = !message.keep_alive();
        HttpRequest request{
            .method = std::string(message.method_string()),
            .target = std::string(message.target()),
            .body = std::move(message.body()),
            .if_match = std::string(message[http::field::if_match]),
            .last_event_id = std::string(message["Last-Event-ID"]),
            .actor = actor_,
        };
        // The reply may take as long as the dataplane does; the API bounds that.
        stream_.expires_never();
        (*handler_)(std::move(request), [self = shared_from_this()](HttpResponse response) {
            self->write(std::move(response));
        });
    }

    void write(HttpResponse response) {
        if (response.next_chunk) {
            begin_stream(std::move(response));
            return;
        }
        response_ = {};
        response_.version(11);
        response_.result(response.status);
        response_.set(http::field::server, "penstock-cp");
        response_.set(http::field::content_type, response.content_type);
        response_.set(http::field::cache_control, "no-store");
        for (const auto& [name, value] : response.fields) {
            response_.set(name, value);
        }
        response_.body() = std::move(response.body);
        response_.keep_alive(!close_after_write_);
        response_.prepare_payload();
        stream_.expires_after(transfer_timeout);
        http::async_write(
            stream_,
            response_,
            [self = shared_from_this()](const beast::error_code& error, std::size_t) {
                if (error) {
                    return;
                }
                if (self->close_after_write_) {
                    beast::error_code ignored; // the other end may be gone already
                    self->stream_.socket().shutdown(Local::socket::shutdown_send, ignored);
                    return;
                }
                self->read_head();
            }
        );
    }

    /// The head of a body that goes on until one of both ends it.
    void begin_stream(HttpResponse response) {
        next_chunk_ = std::move(response.next_chunk);
        auto head = std::make_shared<http::response<http::empty_body>>();
        head->version(11);
        head->result(response.status);
        head->set(http::field::server, "penstock-cp");
        head->set(http::field::content_type, response.content_type);
        head->set(http::field::cache_control, "no-store");
        head->keep_alive(false);
        head->chunked(true);
        auto serializer = std::make_shared<http::response_serializer<http::empty_body>>(*head);
        stream_.expires_after(transfer_timeout);
        http::async_write_header(
            stream_,
            *serializer,
            [self = shared_from_this(),
             head,
             serializer](const beast::error_code& error, std::size_t) {
                if (!error) {
                    self->ask_chunk();
                }
            }
        );
    }

    void ask_chunk() {
        stream_.expires_never();
        next_chunk_([self = shared_from_this()](std::optional<std::string> chunk) {
            self->write_chunk(std::move(chunk));
        });
    }

    void write_chunk(std::optional<std::string> chunk) {
        const bool is_last = !chunk.has_value();
        auto text = std::make_shared<std::string>(
            is_last ? std::string("0\r\n\r\n")
                    : fmt::format("{:x}\r\n{}\r\n", chunk->size(), *chunk)
        );
        stream_.expires_after(transfer_timeout);
        asio::async_write(
            stream_,
            asio::buffer(*text),
            [self = shared_from_this(),
             text,
             is_last](const beast::error_code& error, std::size_t) {
                if (!error && !is_last) {
                    self->ask_chunk();
                }
            }
        );
    }

    beast::basic_stream<Local> stream_;
    Actor actor_;
    NextChunk next_chunk_;
    std::shared_ptr<const ApiServer::Handler> handler_;
    beast::flat_buffer buffer_{max_head_bytes + (64U << 10U)};
    std::optional<http::request_parser<http::string_body>> parser_;
    http::response<http::string_body> response_;
    bool is_first_ = true;
    bool close_after_write_ = false;
};

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
    Listener(asio::io_context& loop, std::string path, PeerRegistry peers, Handler handler)
        : path_(std::move(path)),
          peers_(std::move(peers)),
          acceptor_(loop),
          pause_(loop),
          handler_(std::make_shared<const Handler>(std::move(handler))) {}

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

    std::shared_ptr<Session> make_session(Local::socket socket) {
        Actor actor = peers_.identify(socket.native_handle());
        return std::make_shared<Session>(std::move(socket), std::move(actor), handler_);
    }

    std::string path_;
    PeerRegistry peers_;
    Local::acceptor acceptor_;
    asio::steady_timer pause_;
    std::shared_ptr<const Handler> handler_;
    bool is_bound_ = false;
};

std::expected<std::unique_ptr<ApiServer>, Refusal> ApiServer::listen(
    asio::io_context& loop, const std::string& path, PeerRegistry peers, Handler handler
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
