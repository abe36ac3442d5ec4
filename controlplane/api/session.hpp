// SPDX-License-Identifier: Apache-2.0
// One connection, from its first byte to its last: read, handle, write, again. A template over the
// stream (a Unix socket, or TLS over TCP), so only server.cpp and network_session.cpp include it.
//
// Bounds: max_head_bytes, max_body_bytes, 10 s for a request to arrive and for a reply to be taken,
// 30 s idle in between. Whose request is refused unread is listened to for 2 s more, unread, or the
// reply could be lost to a reset.
//
// Thread rule: the loop's thread; kept alive by its own handlers.
// This file is long because the order of one connection's steps is one thing to read.
#pragma once

#include "controlplane/api/door.hpp"
#include "controlplane/api/http.hpp"

#include <array>
#include <boost/asio/write.hpp>
#include <boost/beast/core/basic_stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/stream_traits.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <chrono>
#include <fmt/format.h>
#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace penstock {

inline constexpr std::chrono::seconds transfer_timeout{10};
inline constexpr std::chrono::seconds idle_timeout{30};
inline constexpr std::chrono::seconds linger_timeout{2};

/// What a request that cannot be read is answered with.
[[nodiscard]] HttpResponse make_read_problem(const boost::beast::error_code& error);

template <typename Stream>
class Session : public std::enable_shared_from_this<Session<Stream>> {
public:
    /// `place` is held as long as the connection is.
    Session(
        Stream stream,
        std::unique_ptr<Door> door,
        std::shared_ptr<const HttpHandler> handler,
        std::shared_ptr<void> place
    )
        : stream_(std::move(stream)),
          door_(std::move(door)),
          handler_(std::move(handler)),
          place_(std::move(place)) {}

    void start() { read_head(); }

    /// For one connection too many.
    void refuse(HttpResponse response) {
        close_after_write_ = true;
        write(std::move(response));
    }

private:
    using Error = boost::beast::error_code;

    auto& lowest() { return boost::beast::get_lowest_layer(stream_); }

    void read_head() {
        namespace http = boost::beast::http;
        parser_.emplace();
        parser_->header_limit(max_head_bytes);
        parser_->body_limit(max_configuration_bytes);
        lowest().expires_after(is_first_ ? transfer_timeout : idle_timeout);
        is_first_ = false;
        http::async_read_header(
            stream_,
            buffer_,
            *parser_,
            [self = this->shared_from_this()](const Error& error, std::size_t) {
                self->take_head(error);
            }
        );
    }

    void take_head(const Error& error) {
        namespace beast = boost::beast;
        namespace http = beast::http;
        if (error) {
            fail_read(error);
            return;
        }
        const auto& head = parser_->get();
        knock_ = {
            .authorization = std::string(head[http::field::authorization]),
            .origin = std::string(head[http::field::origin]),
        };
        auto admitted = door_->admit(knock_);
        if (!admitted) {
            refuse_unread(std::move(admitted.error()));
            return;
        }
        actor_ = std::move(*admitted);
        if (!head.target().starts_with("/v1/config")) {
            if (parser_->content_length().value_or(0) > max_body_bytes)
                return fail_read(http::error::body_limit);
            parser_->body_limit(max_body_bytes);
        }
        lowest().expires_after(transfer_timeout);
        if (!beast::iequals(head[http::field::expect], "100-continue")) {
            read_body();
            return;
        }
        auto go_on = std::make_shared<http::response<http::empty_body>>(
            http::status::continue_, head.version()
        );
        http::async_write(
            stream_,
            *go_on,
            [self = this->shared_from_this(), go_on](const Error& failed, std::size_t) {
                if (!failed) {
                    self->read_body();
                }
            }
        );
    }

    void read_body() {
        boost::beast::http::async_read(
            stream_,
            buffer_,
            *parser_,
            [self = this->shared_from_this()](const Error& error, std::size_t) {
                if (error) {
                    self->fail_read(error);
                } else {
                    self->dispatch();
                }
            }
        );
    }

    void fail_read(const Error& error) {
        namespace beast = boost::beast;
        // Only what HTTP itself says is answered. Else: gone, or too slow: Beast has closed the stream,
        // there is nobody to tell.
        if (error == beast::http::error::end_of_stream ||
            error.category() != make_error_code(beast::http::error::end_of_stream).category()) {
            return;
        }
        refuse_unread(make_read_problem(error));
    }

    void refuse_unread(HttpResponse response) {
        lingers_ = true;
        refuse(std::move(response));
    }

    void dispatch() {
        namespace http = boost::beast::http;
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
        lowest().expires_never();
        (*handler_)(std::move(request), [self = this->shared_from_this()](HttpResponse response) {
            self->write(std::move(response));
        });
    }

    void write(HttpResponse response) {
        namespace http = boost::beast::http;
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
        lowest().expires_after(transfer_timeout);
        http::async_write(
            stream_,
            response_,
            [self = this->shared_from_this()](const Error& error, std::size_t) {
                if (error) {
                    return;
                }
                if (self->close_after_write_) {
                    self->end();
                    return;
                }
                self->read_head();
            }
        );
    }

    /// The head of a body that goes on until one of both ends it.
    void begin_stream(HttpResponse response) {
        namespace http = boost::beast::http;
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
        lowest().expires_after(transfer_timeout);
        http::async_write_header(
            stream_,
            *serializer,
            [self = this->shared_from_this(), head, serializer](const Error& error, std::size_t) {
                if (!error) {
                    self->ask_chunk();
                }
            }
        );
    }

    void ask_chunk() {
        lowest().expires_never();
        next_chunk_([self = this->shared_from_this()](std::optional<std::string> chunk) {
            const bool may_go_on = self->door_->still_admits(self->knock_);
            self->write_chunk(may_go_on ? std::move(chunk) : std::nullopt);
        });
    }

    void write_chunk(std::optional<std::string> chunk) {
        const bool is_last = !chunk.has_value();
        auto text = std::make_shared<std::string>(
            is_last ? std::string("0\r\n\r\n")
                    : fmt::format("{:x}\r\n{}\r\n", chunk->size(), *chunk)
        );
        lowest().expires_after(transfer_timeout);
        boost::asio::async_write(
            stream_,
            boost::asio::buffer(*text),
            [self = this->shared_from_this(), text, is_last](const Error& error, std::size_t) {
                if (!error && !is_last) {
                    self->ask_chunk();
                } else if (!error) {
                    self->end();
                }
            }
        );
    }

    /// TLS says goodbye first; the other end may be gone already, which is nobody's fault.
    void end() {
        if constexpr (requires(Stream& stream) { stream.async_shutdown([](const Error&) {}); }) {
            lowest().expires_after(linger_timeout);
            stream_.async_shutdown([self = this->shared_from_this()](const Error&) {
                self->close();
            });
        } else {
            close();
        }
    }

    void close() {
        Error ignored;
        lowest().socket().shutdown(boost::asio::socket_base::shutdown_send, ignored);
        if (lingers_) {
            lowest().expires_after(linger_timeout); // for all that follows: it is not set again
            linger();
        }
    }

    void linger() {
        lowest().async_read_some(
            boost::asio::buffer(unread_),
            [self = this->shared_from_this()](const Error& error, std::size_t bytes) {
                self->unread_bytes_ += bytes;
                if (!error && self->unread_bytes_ < max_body_bytes) {
                    self->linger();
                }
            }
        );
    }

    Stream stream_;
    std::unique_ptr<Door> door_;
    std::shared_ptr<const HttpHandler> handler_;
    std::shared_ptr<void> place_;
    Knock knock_; ///< of the request that is being served
    Actor actor_;
    NextChunk next_chunk_;
    boost::beast::flat_buffer buffer_{max_head_bytes + (64U << 10U)};
    std::optional<boost::beast::http::request_parser<boost::beast::http::string_body>> parser_;
    boost::beast::http::response<boost::beast::http::string_body> response_;
    std::array<char, 4096> unread_{};
    std::size_t unread_bytes_ = 0;
    bool is_first_ = true;
    bool close_after_write_ = false;
    bool lingers_ = false;
};

} // namespace penstock
