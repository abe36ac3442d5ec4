// SPDX-License-Identifier: Apache-2.0
// Which server a QUIC packet names: connection ids as QUIC-LB has them
// (draft-ietf-quic-load-balancers-21).
//
//   connection id   [ config 3 bits | 5 bits ][ server id | nonce ]          no key
//                                             [ the same, encrypted ]        key
//
// A server that knows its configuration writes its id into every connection id that it gives out,
// so that a client which changes its address still names it. What cannot be read is unroutable
// (draft, 4.1): the configuration bits name none, 7 among them; the id is too short; its server is
// unknown. Then the packet goes by its tuple, as those with an id that the client chose do.
//
// Thread rule: immutable after construction; any thread may read. No allocation in a look-up.
#pragma once

#include "dataplane/core/aes128.hpp"
#include "dataplane/core/desired_state.hpp"
#include "dataplane/core/identity.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace penstock {

/// The destination connection id of a QUIC packet (RFC 8999 5).
struct QuicDestination {
    /// The id. Of a short header, whose id has no length: all that follows the first byte.
    std::span<const std::uint8_t> connection_id;
    bool long_header = false;
    /// Initial or 0-RTT of version 1 or 2: the client may have made up the id (RFC 9000 7.2), and
    /// what that seems to name means nothing.
    bool clients_choice = false;
};

/// Finds it in a UDP payload. Nothing if the bytes are no QUIC header: cut, or an id above 20 bytes
/// in a version 1 or 2 header (RFC 9000 17.2). Any version's id is read: its place is invariant.
[[nodiscard]] std::optional<QuicDestination>
find_quic_destination(std::span<const std::uint8_t> payload);

/// One configuration: how ids are read.
class QuicLbDecoder {
public:
    QuicLbDecoder() = default;

    /// REQUIRES: lengths within those of QuicLbSpec.
    explicit QuicLbDecoder(const QuicLbSpec& spec);

    /// Bytes of a connection id that are read: the first one, server id and nonce.
    [[nodiscard]] std::size_t id_bytes() const { return 1U + server_id_bytes_ + nonce_bytes_; }

    [[nodiscard]] std::size_t server_id_bytes() const { return server_id_bytes_; }

    /// The server id, in its first server_id_bytes(), the rest 0. REQUIRES: id_bytes() bytes.
    [[nodiscard]] AesBlock read_server_id(std::span<const std::uint8_t> connection_id) const;

private:
    [[nodiscard]] AesBlock read_four_pass(std::span<const std::uint8_t> block) const;

    std::uint8_t server_id_bytes_ = 0;
    std::uint8_t nonce_bytes_ = 0;
    bool encrypted_ = false;
    Aes128 cipher_;
};

/// All configurations of a service and its servers' ids.
class QuicLbRouter {
public:
    QuicLbRouter() = default;

    struct Server {
        std::vector<std::uint8_t> server_id;
        BackendId backend;
    };

    /// REQUIRES: config ids are 0 … 6 and differ; server ids of equal length differ. A server
    /// counts for every configuration whose server id is as long as its own.
    QuicLbRouter(std::span<const QuicLbSpec> configs, std::span<const Server> servers);

    /// The backend that a UDP payload names, or null_backend if it has no routable id. Packets whose
    /// id the client may have chosen name none: their tuple leads them, and an Initial that repeats
    /// a server's id comes from the same tuple as the first one did.
    [[nodiscard]] BackendId route(std::span<const std::uint8_t> payload) const;

private:
    struct Named {
        AesBlock server_id{};
        std::uint8_t bytes = 0;
        BackendId backend;
    };

    [[nodiscard]] BackendId find(const AesBlock& server_id, std::size_t bytes) const;
    [[nodiscard]] static std::size_t place(const AesBlock& server_id, std::size_t mask);

    static constexpr std::size_t codepoints = 8; ///< 7 is never routable

    std::array<std::optional<QuicLbDecoder>, codepoints> decoders_;
    std::vector<Named> servers_; ///< open addressing, a power of two; backend null: empty
};

} // namespace penstock
