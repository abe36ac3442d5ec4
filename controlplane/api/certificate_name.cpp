// SPDX-License-Identifier: Apache-2.0
#include "controlplane/api/certificate_name.hpp"

#include "dataplane/core/addresses.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <memory>
#include <openssl/bio.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <optional>
#include <string_view>

namespace penstock {

namespace {

constexpr std::size_t max_names = 64;

struct BioDeleter {
    void operator()(BIO* bio) const { BIO_free(bio); }
};

struct NamesDeleter {
    void operator()(GENERAL_NAMES* names) const { GENERAL_NAMES_free(names); }
};

bool is_printable(std::string_view text) {
    return std::ranges::none_of(text, [](char c) {
        return static_cast<unsigned char>(c) < 0x20 || c == '\x7f';
    });
}

std::string_view text_of(const ASN1_STRING* text) {
    return {
        reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)),
        static_cast<std::size_t>(ASN1_STRING_length(text))
    };
}

std::string read_subject(const X509& certificate) {
    const std::unique_ptr<BIO, BioDeleter> bio(BIO_new(BIO_s_mem()));
    if (!bio ||
        X509_NAME_print_ex(bio.get(), X509_get_subject_name(&certificate), 0, XN_FLAG_RFC2253) <
            0) {
        return {};
    }
    char* data = nullptr;
    const long size = BIO_get_mem_data(bio.get(), &data);
    return size <= 0 ? std::string() : std::string(data, static_cast<std::size_t>(size));
}

std::string read_address(std::string_view bytes) {
    if (bytes.size() == 16) {
        std::array<std::uint8_t, 16> address{};
        std::ranges::copy(bytes, address.begin());
        return IpAddress::from_ipv6(address).to_string();
    }
    if (bytes.size() != 4) {
        return {};
    }
    const auto* octets = reinterpret_cast<const std::uint8_t*>(bytes.data());
    return fmt::format("{}.{}.{}.{}", octets[0], octets[1], octets[2], octets[3]);
}

std::string read_name(const GENERAL_NAME* name) {
    int type = 0;
    const void* value = GENERAL_NAME_get0_value(name, &type);
    const std::string_view text =
        type == GEN_DNS || type == GEN_URI || type == GEN_EMAIL || type == GEN_IPADD
            ? text_of(static_cast<const ASN1_STRING*>(value))
            : std::string_view();
    if (text.empty()) {
        return {};
    }
    switch (type) {
    case GEN_DNS:
        return fmt::format("DNS:{}", text);
    case GEN_URI:
        return fmt::format("URI:{}", text);
    case GEN_EMAIL:
        return fmt::format("email:{}", text);
    default: {
        const std::string address = read_address(text);
        return address.empty() ? std::string() : "IP:" + address;
    }
    }
}

std::string lower_case(std::string_view text) {
    std::string lower(text);
    for (char& c : lower) {
        c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    }
    return lower;
}

/// A name in the one way in which equal ones are written alike.
std::string normalise(const std::string& name) {
    if (name.starts_with("DNS:")) {
        return "DNS:" + lower_case(std::string_view(name).substr(4));
    }
    if (name.starts_with("IP:")) {
        const auto address = IpAddress::parse(std::string_view(name).substr(3));
        return address ? "IP:" + address->to_string() : name;
    }
    return name;
}

} // namespace

CertificateName read_certificate_name(const X509& certificate) {
    CertificateName found{.subject = read_subject(certificate), .names = {}};
    if (!is_printable(found.subject)) {
        found.subject.clear();
    }
    const std::unique_ptr<GENERAL_NAMES, NamesDeleter> names(static_cast<GENERAL_NAMES*>(
        X509_get_ext_d2i(&certificate, NID_subject_alt_name, nullptr, nullptr)
    ));
    const int count = names ? sk_GENERAL_NAME_num(names.get()) : 0;
    for (int i = 0; i < count && found.names.size() < max_names; ++i) {
        std::string name = read_name(sk_GENERAL_NAME_value(names.get(), i));
        if (!name.empty() && is_printable(name)) {
            found.names.push_back(normalise(name));
        }
    }
    return found;
}

const config::ApiClientConfig*
find_client(std::span<const config::ApiClientConfig> clients, const CertificateName& name) {
    const auto found = std::ranges::find_if(clients, [&](const config::ApiClientConfig& client) {
        return client.san.empty()
                   ? !client.subject.empty() && client.subject == name.subject
                   : std::ranges::find(name.names, normalise(client.san)) != name.names.end();
    });
    return found == clients.end() ? nullptr : &*found;
}

std::string describe(const CertificateName& name) {
    return name.names.empty() || !name.subject.empty()
               ? fmt::format("subject = \"{}\"", name.subject)
               : fmt::format("san = \"{}\"", name.names.front());
}

} // namespace penstock
