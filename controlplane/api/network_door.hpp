// SPDX-License-Identifier: Apache-2.0
// Who asks over the network: by a bearer token, or by the certificate that the handshake proved.
//
// Thread rule: the loop's thread.
#pragma once

#include "controlplane/api/audit_log.hpp"
#include "controlplane/api/credentials.hpp"
#include "controlplane/api/door.hpp"
#include "controlplane/api/rate_limit.hpp"
#include "controlplane/api/refused_logins.hpp"
#include "dataplane/core/addresses.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace penstock {

/// What all connections share. `credentials` changes with the files; null: nobody is let in any more.
struct NetworkAccess {
    std::shared_ptr<const Credentials> credentials;
    RateLimit rate{1, 1};
    RefusedLogins refused;
    std::function<void(const AuditEntry&)> audit;
};

/// Where a client is.
struct NetworkPeer {
    IpAddress address;
    std::uint16_t port = 0;

    /// Whose requests are counted together: an IPv4 address, or an IPv6 /64, which is one customer's.
    [[nodiscard]] std::string rate_key() const;
    /// "192.0.2.7:41234", "[2001:db8::7]:41234".
    [[nodiscard]] std::string to_string() const;
};

class NetworkDoor final : public Door {
public:
    /// After the handshake on `ssl`, from which it takes the client's certificate.
    NetworkDoor(std::shared_ptr<NetworkAccess> access, const NetworkPeer& peer, const SSL* ssl);
    ~NetworkDoor() override;

    /// 429 beyond the client's rate, 401 without a credential or with a bad one, 403 for a certificate that
    /// no [[api.client]] names, and for browsers: a page could use the certificate of who looks at it.
    [[nodiscard]] std::expected<Actor, HttpResponse> admit(const Knock& knock) override;
    [[nodiscard]] bool still_admits(const Knock& knock) override;

private:
    [[nodiscard]] std::expected<Actor, HttpResponse> identify(const Knock& knock) const;
    [[nodiscard]] std::expected<Actor, HttpResponse> identify_token(std::string_view token) const;
    [[nodiscard]] std::expected<Actor, HttpResponse> identify_certificate() const;
    [[nodiscard]] Actor
    make_actor(std::string user, config::ApiRole role, std::string_view by) const;

    struct Shown; ///< the client's certificate with its chain

    std::shared_ptr<NetworkAccess> access_;
    NetworkPeer peer_;
    std::unique_ptr<Shown> shown_; ///< null: none
};

} // namespace penstock
