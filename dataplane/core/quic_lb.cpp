// SPDX-License-Identifier: Apache-2.0
#include "dataplane/core/quic_lb.hpp"

#include "dataplane/core/headers.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

namespace penstock {
namespace {

constexpr std::uint8_t long_header_bit = 0x80;
constexpr std::size_t version_bytes = 4;
constexpr std::size_t max_known_version_id_bytes = 20;
constexpr unsigned config_shift = 5;

constexpr std::uint32_t quic_version_1 = 1;
constexpr std::uint32_t quic_version_2 = 0x6b3343cf;

// Initial and 0-RTT: types 0 and 1 in version 1 (RFC 9000 17.2), 1 and 2 in version 2 (RFC 9369
// 3.2).
bool is_clients_choice(std::uint8_t first_byte, std::uint32_t version) {
    const unsigned type = (first_byte >> 4U) & 3U;
    return version == quic_version_1 ? type <= 1 : type == 1 || type == 2;
}

// One half of the four-pass algorithm and the sizes that all passes share.
struct FourPass {
    const Aes128& cipher;
    std::size_t length; ///< of server id and nonce: 5 … 19
    std::size_t half;   ///< length / 2, rounded up

    // XORs AES(expand(length, pass, from)) into the half `into`.
    void mix(AesBlock& into, const AesBlock& from, std::uint8_t pass) const {
        AesBlock expanded = from; // beyond `half` it is zero
        expanded[14] = static_cast<std::uint8_t>(length);
        expanded[15] = pass;
        const AesBlock mask = cipher.encrypt(expanded);
        for (std::size_t i = 0; i < half; ++i) {
            into[i] = static_cast<std::uint8_t>(into[i] ^ mask[i]);
        }
    }

    [[nodiscard]] bool odd() const { return length % 2 != 0; }

    void clear_last_bits(AesBlock& left) const {
        if (odd()) {
            left[half - 1] &= 0xf0U;
        }
    }

    void clear_first_bits(AesBlock& right) const {
        if (odd()) {
            right[0] &= 0x0fU;
        }
    }
};

} // namespace

std::optional<QuicDestination> find_quic_destination(std::span<const std::uint8_t> payload) {
    if (payload.empty()) {
        return std::nullopt;
    }
    if ((payload[0] & long_header_bit) == 0) {
        return QuicDestination{.connection_id = payload.subspan(1), .long_header = false};
    }
    constexpr std::size_t id_offset = 1 + version_bytes + 1;
    if (payload.size() < id_offset) {
        return std::nullopt;
    }
    const std::size_t length = payload[id_offset - 1];
    if (length > payload.size() - id_offset) {
        return std::nullopt;
    }
    const auto version = read_header<Be32>(payload.data() + 1).host();
    const bool known_version = version == quic_version_1 || version == quic_version_2;
    if (length > max_known_version_id_bytes && known_version) {
        return std::nullopt;
    }
    return QuicDestination{
        .connection_id = payload.subspan(id_offset, length),
        .long_header = true,
        .clients_choice = known_version && is_clients_choice(payload[0], version),
    };
}

QuicLbDecoder::QuicLbDecoder(const QuicLbSpec& spec)
    : server_id_bytes_(spec.server_id_bytes),
      nonce_bytes_(spec.nonce_bytes),
      encrypted_(spec.key.has_value()),
      cipher_(spec.key.value_or(AesBlock{})) {}

AesBlock QuicLbDecoder::read_server_id(std::span<const std::uint8_t> connection_id) const {
    const auto block = connection_id.subspan(1, server_id_bytes_ + nonce_bytes_);
    AesBlock text{};
    if (!encrypted_) {
        std::copy_n(block.begin(), server_id_bytes_, text.begin());
        return text;
    }
    if (block.size() != text.size()) {
        return read_four_pass(block);
    }
    std::ranges::copy(block, text.begin());
    text = cipher_.decrypt(text);
    std::fill(text.begin() + server_id_bytes_, text.end(), std::uint8_t{0});
    return text;
}

// Draft 5.5.2. Halves of an odd length share their middle byte, four bits each.
AesBlock QuicLbDecoder::read_four_pass(std::span<const std::uint8_t> block) const {
    const FourPass passes{
        .cipher = cipher_, .length = block.size(), .half = (block.size() + 1) / 2
    };
    AesBlock left{};
    AesBlock right{};
    std::copy_n(block.begin(), passes.half, left.begin());
    std::copy(block.end() - static_cast<std::ptrdiff_t>(passes.half), block.end(), right.begin());
    passes.clear_last_bits(left);
    passes.clear_first_bits(right);

    passes.mix(left, right, 4);
    passes.clear_last_bits(left);
    passes.mix(right, left, 3);
    passes.clear_first_bits(right);
    passes.mix(left, right, 2);
    passes.clear_last_bits(left);

    AesBlock text = left;
    if (server_id_bytes_ > nonce_bytes_) {
        // The id reaches into the right half.
        passes.mix(right, left, 1);
        passes.clear_first_bits(right);
        const std::size_t start = block.size() - passes.half;
        text[start] = static_cast<std::uint8_t>(text[start] | right[0]);
        for (std::size_t i = 1; i < passes.half && start + i < text.size(); ++i) {
            text[start + i] = right[i];
        }
        if (!passes.odd()) {
            text[start] = right[0];
        }
    }
    std::fill(text.begin() + server_id_bytes_, text.end(), std::uint8_t{0});
    return text;
}

std::size_t QuicLbRouter::place(const AesBlock& server_id, std::size_t mask) {
    // The configuration chose the ids, so nobody steers this.
    std::uint64_t low = 0;
    std::uint64_t high = 0;
    std::memcpy(&low, server_id.data(), sizeof low);
    std::memcpy(&high, server_id.data() + sizeof low, sizeof high);
    const std::uint64_t mixed = (low ^ std::rotl(high, 32)) * 0x9e3779b97f4a7c15U;
    return (mixed >> 32U) & mask;
}

QuicLbRouter::QuicLbRouter(std::span<const QuicLbSpec> configs, std::span<const Server> servers)
    : servers_(std::bit_ceil(std::max<std::size_t>(servers.size() * 2, 2))) {
    for (const QuicLbSpec& config : configs) {
        decoders_[config.config_id] = QuicLbDecoder(config);
    }
    for (const Server& server : servers) {
        Named named{
            .bytes = static_cast<std::uint8_t>(server.server_id.size()), .backend = server.backend
        };
        std::ranges::copy(server.server_id, named.server_id.begin());
        std::size_t i = place(named.server_id, servers_.size() - 1);
        while (servers_[i].backend != null_backend) {
            i = (i + 1) & (servers_.size() - 1);
        }
        servers_[i] = named;
    }
}

BackendId QuicLbRouter::find(const AesBlock& server_id, std::size_t bytes) const {
    const std::size_t mask = servers_.size() - 1;
    for (std::size_t i = place(server_id, mask); servers_[i].backend != null_backend;
         i = (i + 1) & mask) {
        if (servers_[i].server_id == server_id && servers_[i].bytes == bytes) {
            return servers_[i].backend;
        }
    }
    return null_backend;
}

BackendId QuicLbRouter::route(std::span<const std::uint8_t> payload) const {
    const auto destination = find_quic_destination(payload);
    if (!destination || destination->clients_choice || destination->connection_id.empty()) {
        return null_backend;
    }
    const auto& decoder = decoders_[destination->connection_id[0] >> config_shift];
    if (!decoder || destination->connection_id.size() < decoder->id_bytes()) {
        return null_backend;
    }
    return find(decoder->read_server_id(destination->connection_id), decoder->server_id_bytes());
}

} // namespace penstock
