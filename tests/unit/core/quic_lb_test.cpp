// SPDX-License-Identifier: Apache-2.0
#include "dataplane/core/quic_lb.hpp"

#include "tests/unit/core/hex.hpp"

#include <gtest/gtest.h>
#include <random>
#include <string>

namespace penstock {
namespace {

using test::block_of;
using test::bytes_of;
using Bytes = std::vector<std::uint8_t>;

constexpr const char* draft_key = "8f95f09245765f80256934e50c66207f";
constexpr BackendId some_backend{7};

QuicLbSpec config(
    std::uint8_t id, std::size_t server_id_bytes, std::size_t nonce_bytes, const char* key = nullptr
) {
    return {
        .config_id = id,
        .server_id_bytes = static_cast<std::uint8_t>(server_id_bytes),
        .nonce_bytes = static_cast<std::uint8_t>(nonce_bytes),
        .key = key == nullptr ? std::nullopt : std::optional(block_of(key)),
    };
}

Bytes short_header(const Bytes& connection_id) {
    Bytes packet{0x41};
    packet.insert(packet.end(), connection_id.begin(), connection_id.end());
    packet.insert(packet.end(), 30, std::uint8_t{0x5a});
    return packet;
}

Bytes long_header(const Bytes& connection_id, std::uint32_t version = 1) {
    Bytes packet{0xe0};
    for (const unsigned shift : {24U, 16U, 8U, 0U}) {
        packet.push_back(static_cast<std::uint8_t>(version >> shift));
    }
    packet.push_back(static_cast<std::uint8_t>(connection_id.size()));
    packet.insert(packet.end(), connection_id.begin(), connection_id.end());
    packet.insert(packet.end(), {4, 1, 2, 3, 4});
    packet.insert(packet.end(), 30, std::uint8_t{0x5a});
    return packet;
}

struct Vector {
    std::uint8_t config_id; ///< as the id's first three bits have it
    const char* server_id;
    const char* nonce;
    const char* key;
    const char* connection_id;
};

// Draft-21 appendix B. The last row is printed there as configuration 3, but its id begins with
// 0x12, whose three bits are 0.
constexpr std::array<Vector, 6> draft_vectors{{
    {0, "c4605e", "4504cc4f", nullptr, "07c4605e4504cc4f"},
    {1, "350d28b420", "3487d970", nullptr, "20350d28b4203487d970"},
    {0, "ed793a", "ee080dbf", draft_key, "0720b1d07b359d3c"},
    {1, "ed793a51d49b8f5fab65", "ee080dbf48", draft_key, "2fcc381bc74cb4fbad2823a3d1f8fed2"},
    {2, "ed793a51d49b8f5f", "ee080dbf48c0d1e5", draft_key, "504dd2d05a7b0de9b2b9907afb5ecf8cc3"},
    {0,
     "ed793a51d49b8f5fab",
     "ee080dbf48c0d1e55d",
     draft_key,
     "125779c9cc86beb3a3a4a3ca96fce4bfe0cdbc"},
}};

QuicLbRouter router_of(const Vector& vector) {
    const std::array configs{config(
        vector.config_id,
        bytes_of(vector.server_id).size(),
        bytes_of(vector.nonce).size(),
        vector.key
    )};
    const std::array<QuicLbRouter::Server, 1> servers{
        {{.server_id = bytes_of(vector.server_id), .backend = some_backend}}
    };
    return {configs, servers};
}

TEST(QuicLb, ReadsTheVectorsOfTheDraft) {
    for (const Vector& vector : draft_vectors) {
        const QuicLbRouter router = router_of(vector);
        const Bytes id = bytes_of(vector.connection_id);
        EXPECT_EQ(router.route(short_header(id)), some_backend) << vector.connection_id;
        EXPECT_EQ(router.route(long_header(id)), some_backend) << vector.connection_id;
        for (std::size_t i = 1; i < id.size(); ++i) {
            Bytes other = id;
            other[i] ^= 1U;
            const bool is_nonce = vector.key == nullptr && i > bytes_of(vector.server_id).size();
            EXPECT_EQ(router.route(short_header(other)) == some_backend, is_nonce)
                << vector.connection_id << " byte " << i;
        }
    }
}

// Draft 5.4.2.4, the example that is worked step by step.
TEST(QuicLb, ReadsTheWorkedExample) {
    const Vector example{
        0, "31441a", "9c69c275", "fdf726a9893ec05c0632d3956680baf0", "0767947d29be054a"
    };
    EXPECT_EQ(
        router_of(example).route(short_header(bytes_of(example.connection_id))), some_backend
    );
}

// The encryption of the draft as it tells it, on strings of hexadecimal digits: no halves of bytes.
class Encoder {
public:
    Encoder(const QuicLbSpec& spec) : spec_(spec), cipher_(*spec.key) {}

    [[nodiscard]] Bytes encode(const Bytes& server_id, const Bytes& nonce) const {
        std::string digits = hex(server_id) + hex(nonce);
        if (digits.size() == 32) {
            digits = hex(cipher_.encrypt_portable(block_of(digits)));
        } else {
            const std::size_t half = digits.size() / 2;
            std::string left = digits.substr(0, half);
            std::string right = digits.substr(half);
            // With an odd number of bytes a half ends in the middle of one: the left one keeps its
            // high digit, the right one its low digit.
            right = mix(right, left, 1, true);
            left = mix(left, right, 2, false);
            right = mix(right, left, 3, true);
            left = mix(left, right, 4, false);
            digits = left + right;
        }
        Bytes id{static_cast<std::uint8_t>(spec_.config_id << 5U)};
        const Bytes rest = bytes_of(digits);
        id.insert(id.end(), rest.begin(), rest.end());
        return id;
    }

private:
    template <typename Range>
    static std::string hex(const Range& bytes) {
        std::string digits;
        for (const std::uint8_t byte : bytes) {
            digits += "0123456789abcdef"[byte >> 4U];
            digits += "0123456789abcdef"[byte & 15U];
        }
        return digits;
    }

    // `into` XOR the cipher of `from`; `into_is_right` says on which side each lies.
    [[nodiscard]] std::string
    mix(const std::string& into, const std::string& from, unsigned pass, bool into_is_right) const {
        const bool odd = into.size() % 2 != 0;
        std::string expanded = from;
        if (odd) {
            expanded = into_is_right ? from + "0" : "0" + from;
        }
        expanded.resize(28, '0');
        const unsigned length = spec_.server_id_bytes + spec_.nonce_bytes;
        expanded += hex(Bytes{static_cast<std::uint8_t>(length), static_cast<std::uint8_t>(pass)});
        const std::string mask = hex(cipher_.encrypt_portable(block_of(expanded)));
        const std::size_t skipped = odd && into_is_right ? 1 : 0;
        std::string result;
        for (std::size_t i = 0; i < into.size(); ++i) {
            const int digit = std::stoi(into.substr(i, 1), nullptr, 16) ^
                              std::stoi(mask.substr(i + skipped, 1), nullptr, 16);
            result += "0123456789abcdef"[digit];
        }
        return result;
    }

    QuicLbSpec spec_;
    Aes128 cipher_;
};

TEST(QuicLb, ReadsWhatAnIndependentEncoderWritesForEveryLength) {
    std::mt19937_64 random(1);
    const auto any = [&random](std::size_t size) {
        Bytes bytes(size);
        for (std::uint8_t& byte : bytes) {
            byte = static_cast<std::uint8_t>(random());
        }
        return bytes;
    };
    for (std::size_t server_id_bytes = 1; server_id_bytes <= 15; ++server_id_bytes) {
        for (std::size_t nonce_bytes = 4; server_id_bytes + nonce_bytes <= 19; ++nonce_bytes) {
            const QuicLbSpec spec = config(3, server_id_bytes, nonce_bytes, draft_key);
            const Encoder encoder(spec);
            const QuicLbDecoder decoder(spec);
            for (int i = 0; i < 20; ++i) {
                const Bytes server_id = any(server_id_bytes);
                const Bytes id = encoder.encode(server_id, any(nonce_bytes));
                const AesBlock read = decoder.read_server_id(id);
                Bytes expected = server_id;
                expected.resize(read.size(), 0);
                ASSERT_EQ(Bytes(read.begin(), read.end()), expected)
                    << server_id_bytes << " + " << nonce_bytes;
            }
        }
    }
}

TEST(QuicLb, RotatesConfigurations) {
    const std::array configs{config(0, 2, 6), config(4, 2, 6, draft_key), config(6, 3, 4)};
    const std::array<QuicLbRouter::Server, 2> servers{{
        {.server_id = {1, 2}, .backend = {1}},
        {.server_id = {1, 2, 0}, .backend = {2}},
    }};
    const QuicLbRouter router(configs, servers);
    EXPECT_EQ(router.route(short_header({0x00, 1, 2, 3, 4, 5, 6, 7, 8})), BackendId{1});
    EXPECT_EQ(router.route(short_header({0xc0, 1, 2, 0, 4, 5, 6, 7, 8})), BackendId{2});
    const Bytes encrypted = Encoder(configs[1]).encode({1, 2}, {9, 9, 9, 9, 9, 9});
    EXPECT_EQ(router.route(short_header(encrypted)), BackendId{1});
}

TEST(QuicLb, FallsBackForUnroutableIds) {
    const std::array configs{config(1, 2, 6)};
    const std::array<QuicLbRouter::Server, 1> servers{{{.server_id = {1, 2}, .backend = {1}}}};
    const QuicLbRouter router(configs, servers);
    const Bytes good{0x20, 1, 2, 3, 4, 5, 6, 7, 8};
    ASSERT_EQ(router.route(short_header(good)), BackendId{1});
    const auto with_first = [&good](std::uint8_t first) {
        Bytes id = good;
        id[0] = first;
        return id;
    };
    EXPECT_EQ(router.route(short_header(with_first(0x40))), null_backend) << "no configuration";
    EXPECT_EQ(router.route(short_header(with_first(0xe0))), null_backend) << "codepoint 7";
    EXPECT_EQ(router.route(long_header({0x20, 1, 2, 3, 4})), null_backend) << "too short";
    EXPECT_EQ(router.route(short_header({0x20, 1, 3, 3, 4, 5, 6, 7, 8})), null_backend)
        << "unknown server";
    EXPECT_EQ(router.route({}), null_backend);
    EXPECT_EQ(router.route(Bytes{0x41}), null_backend);
    EXPECT_EQ(QuicLbRouter().route(short_header(good)), null_backend);
    const Bytes whole = long_header(good);
    const std::size_t needed = 6 + good.size();
    for (std::size_t length = 0; length < needed; ++length) {
        EXPECT_EQ(
            router.route(Bytes(whole.begin(), whole.begin() + static_cast<long>(length))),
            null_backend
        ) << "cut at "
          << length;
    }
    EXPECT_EQ(
        router.route(Bytes(whole.begin(), whole.begin() + static_cast<long>(needed))), BackendId{1}
    );
}

TEST(QuicLb, KnowsTheLongestIdOfAVersion) {
    Bytes id{0x20, 1, 2, 3, 4, 5, 6, 7, 8};
    id.resize(21);
    EXPECT_FALSE(find_quic_destination(long_header(id, 1)));
    EXPECT_FALSE(find_quic_destination(long_header(id, 0x6b3343cf)));
    EXPECT_TRUE(find_quic_destination(long_header(id, 0xff00001d))) << "RFC 8999 allows 255";
}

TEST(QuicLb, FindsEveryOfManyServers) {
    const std::array configs{config(1, 3, 4)};
    std::vector<QuicLbRouter::Server> servers;
    for (std::uint16_t i = 1; i < 5000; ++i) {
        servers.push_back(
            {.server_id = {static_cast<std::uint8_t>(i >> 8U), static_cast<std::uint8_t>(i), 1},
             .backend = {i}}
        );
    }
    const QuicLbRouter router(configs, servers);
    for (const QuicLbRouter::Server& server : servers) {
        Bytes id{0x20};
        id.insert(id.end(), server.server_id.begin(), server.server_id.end());
        id.insert(id.end(), 4, std::uint8_t{9});
        ASSERT_EQ(router.route(short_header(id)), server.backend);
        id[3] = 2;
        ASSERT_EQ(router.route(short_header(id)), null_backend);
    }
}

} // namespace
} // namespace penstock
