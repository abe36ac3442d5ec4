// SPDX-License-Identifier: Apache-2.0
// What [api] names on disk, read and checked: the certificate with its key, the authority of the clients'
// certificates and the tokens.
//
// Thread rule: immutable once loaded; loading reads files.
#pragma once

#include "controlplane/config/api_config.hpp"
#include "controlplane/config/diagnostic.hpp"
#include "controlplane/config/token_file.hpp"
#include "controlplane/wall_time.hpp"

#include <openssl/x509.h>

#include <expected>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace penstock {

class Credentials {
public:
    /// Refused, each fault with its place in the configuration: a file that is missing, cannot be parsed
    /// or is open to others (the key to read, the tokens to write); a certificate that has expired, is
    /// not valid yet, is too weak or has another key; a key with a passphrase.
    [[nodiscard]] static std::expected<std::shared_ptr<const Credentials>, config::Diagnostics>
    load(const config::ApiConfig& api, WallTime now);

    /// What tells whether load() would read something else than before: sizes, times and numbers of
    /// the files.
    [[nodiscard]] static std::string stamp(const config::ApiConfig& api);

    Credentials(const Credentials&) = delete;
    Credentials& operator=(const Credentials&) = delete;
    ~Credentials() = default;

    /// TLS 1.3 alone, without tickets. A client must show a certificate if there is no token file; one
    /// that is shown must be of the authority.
    [[nodiscard]] SSL_CTX* context() const { return context_.get(); }

    [[nodiscard]] const config::ApiConfig& config() const { return config_; }

    /// The entry of a token, expired or not; null if there is none. Compares hashes, all of them, so its
    /// time tells nothing about a token.
    [[nodiscard]] const config::TokenEntry* find_token(std::string_view token) const;

    /// Whether a client's certificate that was good once still is: by its dates, and by the authority as
    /// these credentials have it. `chain` may be null.
    [[nodiscard]] bool is_trusted(X509* certificate, STACK_OF(X509) * chain) const;

    /// When our own certificate expires.
    [[nodiscard]] WallTime expires() const { return expires_; }

private:
    struct ContextDeleter {
        void operator()(SSL_CTX* context) const;
    };

    class Loader;

    Credentials() = default;

    config::ApiConfig config_;
    std::unique_ptr<SSL_CTX, ContextDeleter> context_;
    std::vector<config::TokenEntry> tokens_;
    WallTime expires_;
};

} // namespace penstock
