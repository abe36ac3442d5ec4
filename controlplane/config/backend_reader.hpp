// SPDX-License-Identifier: Apache-2.0
// The backends of services: `backend = [ … ]`.
//
// Thread rule: one thread, the Findings'. After any finding the result is incomplete and must be
// discarded.
#pragma once

#include "controlplane/config/first_places.hpp"
#include "controlplane/config/sections.hpp"
#include "dataplane/core/desired_state.hpp"

#include <cstddef>
#include <string>
#include <vector>

namespace penstock::config {

/// Reads the backends of all services of a file, one service after the other, because their number
/// is limited together.
class BackendReader {
public:
    explicit BackendReader(Findings& findings) : findings_(findings) {}

    /// The backends in the table of a service whose other values have been read into `service`.
    /// Health is unknown in all of them.
    /// `places` gets where each stands.
    [[nodiscard]] std::vector<BackendSpec>
    read(const TableReader& table, const ServiceSpec& service, std::vector<Origin>& places);

    /// Of all backends read so far.
    [[nodiscard]] const std::vector<AddressPlace>& addresses() const { return addresses_; }

private:
    struct Seen {
        FirstPlaces<std::string> names;
        FirstPlaces<BackendKey> keys;
        FirstPlaces<std::vector<std::uint8_t>> server_ids;
    };

    [[nodiscard]] std::size_t count_readable(const Value& list, const ServiceSpec& service);
    [[nodiscard]] BackendSpec
    read_backend(const Value& value, const ServiceSpec& service, Seen& seen);
    void read_key(const TableReader& table, const ServiceSpec& service, BackendKey& key);
    void read_address(const TableReader& table, const ServiceSpec& service, BackendKey& key);
    void read_port(const TableReader& table, const ServiceSpec& service, BackendKey& key);
    void read_server_id(
        const TableReader& table, const ServiceSpec& service, BackendSpec& backend, Seen& seen
    );
    void read_policy(const TableReader& table, BackendSpec& backend);
    void warn_about_weights(const TableReader& table, const std::vector<BackendSpec>& backends);

    Findings& findings_;
    std::vector<AddressPlace> addresses_;
    std::size_t count_ = 0;
};

} // namespace penstock::config
