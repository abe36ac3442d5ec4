// SPDX-License-Identifier: Apache-2.0
#include "dataplane/core/aes_round.hpp"

namespace penstock {
namespace {

constexpr std::uint8_t times_two(std::uint8_t x) {
    return static_cast<std::uint8_t>((x << 1U) ^ ((x >> 7U) * 0x1bU));
}

constexpr std::uint8_t multiply(std::uint8_t a, std::uint8_t b) {
    std::uint8_t product = 0;
    for (; b != 0; b = static_cast<std::uint8_t>(b >> 1U), a = times_two(a)) {
        product = static_cast<std::uint8_t>(product ^ ((b & 1U) != 0 ? a : 0U));
    }
    return product;
}

// FIPS 197 5.1.1: the inverse in GF(2^8), then an affine map.
constexpr std::array<std::uint8_t, 256> make_sbox() {
    std::array<std::uint8_t, 256> sbox{};
    for (unsigned value = 0; value < 256; ++value) {
        std::uint8_t inverse = 0;
        for (unsigned candidate = 1; candidate < 256 && value != 0; ++candidate) {
            if (multiply(static_cast<std::uint8_t>(value), static_cast<std::uint8_t>(candidate)) ==
                1) {
                inverse = static_cast<std::uint8_t>(candidate);
                break;
            }
        }
        unsigned bits = inverse;
        for (unsigned shift = 1; shift <= 4; ++shift) {
            bits ^= ((unsigned{inverse} << shift) | (unsigned{inverse} >> (8 - shift))) & 0xffU;
        }
        sbox[value] = static_cast<std::uint8_t>(bits ^ 0x63U);
    }
    return sbox;
}

constexpr std::array<std::uint8_t, 256> sbox = make_sbox();

constexpr std::array<std::uint8_t, 256> make_inverse_sbox() {
    std::array<std::uint8_t, 256> inverse{};
    for (unsigned value = 0; value < 256; ++value) {
        inverse[sbox[value]] = static_cast<std::uint8_t>(value);
    }
    return inverse;
}

constexpr std::array<std::uint8_t, 256> inverse_sbox = make_inverse_sbox();

AesBlock exclusive_or(const AesBlock& a, const AesBlock& b) {
    AesBlock result{};
    for (std::size_t i = 0; i < result.size(); ++i) {
        result[i] = static_cast<std::uint8_t>(a[i] ^ b[i]);
    }
    return result;
}

// InvMixColumns (FIPS 197 5.3.3).
AesBlock unmix_columns(const AesBlock& state) {
    AesBlock result{};
    for (std::size_t column = 0; column < 4; ++column) {
        for (std::size_t row = 0; row < 4; ++row) {
            const auto at = [&](std::size_t offset) {
                return state[(column * 4) + ((row + offset) % 4)];
            };
            result[(column * 4) + row] = static_cast<std::uint8_t>(
                multiply(at(0), 14) ^ multiply(at(1), 11) ^ multiply(at(2), 13) ^ multiply(at(3), 9)
            );
        }
    }
    return result;
}

// InvShiftRows, InvSubBytes.
AesBlock unshift_and_unsubstitute(const AesBlock& state) {
    AesBlock result{};
    for (std::size_t column = 0; column < 4; ++column) {
        for (std::size_t row = 0; row < 4; ++row) {
            result[(((column + row) % 4) * 4) + row] = inverse_sbox[state[(column * 4) + row]];
        }
    }
    return result;
}

} // namespace

AesBlock aes_round(const AesBlock& state, const AesBlock& key) {
    AesBlock result{};
    for (std::size_t column = 0; column < 4; ++column) {
        std::array<std::uint8_t, 4> in{};
        for (std::size_t row = 0; row < 4; ++row) {
            in[row] = sbox[state[(((column + row) % 4) * 4) + row]]; // ShiftRows, SubBytes
        }
        for (std::size_t row = 0; row < 4; ++row) { // MixColumns, AddRoundKey
            const std::uint8_t a = in[row];
            const std::uint8_t b = in[(row + 1) % 4];
            const unsigned mixed =
                times_two(a) ^ times_two(b) ^ b ^ in[(row + 2) % 4] ^ in[(row + 3) % 4];
            result[(column * 4) + row] = static_cast<std::uint8_t>(mixed ^ key[(column * 4) + row]);
        }
    }
    return result;
}

AesBlock aes_last_round(const AesBlock& state, const AesBlock& key) {
    AesBlock result{};
    for (std::size_t column = 0; column < 4; ++column) {
        for (std::size_t row = 0; row < 4; ++row) {
            result[(column * 4) + row] = sbox[state[(((column + row) % 4) * 4) + row]];
        }
    }
    return exclusive_or(result, key);
}

AesBlock aes_undo_last_round(const AesBlock& state, const AesBlock& key) {
    return unshift_and_unsubstitute(exclusive_or(state, key));
}

AesBlock aes_undo_round(const AesBlock& state, const AesBlock& key) {
    return unshift_and_unsubstitute(unmix_columns(exclusive_or(state, key)));
}

std::uint8_t aes_substitute(std::uint8_t value) {
    return sbox[value];
}

} // namespace penstock
