// SPDX-License-Identifier: Apache-2.0
#include "controlplane/config/first_places.hpp"
#include "controlplane/config/sections.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

namespace penstock::config {

namespace {

constexpr std::array<std::string_view, 8> api_keys{
    "listen", "certificate", "key", "client_ca", "client", "token_file", "allow", "rate"
};
constexpr std::array<std::string_view, 4> api_client_keys{"name", "subject", "san", "role"};
constexpr std::array<std::string_view, 3> role_words{"viewer", "operator", "admin"};
constexpr std::array<std::string_view, 4> san_kinds{"DNS:", "URI:", "email:", "IP:"};
constexpr IntegerRange rate_range{.least = 1, .most = 100000, .unit = "requests a second"};
constexpr std::size_t max_path_bytes = 1024;
constexpr std::size_t max_clients = 1024;
constexpr std::size_t max_allowed = 1024;
constexpr std::string_view listen_example = "listen = \"192.0.2.1:9443\"";

void read_listen(Findings& findings, const Value& value, ApiConfig& api) {
    if (!expect_kind(findings, value, ValueKind::string, "listen")) {
        return;
    }
    api.listen_place = findings.origin(value.span);
    const std::string_view text = value.text;
    const std::size_t colon = text.rfind(':');
    std::string_view host = text.substr(0, std::min(colon, text.size()));
    const bool has_brackets = host.starts_with('[') && host.ends_with(']') && host.size() > 2;
    if (has_brackets) {
        host = host.substr(1, host.size() - 2);
    }
    const std::string_view digits = colon == std::string_view::npos ? "" : text.substr(colon + 1);
    const auto address = IpAddress::parse(host);
    const auto [end, error] =
        std::from_chars(digits.data(), digits.data() + digits.size(), api.port);
    const bool is_port =
        error == std::errc{} && end == digits.data() + digits.size() && api.port != 0;
    if (!address || !is_port || address->is_ipv4() == has_brackets || address->is_multicast()) {
        findings.error(
            value.span,
            fmt::format("listen {} is no address with a port", quote(text)),
            fmt::format(
                "write an address of this node and a port: {}, or \"[2001:db8::1]:9443\"",
                listen_example
            )
        );
        return;
    }
    api.address = *address;
    if (address->is_unspecified()) {
        findings.warn(
            value.span,
            fmt::format("listen {} is every address of this node, also those of clients", text),
            "name the address of the management network; allow = [\"10.0.0.0/8\"] says who may "
            "connect"
        );
    }
}

std::string
read_absolute_path(Findings& findings, const Value& value, std::string_view key, Origin& place) {
    place = findings.origin(value.span);
    auto path = read_text(findings, value, key, max_path_bytes).value_or("");
    if (!path.empty() && !path.starts_with('/')) {
        findings.error(
            value.span,
            fmt::format("{} {} is no absolute path", key, quote(path)),
            fmt::format("write it from the root: \"/etc/penstock/{}\"", path)
        );
    }
    return path;
}

void read_san(Findings& findings, const Value& value, ApiClientConfig& client) {
    client.san = read_text(findings, value, "san", max_path_bytes).value_or("");
    const bool is_known = std::ranges::any_of(san_kinds, [&](std::string_view kind) {
        return client.san.starts_with(kind) && client.san.size() > kind.size();
    });
    if (!client.san.empty() && !is_known) {
        findings.error(
            value.span,
            fmt::format("san {} does not say of which kind it is", quote(client.san)),
            "write \"DNS:ci.example.org\", \"URI:spiffe://example.org/ci\", "
            "\"email:eva@example.org\" or \"IP:192.0.2.7\""
        );
    }
}

std::optional<ApiClientConfig> read_client(Findings& findings, const Value& value) {
    if (!expect_kind(findings, value, ValueKind::table, "a client of [api]")) {
        return std::nullopt;
    }
    const TableReader table(findings, value, "a client of [api]", api_client_keys);
    ApiClientConfig client;
    if (const Value* name = table.require("name", "name = \"eva\"")) {
        client.name = read_name(findings, *name, "client name").value_or("");
    }
    const Value* subject = table.find("subject");
    const Value* san = table.find("san");
    if ((subject == nullptr) == (san == nullptr)) {
        findings.error(
            subject == nullptr ? table.span() : table.key_span("san"),
            fmt::format(
                "a client of [api] has {} of 'subject' and 'san'",
                subject == nullptr ? "none" : "both"
            ),
            "say by which one its certificate is known: subject = \"CN=eva,O=Example\", as "
            "openssl x509 -noout -subject -nameopt RFC2253 prints it"
        );
    }
    if (subject != nullptr) {
        client.subject = read_text(findings, *subject, "subject", max_path_bytes).value_or("");
    }
    if (san != nullptr) {
        read_san(findings, *san, client);
    }
    if (const Value* role = table.require("role", "role = \"viewer\"")) {
        const auto index = read_word(findings, *role, "role", role_words);
        client.role = static_cast<ApiRole>(index.value_or(0));
    }
    return client;
}

void read_clients(Findings& findings, const Value& value, ApiConfig& api) {
    if (!expect_kind(findings, value, ValueKind::array, "client")) {
        return;
    }
    if (value.items.empty() || value.items.size() > max_clients) {
        findings.error(
            value.span,
            value.items.empty() ? std::string("client is an empty list")
                                : fmt::format("{} clients of [api]", value.items.size()),
            value.items.empty()
                ? std::string("name one: [[api.client]] with name, subject or san, and role")
                : fmt::format("name at most {}", max_clients)
        );
        return;
    }
    FirstPlaces<std::string> names;
    for (const Value& item : value.items) {
        auto client = read_client(findings, item);
        if (!client) {
            continue;
        }
        if (const auto first = names.add(client->name, item.span); first && !client->name.empty()) {
            findings.error(
                item.span,
                fmt::format(
                    "client {} is there twice, first at {}",
                    quote(client->name),
                    findings.describe(*first)
                ),
                "give every client a name of its own"
            );
        }
        api.clients.push_back(std::move(*client));
    }
}

void read_allow(Findings& findings, const Value& value, ApiConfig& api) {
    if (!expect_kind(findings, value, ValueKind::array, "allow")) {
        return;
    }
    if (value.items.empty() || value.items.size() > max_allowed) {
        findings.error(
            value.span,
            fmt::format("allow has {} prefixes", value.items.size()),
            fmt::format("name 1 to {}, or delete the key to let everybody connect", max_allowed)
        );
        return;
    }
    for (const Value& item : value.items) {
        if (const auto prefix = read_prefix(findings, item, "allow")) {
            api.allow.push_back(*prefix);
        }
    }
}

/// Nobody may be left with no way to prove who they are, and no half of a way may stand alone.
void check_authentication(const TableReader& table) {
    Findings& findings = table.findings();
    const bool has_ca = table.find("client_ca") != nullptr;
    const bool has_clients = table.find("client") != nullptr;
    if (has_ca && !has_clients) {
        findings.error(
            table.key_span("client_ca"),
            "client_ca without a client: no certificate would have a role",
            "add [[api.client]] with name, subject or san, and role"
        );
    } else if (has_clients && !has_ca) {
        findings.error(
            table.key_span("client"),
            "clients without client_ca: no certificate could be checked",
            "add client_ca = \"/etc/penstock/client-ca.pem\", the authority of their certificates"
        );
    } else if (!has_ca && table.find("token_file") == nullptr) {
        findings.error(
            table.span(),
            "[api] has no way for a client to prove who it is",
            "add token_file = \"/etc/penstock/api-tokens\" (penstock token create), or client_ca "
            "with [[api.client]]"
        );
    }
}

} // namespace

std::string_view to_string(ApiRole role) {
    return role_words[static_cast<std::size_t>(role)];
}

std::optional<ApiRole> parse_api_role(std::string_view word) {
    const auto found = std::ranges::find(role_words, word);
    return found == role_words.end()
               ? std::nullopt
               : std::optional(static_cast<ApiRole>(found - role_words.begin()));
}

std::optional<ApiConfig> read_api(Findings& findings, const Value& value) {
    if (!expect_kind(findings, value, ValueKind::table, "api")) {
        return std::nullopt;
    }
    const TableReader table(findings, value, "[api]", api_keys);
    ApiConfig api;
    if (const Value* listen = table.require("listen", listen_example)) {
        read_listen(findings, *listen, api);
    }
    if (const Value* file =
            table.require("certificate", "certificate = \"/etc/penstock/api.pem\"")) {
        api.certificate = read_absolute_path(findings, *file, "certificate", api.certificate_place);
    }
    if (const Value* file = table.require("key", "key = \"/etc/penstock/api.key\"")) {
        api.key = read_absolute_path(findings, *file, "key", api.key_place);
    }
    if (const Value* file = table.find("client_ca")) {
        api.client_ca = read_absolute_path(findings, *file, "client_ca", api.client_ca_place);
    }
    if (const Value* clients = table.find("client")) {
        read_clients(findings, *clients, api);
    }
    if (const Value* file = table.find("token_file")) {
        api.token_file = read_absolute_path(findings, *file, "token_file", api.token_file_place);
    }
    if (const Value* allow = table.find("allow")) {
        read_allow(findings, *allow, api);
    }
    if (const Value* rate = table.find("rate")) {
        const auto number = read_integer(findings, *rate, "rate", rate_range);
        api.requests_per_second = static_cast<std::uint32_t>(number.value_or(1));
    }
    check_authentication(table);
    return api;
}

} // namespace penstock::config
