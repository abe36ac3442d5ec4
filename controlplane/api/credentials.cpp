// SPDX-License-Identifier: Apache-2.0
#include "controlplane/api/credentials.hpp"

#include "controlplane/config/read_file.hpp"

#include <algorithm>
#include <ctime>
#include <fmt/format.h>
#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/sha.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>

namespace penstock {

namespace {

constexpr std::size_t max_pem_bytes = 1U << 20U;
constexpr std::size_t max_authorities = 64;
constexpr long max_client_chain_bytes = 32L << 10U;

template <auto free>
struct Deleter {
    template <typename T>
    void operator()(T* pointer) const {
        free(pointer);
    }
};

using Bio = std::unique_ptr<BIO, Deleter<BIO_free>>;
using Certificate = std::unique_ptr<X509, Deleter<X509_free>>;
using Key = std::unique_ptr<EVP_PKEY, Deleter<EVP_PKEY_free>>;

Bio open_text(const std::string& text) {
    return Bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

/// What OpenSSL says of the last failure, and forgets.
std::string take_openssl_error() {
    const unsigned long error = ERR_get_error();
    ERR_clear_error();
    const char* reason = error == 0 ? nullptr : ERR_reason_error_string(error);
    return reason == nullptr ? "not understood" : reason;
}

std::vector<Certificate> read_certificates(const std::string& text) {
    std::vector<Certificate> found;
    const Bio bio = open_text(text);
    while (X509* one = PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr)) {
        found.emplace_back(one);
    }
    ERR_clear_error(); // the end of the text is an error to it
    return found;
}

std::optional<WallTime> read_time(const ASN1_TIME* time) {
    std::tm parts{};
    if (ASN1_TIME_to_tm(time, &parts) != 1) {
        return std::nullopt;
    }
    return std::chrono::system_clock::from_time_t(::timegm(&parts));
}

/// There is no terminal to ask at.
int refuse_passphrase(char* /*buffer*/, int /*size*/, int /*is_write*/, void* was_asked) {
    *static_cast<bool*>(was_asked) = true;
    return -1;
}

} // namespace

void Credentials::ContextDeleter::operator()(SSL_CTX* context) const {
    SSL_CTX_free(context);
}

/// Collects every fault of one load.
class Credentials::Loader {
public:
    Loader(Credentials& out, WallTime now) : out_(out), now_(now) {}

    void load() {
        const config::ApiConfig& api = out_.config_;
        out_.context_.reset(SSL_CTX_new(TLS_server_method()));
        SSL_CTX* context = out_.context_.get();
        SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION);
        SSL_CTX_set_security_level(context, 2); // RSA from 2048 bits, curves from 224
        SSL_CTX_set_num_tickets(context, 0);
        SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
        SSL_CTX_set_max_cert_list(context, max_client_chain_bytes);
        SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
        const bool is_good = load_certificate(api);
        load_key(api, is_good);
        if (!api.client_ca.empty()) {
            load_authority(api);
        }
        if (!api.token_file.empty()) {
            load_tokens(api);
        }
    }

    [[nodiscard]] config::Diagnostics take() { return std::move(faults_); }

private:
    void fault(const config::Place& place, std::string cause, std::string remedy) {
        faults_.push_back(config::diagnose(place, std::move(cause), std::move(remedy)));
    }

    std::optional<std::string>
    read(const std::string& path, const config::Place& place, std::size_t max_bytes) {
        auto text = config::read_file(path, max_bytes);
        if (text) {
            return std::move(*text);
        }
        fault(
            place,
            fmt::format("{}: {}", path, text.error().cause),
            "name a file of this node that penstock-cp may read"
        );
        return std::nullopt;
    }

    /// Without one of `forbidden`, of the mode.
    void check_mode(
        const std::string& path,
        const config::Place& place,
        mode_t forbidden,
        std::string_view danger,
        std::string_view mode
    ) {
        struct stat state{};
        if (::stat(path.c_str(), &state) == 0 && (state.st_mode & forbidden) != 0) {
            fault(
                place,
                fmt::format("{} has mode {:04o}: {}", path, state.st_mode & 07777U, danger),
                fmt::format("chmod {} {}", mode, path)
            );
        }
    }

    bool load_certificate(const config::ApiConfig& api) {
        const auto text = read(api.certificate, api.certificate_place, max_pem_bytes);
        if (!text) {
            return false;
        }
        auto chain = read_certificates(*text);
        if (chain.empty()) {
            fault(
                api.certificate_place,
                fmt::format("{} has no certificate in PEM", api.certificate),
                "it begins with -----BEGIN CERTIFICATE-----; the node's own comes first, then "
                "those "
                "that lead to its authority"
            );
            return false;
        }
        const auto begins = read_time(X509_get0_notBefore(chain.front().get()));
        const auto expires = read_time(X509_get0_notAfter(chain.front().get()));
        if (!begins || !expires || now_ < *begins || now_ > *expires) {
            const bool is_early = begins && now_ < *begins;
            fault(
                api.certificate_place,
                !begins || !expires ? fmt::format("{} has no dates", api.certificate)
                : is_early
                    ? fmt::format(
                          "{} is not valid before {}", api.certificate, format_rfc3339(*begins)
                      )
                    : fmt::format(
                          "{} has expired at {}", api.certificate, format_rfc3339(*expires)
                      ),
                is_early ? "is the clock of this node right?" : "renew it"
            );
            return false;
        }
        out_.expires_ = *expires;
        SSL_CTX* context = out_.context_.get();
        bool is_taken = SSL_CTX_use_certificate(context, chain.front().get()) == 1;
        for (std::size_t i = 1; is_taken && i < chain.size(); ++i) {
            is_taken = SSL_CTX_add1_chain_cert(context, chain[i].get()) == 1;
        }
        if (!is_taken) {
            fault(
                api.certificate_place,
                fmt::format("{} cannot be used: {}", api.certificate, take_openssl_error()),
                "use a certificate with an EC key, or RSA from 2048 bits, signed with SHA-256 or "
                "better"
            );
        }
        return is_taken;
    }

    void load_key(const config::ApiConfig& api, bool has_certificate) {
        const auto text = read(api.key, api.key_place, max_pem_bytes);
        if (!text) {
            return;
        }
        check_mode(api.key, api.key_place, 0027, "others can read or change the key", "0600");
        bool was_asked = false;
        const Bio bio = open_text(*text);
        const Key key(PEM_read_bio_PrivateKey(bio.get(), nullptr, refuse_passphrase, &was_asked));
        if (!key) {
            ERR_clear_error();
            fault(
                api.key_place,
                was_asked ? fmt::format("{} has a passphrase, and nobody to type it", api.key)
                          : fmt::format("{} has no private key in PEM", api.key),
                was_asked ? fmt::format("openssl pkey -in {} -out KEY writes it without", api.key)
                          : "it begins with -----BEGIN PRIVATE KEY-----"
            );
            return;
        }
        if (has_certificate && (SSL_CTX_use_PrivateKey(out_.context_.get(), key.get()) != 1 ||
                                SSL_CTX_check_private_key(out_.context_.get()) != 1)) {
            ERR_clear_error();
            fault(
                api.key_place,
                fmt::format("{} is not the key of {}", api.key, api.certificate),
                "name the key that the certificate was made with"
            );
        }
    }

    void load_authority(const config::ApiConfig& api) {
        const auto text = read(api.client_ca, api.client_ca_place, max_pem_bytes);
        if (!text) {
            return;
        }
        const auto authorities = read_certificates(*text);
        if (authorities.empty() || authorities.size() > max_authorities) {
            fault(
                api.client_ca_place,
                fmt::format("{} has {} certificates in PEM", api.client_ca, authorities.size()),
                fmt::format(
                    "name 1 to {} authorities that sign the clients' certificates", max_authorities
                )
            );
            return;
        }
        SSL_CTX* context = out_.context_.get();
        for (const Certificate& authority : authorities) {
            X509_STORE_add_cert(SSL_CTX_get_cert_store(context), authority.get());
            SSL_CTX_add_client_CA(context, authority.get());
        }
        ERR_clear_error(); // one that is there twice does no harm
        const int or_fail = api.token_file.empty() ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0;
        SSL_CTX_set_verify(context, SSL_VERIFY_PEER | or_fail, nullptr);
    }

    void load_tokens(const config::ApiConfig& api) {
        const auto text = read(api.token_file, api.token_file_place, config::max_token_file_bytes);
        if (!text) {
            return;
        }
        check_mode(
            api.token_file, api.token_file_place, 0022, "others can give themselves a token", "0640"
        );
        auto tokens = config::parse_token_file(*text, api.token_file);
        if (tokens) {
            out_.tokens_ = std::move(*tokens);
            return;
        }
        std::ranges::move(tokens.error(), std::back_inserter(faults_));
    }

    Credentials& out_;
    WallTime now_;
    config::Diagnostics faults_;
};

std::expected<std::shared_ptr<const Credentials>, config::Diagnostics>
Credentials::load(const config::ApiConfig& api, WallTime now) {
    const std::shared_ptr<Credentials> credentials(new Credentials);
    credentials->config_ = api;
    Loader loader(*credentials, now);
    loader.load();
    if (auto faults = loader.take(); !faults.empty()) {
        return std::unexpected(std::move(faults));
    }
    return credentials;
}

std::string Credentials::stamp(const config::ApiConfig& api) {
    std::string stamp;
    for (const std::string* path : {&api.certificate, &api.key, &api.client_ca, &api.token_file}) {
        struct stat state{};
        if (path->empty() || ::stat(path->c_str(), &state) != 0) {
            stamp += "-;";
            continue;
        }
        stamp += fmt::format(
            "{} {} {} {}.{};",
            state.st_ino,
            state.st_mode,
            state.st_size,
            state.st_ctim.tv_sec, // of any change, also of the mode or a rename
            state.st_ctim.tv_nsec
        );
    }
    return stamp;
}

const config::TokenEntry* Credentials::find_token(std::string_view token) const {
    config::TokenHash hash{};
    SHA256(reinterpret_cast<const unsigned char*>(token.data()), token.size(), hash.data());
    const config::TokenEntry* found = nullptr;
    for (const config::TokenEntry& entry : tokens_) {
        if (CRYPTO_memcmp(entry.hash.data(), hash.data(), hash.size()) == 0) {
            found = &entry;
        }
    }
    return found;
}

bool Credentials::is_trusted(X509* certificate, STACK_OF(X509) * chain) const {
    const std::unique_ptr<X509_STORE_CTX, Deleter<X509_STORE_CTX_free>> check(X509_STORE_CTX_new());
    if (config_.client_ca.empty() || !check ||
        X509_STORE_CTX_init(
            check.get(), SSL_CTX_get_cert_store(context_.get()), certificate, chain
        ) != 1) {
        return false;
    }
    X509_STORE_CTX_set_purpose(check.get(), X509_PURPOSE_SSL_CLIENT);
    const bool is_good = X509_verify_cert(check.get()) == 1;
    ERR_clear_error();
    return is_good;
}

} // namespace penstock
