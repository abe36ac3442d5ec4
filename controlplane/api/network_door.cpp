// SPDX-License-Identifier: Apache-2.0
#include "controlplane/api/network_door.hpp"

#include "controlplane/api/certificate_name.hpp"

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <openssl/ssl.h>

namespace penstock {

namespace {

constexpr std::string_view scheme = "bearer ";

Role to_role(config::ApiRole role) {
    switch (role) {
    case config::ApiRole::viewer:
        return Role::view;
    case config::ApiRole::shift:
        return Role::operate;
    case config::ApiRole::admin:
        return Role::administer;
    }
    return Role::none;
}

/// The token of "Bearer TOKEN"; nothing for another scheme.
std::optional<std::string_view> find_token(std::string_view authorization) {
    const bool is_bearer = authorization.size() > scheme.size() &&
                           std::ranges::equal(
                               authorization.substr(0, scheme.size()),
                               scheme,
                               [](char left, char right) { return (left | 0x20) == (right | 0x20); }
                           );
    return is_bearer ? std::optional(authorization.substr(scheme.size())) : std::nullopt;
}

HttpResponse refuse_login(std::string detail, std::string remedy) {
    HttpResponse response = make_problem_response({
        .status = 401,
        .type = "unauthorized",
        .title = "Who asks is not known",
        .detail = std::move(detail),
        .remedy = std::move(remedy),
    });
    response.fields.emplace_back("WWW-Authenticate", "Bearer realm=\"penstock\"");
    return response;
}

HttpResponse forbid(std::string detail, std::string remedy) {
    return make_problem_response({
        .status = 403,
        .type = "forbidden",
        .title = "This may not be asked",
        .detail = std::move(detail),
        .remedy = std::move(remedy),
    });
}

} // namespace

struct NetworkDoor::Shown {
    X509* certificate = nullptr;
    STACK_OF(X509) * chain = nullptr;
    std::shared_ptr<const Credentials> proven_by; ///< whose authority said yes last

    Shown() = default;
    Shown(const Shown&) = delete;
    Shown& operator=(const Shown&) = delete;

    ~Shown() {
        X509_free(certificate);
        sk_X509_pop_free(chain, X509_free);
    }
};

std::string NetworkPeer::rate_key() const {
    if (address.is_ipv4()) {
        return address.to_string();
    }
    std::array<std::uint8_t, 16> prefix = address.bytes();
    std::fill(prefix.begin() + 8, prefix.end(), std::uint8_t{0});
    return IpAddress::from_ipv6(prefix).to_string();
}

std::string NetworkPeer::to_string() const {
    return address.is_ipv4() ? fmt::format("{}:{}", address.to_string(), port)
                             : fmt::format("[{}]:{}", address.to_string(), port);
}

NetworkDoor::NetworkDoor(
    std::shared_ptr<NetworkAccess> access, const NetworkPeer& peer, const SSL* ssl
)
    : access_(std::move(access)), peer_(peer) {
    if (X509* certificate = SSL_get1_peer_certificate(ssl)) {
        shown_ = std::make_unique<Shown>();
        shown_->certificate = certificate;
        if (STACK_OF(X509)* chain = SSL_get_peer_cert_chain(ssl)) {
            shown_->chain = X509_chain_up_ref(chain);
        }
        shown_->proven_by = access_->credentials;
    }
}

NetworkDoor::~NetworkDoor() = default;

Actor NetworkDoor::make_actor(std::string user, config::ApiRole role, std::string_view by) const {
    return {
        .user = std::move(user),
        .uid = {},
        .pid = {},
        .from = fmt::format("{} from {}", by, peer_.to_string()),
        .role = to_role(role),
    };
}

std::expected<Actor, HttpResponse> NetworkDoor::identify_token(std::string_view token) const {
    const config::TokenEntry* entry = access_->credentials->find_token(token);
    if (entry == nullptr) {
        return std::unexpected(
            refuse_login("this token is not known here", "penstock token list says which there are")
        );
    }
    const auto now_s = std::chrono::duration_cast<std::chrono::seconds>(
                           std::chrono::system_clock::now().time_since_epoch()
    )
                           .count();
    if (entry->expires_s && now_s >= *entry->expires_s) {
        return std::unexpected(refuse_login(
            fmt::format(
                "token {} has expired at {}",
                entry->name,
                config::format_token_time(*entry->expires_s)
            ),
            "make another: penstock token create"
        ));
    }
    return make_actor(entry->name, entry->role, "token");
}

std::expected<Actor, HttpResponse> NetworkDoor::identify_certificate() const {
    const auto& credentials = access_->credentials;
    if (shown_->proven_by != credentials) {
        if (!credentials->is_trusted(shown_->certificate, shown_->chain)) {
            return std::unexpected(refuse_login(
                "the client's certificate is not trusted any more", "connect with another one"
            ));
        }
        shown_->proven_by = credentials;
    }
    const CertificateName name = read_certificate_name(*shown_->certificate);
    const config::ApiClientConfig* client = find_client(credentials->config().clients, name);
    if (client == nullptr) {
        return std::unexpected(forbid(
            fmt::format("no client of [api] is known by this certificate: {}", describe(name)),
            fmt::format("add [[api.client]] with name, role and {}", describe(name))
        ));
    }
    return make_actor(client->name, client->role, "certificate");
}

std::expected<Actor, HttpResponse> NetworkDoor::identify(const Knock& knock) const {
    if (!access_->credentials) {
        return std::unexpected(refuse_login("the API has left the network", "use control.sock"));
    }
    if (!knock.origin.empty()) {
        return std::unexpected(
            forbid("requests of browsers are not taken: there is an Origin", "leave it out")
        );
    }
    if (knock.authorization.empty() && shown_) {
        return identify_certificate();
    }
    if (knock.authorization.empty()) {
        return std::unexpected(refuse_login(
            "neither a token nor a client's certificate came with it",
            "penstock --token-file FILE, or --cert FILE --key FILE"
        ));
    }
    const auto token = find_token(knock.authorization);
    if (!token) {
        return std::unexpected(refuse_login(
            "the scheme of the Authorization field is not Bearer", "Authorization: Bearer TOKEN"
        ));
    }
    return identify_token(*token);
}

std::expected<Actor, HttpResponse> NetworkDoor::admit(const Knock& knock) {
    const auto now = std::chrono::steady_clock::now();
    if (!access_->rate.take(peer_.rate_key(), now)) {
        HttpResponse response = make_problem_response({
            .status = 429,
            .type = "too-many-requests",
            .title = "Too many requests",
            .detail = fmt::format("more than {} may ask", peer_.rate_key()),
            .remedy = "ask more slowly, or raise rate in [api]",
        });
        response.fields.emplace_back("Retry-After", std::to_string(access_->rate.wait_s()));
        return std::unexpected(std::move(response));
    }
    auto found = identify(knock);
    if (found) {
        return found;
    }
    const std::string why =
        fmt::format("login refused with status {}: {}", found.error().status, found.error().detail);
    if (const auto line = access_->refused.add(why, now); line && access_->audit) {
        access_->audit({
            .actor = {.user = {}, .uid = {}, .pid = {}, .from = peer_.to_string(), .role = {}},
            .method = {},
            .target = {},
            .status = found.error().status,
            .detail = *line,
        });
    }
    return found;
}

bool NetworkDoor::still_admits(const Knock& knock) {
    return identify(knock).has_value();
}

} // namespace penstock
