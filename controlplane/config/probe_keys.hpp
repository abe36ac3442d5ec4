// SPDX-License-Identifier: Apache-2.0
// The keys of `probe` and the types that have them, and the readers of those that only some types
// have. Parts of read_probe(), sections.hpp.
//
// Thread rule: one thread, the Findings'.
#pragma once

#include "controlplane/config/probe_config.hpp"
#include "controlplane/config/value_reader.hpp"

#include <cstdint>
#include <span>
#include <string_view>

namespace penstock::config {

/// All keys that a probe of any type can have.
[[nodiscard]] std::span<const std::string_view> list_probe_keys();

/// Whether probes of `type` have `key`. False for an unknown key.
[[nodiscard]] bool has_probe_key(ProbeType type, std::string_view key);

/// Reports every key of `table` that `type` would ignore: it is a mistake.
void refuse_idle_keys(const TableReader& table, ProbeType type);

/// method, path, host, headers, status, body, http2, tls, tls_verify, tls_name, tls_ca,
/// grpc_service.
void read_http_keys(const TableReader& table, ProbeConfig& probe);

/// send, send_hex, expect, expect_hex, query, record, rcode, answer.
void read_datagram_keys(const TableReader& table, ProbeConfig& probe);

/// command, user.
void read_script_keys(const TableReader& table, ProbeConfig& probe);

/// Printable ASCII without spaces: it becomes part of a request line or a header.
[[nodiscard]] bool is_visible_ascii(std::string_view text);

} // namespace penstock::config
