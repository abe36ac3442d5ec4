// SPDX-License-Identifier: Apache-2.0
// Whom a certificate names, in the words of [[api.client]].
//
// Thread rule: pure functions.
#pragma once

#include "controlplane/config/api_config.hpp"

#include <openssl/types.h>

#include <span>
#include <string>
#include <vector>

namespace penstock {

struct CertificateName {
    std::string subject;            ///< as RFC 2253 writes it: "CN=eva,O=Example"
    std::vector<std::string> names; ///< "DNS:ci.example.org", "URI:…", "email:…", "IP:192.0.2.7"
};

/// Names with control characters are left out: nothing that a configuration can say equals them.
[[nodiscard]] CertificateName read_certificate_name(const X509& certificate);

/// The first client that it is; null if none. DNS names compare without letter case.
[[nodiscard]] const config::ApiClientConfig*
find_client(std::span<const config::ApiClientConfig> clients, const CertificateName& name);

/// What somebody would write to give it a role: "san = \"DNS:…\"" or "subject = \"…\"".
[[nodiscard]] std::string describe(const CertificateName& name);

} // namespace penstock
