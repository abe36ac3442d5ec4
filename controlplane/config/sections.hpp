// SPDX-License-Identifier: Apache-2.0
// The sections of the file, each read by one function in a file of its own.
//
// Thread rule: one thread, the Findings'. After any finding the result is incomplete and must be
// discarded.
#pragma once

#include "controlplane/config/configuration.hpp"
#include "controlplane/config/document.hpp"
#include "controlplane/config/findings.hpp"
#include "controlplane/config/value_reader.hpp"

#include <optional>
#include <vector>

namespace penstock::config {

/// [dataplane] with its ports and neighbours. The tunnel sources go to the configuration's.
[[nodiscard]] DataplaneConfig
read_dataplane(Findings& findings, const Value& value, TunnelSources& tunnel_sources);

/// [flow]
[[nodiscard]] FlowTimeouts read_flow(Findings& findings, const Value& value);

/// [[service]], all of them, and what must hold between them.
[[nodiscard]] std::vector<ServiceConfig> read_services(Findings& findings, const Value& value);

/// `probe` of a service. `what` names it: "the probe of service 'web'".
[[nodiscard]] ProbeConfig
read_probe(Findings& findings, const Value& value, const std::string& what);

/// An address of a family that this release forwards: IPv6 is a finding.
[[nodiscard]] std::optional<IpAddress>
read_ipv4_host(Findings& findings, const Value& value, std::string_view what);

} // namespace penstock::config
