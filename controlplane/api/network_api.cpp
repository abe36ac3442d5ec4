// SPDX-License-Identifier: Apache-2.0
// This file is long because listening, the handshake and the bounds of both share one state.
#include "controlplane/api/network_api.hpp"

#include "controlplane/api/credentials.hpp"
#include "controlplane/api/network_door.hpp"
#include "controlplane/api/network_session.hpp"

#include <algorithm>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/ssl/ssl_stream.hpp>
#include <map>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <spdlog/spdlog.h>
#include <utility>

namespace penstock {

namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
using Tcp = asio::ip::tcp;

constexpr std::chrono::seconds plain_timeout{2};
constexpr unsigned handshake_burst = 64;
constexpr std::chrono::milliseconds accept_pause{20};
constexpr std::chrono::milliseconds no_descriptor_pause{200};

constexpr std::string_view plain_answer =
    "HTTP/1.1 400 Bad Request\r\nServer: penstock-cp\r\nContent-Type: text/plain\r\n"
    "Content-Length: 36\r\nConnection: close\r\n\r\nthis port speaks TLS: https://, 1.3\n";

} // namespace

// Not in the unnamed namespace: NetworkApi::Listener, which the header names, has them.

/// How many are connected, over all and of each client.
struct ConnectionPlaces {
    std::size_t count = 0;
    std::map<std::string, std::size_t, std::less<>> by_client;
};

/// Taken until it is destroyed.
class ConnectionPlace {
public:
    ConnectionPlace(std::shared_ptr<ConnectionPlaces> places, std::string client)
        : places_(std::move(places)), client_(std::move(client)) {
        ++places_->count;
        ++places_->by_client[client_];
    }

    ConnectionPlace(const ConnectionPlace&) = delete;
    ConnectionPlace& operator=(const ConnectionPlace&) = delete;

    ~ConnectionPlace() {
        --places_->count;
        const auto found = places_->by_client.find(client_);
        if (--found->second == 0) {
            places_->by_client.erase(found);
        }
    }

private:
    std::shared_ptr<ConnectionPlaces> places_;
    std::string client_;
};

namespace {

std::optional<NetworkPeer> find_peer(const Tcp::socket& socket) {
    beast::error_code error;
    const auto endpoint = socket.remote_endpoint(error);
    if (error) {
        return std::nullopt;
    }
    NetworkPeer peer{.address = {}, .port = endpoint.port()};
    if (endpoint.address().is_v4()) {
        // The address again, not its text: an IPv4-mapped one is the IPv4 one.
        const auto bytes =
            asio::ip::make_address_v6(asio::ip::v4_mapped, endpoint.address().to_v4());
        peer.address = IpAddress::from_ipv6(bytes.to_bytes());
    } else {
        peer.address = IpAddress::from_ipv6(endpoint.address().to_v6().to_bytes());
    }
    return peer;
}

Tcp::endpoint make_endpoint(const config::ApiConfig& api) {
    if (!api.address.is_ipv4()) {
        return {asio::ip::address_v6(api.address.bytes()), api.port};
    }
    const auto mapped = asio::ip::address_v6(api.address.bytes());
    return {asio::ip::make_address_v4(asio::ip::v4_mapped, mapped), api.port};
}

std::string format_listen(const config::ApiConfig& api) {
    return NetworkPeer{.address = api.address, .port = api.port}.to_string();
}

beast::error_code open(Tcp::acceptor& acceptor, const Tcp::endpoint& endpoint) {
    beast::error_code error;
    acceptor.open(endpoint.protocol(), error);
    if (!error) {
        acceptor.set_option(Tcp::acceptor::reuse_address(true), error);
    }
    if (!error && endpoint.address().is_v6()) {
        acceptor.set_option(asio::ip::v6_only(true), error); // one family, as it is written
    }
    if (!error) {
        acceptor.bind(endpoint, error);
    }
    if (!error) {
        acceptor.listen(asio::socket_base::max_listen_connections, error);
    }
    return error;
}

/// From the accepted socket to a session.
class Handshake : public std::enable_shared_from_this<Handshake> {
public:
    Handshake(
        Tcp::socket socket,
        asio::ssl::context& context,
        const NetworkPeer& peer,
        std::shared_ptr<NetworkAccess> access,
        std::shared_ptr<const HttpHandler> handler,
        std::shared_ptr<void> place
    )
        : stream_(std::move(socket), context),
          peer_(peer),
          access_(std::move(access)),
          handler_(std::move(handler)),
          place_(std::move(place)) {}

    void start() {
        beast::get_lowest_layer(stream_).expires_after(handshake_timeout);
        stream_.async_handshake(
            asio::ssl::stream_base::server,
            [self = shared_from_this()](const beast::error_code& error) { self->finish(error); }
        );
    }

private:
    void finish(const beast::error_code& error) {
        if (!error) {
            auto door = std::make_unique<NetworkDoor>(access_, peer_, stream_.native_handle());
            start_network_session(
                std::move(stream_), std::move(door), std::move(handler_), std::move(place_)
            );
            return;
        }
        // It cost as much as a request, or more.
        static_cast<void>(access_->rate.take(peer_.rate_key(), std::chrono::steady_clock::now()));
        const auto reason = ERR_GET_REASON(static_cast<unsigned long>(error.value()));
        if (error.category() == asio::error::get_ssl_category() && reason == SSL_R_HTTP_REQUEST) {
            auto& plain = beast::get_lowest_layer(stream_);
            plain.expires_after(plain_timeout);
            asio::async_write(
                plain,
                asio::buffer(plain_answer),
                [self = shared_from_this()](const beast::error_code&, std::size_t) {}
            );
        }
    }

    TlsStream stream_;
    NetworkPeer peer_;
    std::shared_ptr<NetworkAccess> access_;
    std::shared_ptr<const HttpHandler> handler_;
    std::shared_ptr<void> place_;
};

} // namespace

class NetworkApi::Listener : public std::enable_shared_from_this<Listener> {
public:
    Listener(
        asio::io_context& loop,
        EventLog& events,
        HttpHandler handler,
        std::function<void(const AuditEntry&)> audit
    )
        : loop_(loop),
          events_(events),
          handler_(std::make_shared<const HttpHandler>(std::move(handler))),
          acceptor_(loop),
          pause_(loop),
          look_(loop) {
        access_->audit = std::move(audit);
    }

    config::Diagnostics check(const config::ApiConfig& api) const {
        config::Diagnostics faults;
        if (auto loaded = Credentials::load(api, std::chrono::system_clock::now()); !loaded) {
            faults = std::move(loaded.error());
        }
        if (acceptor_.is_open() && bound_ == make_endpoint(api)) {
            return faults;
        }
        Tcp::acceptor trial(loop_);
        if (const auto error = open(trial, make_endpoint(api))) {
            faults.push_back(config::diagnose(
                api.listen_place,
                fmt::format("cannot listen at {}: {}", format_listen(api), error.message()),
                "name an address of this node and a port that nobody else has"
            ));
        }
        return faults;
    }

    void set(const std::optional<config::ApiConfig>& api) {
        wanted_ = api;
        stamp_.clear(); // also what has not changed is read anew
        look();
    }

    void stop() {
        wanted_.reset();
        close();
        access_->credentials.reset();
        look_.cancel();
    }

    NetworkView view() const {
        NetworkView view;
        view.is_wanted = wanted_.has_value();
        view.is_listening = acceptor_.is_open();
        view.problem = problem_;
        view.connections = places_->count;
        view.refused_logins = access_->refused.count();
        if (wanted_) {
            view.listen = format_listen(*wanted_);
        }
        if (access_->credentials) {
            view.certificate_expires = access_->credentials->expires();
        }
        return view;
    }

private:
    /// Makes what runs equal to what is wanted, as far as it can be.
    void look() {
        look_.cancel();
        if (!wanted_) {
            if (acceptor_.is_open()) {
                announce("listening", "off", EventSeverity::info, "[api] is gone");
            }
            close();
            access_->credentials.reset();
            problem_.clear();
            return;
        }
        const std::string stamp = Credentials::stamp(*wanted_);
        std::string problem = stamp == stamp_ ? load_problem_ : load();
        stamp_ = stamp;
        if (problem.empty() || access_->credentials) {
            if (const std::string why = listen(); !why.empty()) {
                problem += (problem.empty() ? "" : "; ") + why;
            }
        }
        if (problem != problem_ && !problem.empty()) {
            announce("", "failed", EventSeverity::critical, problem);
        }
        problem_ = std::move(problem);
        look_.expires_after(file_look);
        look_.async_wait([weak = weak_from_this()](const beast::error_code& error) {
            if (const auto self = error ? nullptr : weak.lock()) {
                self->look();
            }
        });
    }

    /// What is wrong with the files; the last good ones stay, if they are of this place.
    std::string load() {
        auto loaded = Credentials::load(*wanted_, std::chrono::system_clock::now());
        if (!loaded) {
            const config::Diagnostic& first = loaded.error().front();
            const bool goes_on = access_->credentials != nullptr;
            load_problem_ = fmt::format(
                "{}; {}{}",
                first.cause,
                first.remedy,
                goes_on ? "; the files as they were before stay in use" : ""
            );
            return load_problem_;
        }
        load_problem_.clear();
        access_->credentials = std::move(*loaded);
        const double rate = wanted_->requests_per_second;
        access_->rate.set(rate, 2 * rate);
        SSL_CTX* context = access_->credentials->context();
        SSL_CTX_up_ref(context); // the other one frees its own
        context_ = std::make_unique<asio::ssl::context>(context);
        return {};
    }

    std::string listen() {
        const Tcp::endpoint endpoint = make_endpoint(*wanted_);
        if (acceptor_.is_open() && bound_ == endpoint) {
            return {};
        }
        close();
        if (const auto error = open(acceptor_, endpoint)) {
            close();
            return fmt::format("cannot listen at {}: {}", format_listen(*wanted_), error.message());
        }
        bound_ = endpoint;
        announce("off", "listening", EventSeverity::info, "at " + format_listen(*wanted_));
        accept();
        return {};
    }

    void announce(std::string from, std::string to, EventSeverity severity, std::string reason) {
        events_.record(
            {.type = EventType::api_listener,
             .severity = severity,
             .from = from.empty() ? std::nullopt : std::optional(std::move(from)),
             .to = std::move(to),
             .reason = std::move(reason)}
        );
    }

    void close() {
        beast::error_code ignored; // it is gone in any case
        acceptor_.close(ignored);
        pause_.cancel();
    }

    void accept() {
        acceptor_.async_accept([self = shared_from_this()](
                                   const beast::error_code& error, Tcp::socket socket
                               ) { self->take(error, std::move(socket)); });
    }

    void accept_later(std::chrono::milliseconds pause) {
        pause_.expires_after(pause);
        pause_.async_wait([self = shared_from_this()](const beast::error_code& cancelled) {
            if (!cancelled) {
                self->accept();
            }
        });
    }

    void take(const beast::error_code& error, Tcp::socket socket) {
        if (error == asio::error::operation_aborted || !acceptor_.is_open()) {
            return;
        }
        if (error) {
            spdlog::warn("the API cannot accept a connection: {}", error.message());
            accept_later(no_descriptor_pause);
            return;
        }
        const auto peer = find_peer(socket);
        if (!peer || !may_come_in(*peer)) {
            accept();
            return; // closed by leaving
        }
        const auto now = std::chrono::steady_clock::now();
        static_cast<void>(handshakes_.take("", now));
        auto place = std::make_shared<ConnectionPlace>(places_, peer->rate_key());
        std::make_shared<Handshake>(
            std::move(socket), *context_, *peer, access_, handler_, std::move(place)
        )
            ->start();
        if (handshakes_.has("", now)) {
            accept();
        } else {
            accept_later(accept_pause);
        }
    }

    bool may_come_in(const NetworkPeer& peer) const {
        const auto& allow = access_->credentials->config().allow;
        const auto holds = [&](const IpPrefix& prefix) { return prefix.contains(peer.address); };
        if (!allow.empty() && std::ranges::none_of(allow, holds)) {
            return false;
        }
        const auto same = places_->by_client.find(peer.rate_key());
        return places_->count < max_network_connections &&
               (same == places_->by_client.end() || same->second < max_connections_per_client) &&
               access_->rate.has(peer.rate_key(), std::chrono::steady_clock::now());
    }

    asio::io_context& loop_;
    EventLog& events_;
    std::shared_ptr<const HttpHandler> handler_;
    std::shared_ptr<NetworkAccess> access_ = std::make_shared<NetworkAccess>();
    std::shared_ptr<ConnectionPlaces> places_ = std::make_shared<ConnectionPlaces>();
    RateLimit handshakes_{max_handshakes_per_s, handshake_burst};
    std::unique_ptr<asio::ssl::context> context_; ///< of access_->credentials
    Tcp::acceptor acceptor_;
    Tcp::endpoint bound_;
    asio::steady_timer pause_;
    asio::steady_timer look_;
    std::optional<config::ApiConfig> wanted_;
    std::string stamp_;        ///< of the files, when they were read last
    std::string load_problem_; ///< what was wrong with them then
    std::string problem_;
};

NetworkApi::NetworkApi(
    asio::io_context& loop,
    EventLog& events,
    HttpHandler handler,
    std::function<void(const AuditEntry&)> audit
)
    : listener_(std::make_shared<Listener>(loop, events, std::move(handler), std::move(audit))) {}

NetworkApi::~NetworkApi() {
    listener_->stop();
}

config::Diagnostics NetworkApi::check(const std::optional<config::ApiConfig>& api) const {
    return api ? listener_->check(*api) : config::Diagnostics{};
}

void NetworkApi::set(const std::optional<config::ApiConfig>& api) {
    listener_->set(api);
}

NetworkView NetworkApi::view() const {
    return listener_->view();
}

} // namespace penstock
