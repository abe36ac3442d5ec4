// SPDX-License-Identifier: Apache-2.0
#include "dataplane/api/framing.hpp"

#include <gtest/gtest.h>

#include <string>

namespace penstock {
namespace {

std::vector<std::uint8_t> make_stream(const std::vector<std::string>& messages) {
    std::vector<std::uint8_t> stream;
    for (const std::string& message : messages) {
        append_frame_header(stream, message.size());
        stream.insert(stream.end(), message.begin(), message.end());
    }
    return stream;
}

/// Appends what the decoder can give now to `out`.
void drain(FrameDecoder& decoder, std::vector<std::string>& out) {
    for (;;) {
        const auto message = decoder.next();
        ASSERT_TRUE(message) << to_string(message.error());
        if (!*message) {
            return;
        }
        out.emplace_back((*message)->begin(), (*message)->end());
    }
}

TEST(FrameDecoder, GivesTheSameMessagesHoweverTheStreamIsSplit) {
    const std::vector<std::string> messages{"first", "", std::string(300, 'x'), "z"};
    const auto stream = make_stream(messages);
    const std::span<const std::uint8_t> bytes{stream};
    for (std::size_t first = 0; first <= bytes.size(); ++first) {
        for (std::size_t second = first; second <= bytes.size(); second += 7) {
            FrameDecoder decoder;
            std::vector<std::string> got;
            decoder.append(bytes.first(first));
            drain(decoder, got);
            decoder.append(bytes.subspan(first, second - first));
            drain(decoder, got);
            decoder.append(bytes.subspan(second));
            drain(decoder, got);
            ASSERT_EQ(got, messages) << first << ", " << second;
            EXPECT_FALSE(decoder.has_partial());
        }
    }
}

TEST(FrameDecoder, TakesSingleBytes) {
    const std::vector<std::string> messages{"one", "two"};
    FrameDecoder decoder;
    std::vector<std::string> got;
    for (const std::uint8_t byte : make_stream(messages)) {
        decoder.append({&byte, 1});
        drain(decoder, got);
    }
    EXPECT_EQ(got, messages);
}

TEST(FrameDecoder, RefusesALengthAboveItsLimitAtOnceAndForEver) {
    FrameDecoder decoder(100);
    std::vector<std::uint8_t> stream;
    append_frame_header(stream, 101);
    decoder.append(stream);
    EXPECT_FALSE(decoder.next());
    const std::size_t kept = decoder.buffered_bytes();
    decoder.append(std::vector<std::uint8_t>(1000));
    EXPECT_EQ(decoder.buffered_bytes(), kept) << "a lost connection must not cost memory";
    EXPECT_FALSE(decoder.next());
}

TEST(FrameDecoder, TakesALengthAtItsLimit) {
    FrameDecoder decoder(100);
    decoder.append(make_stream({std::string(100, 'x')}));
    const auto message = decoder.next();
    ASSERT_TRUE(message && *message);
    EXPECT_EQ((*message)->size(), 100U);
}

TEST(FrameDecoder, RefusesTheLargestLength) {
    FrameDecoder decoder;
    decoder.append(std::vector<std::uint8_t>(4, 0xff));
    EXPECT_FALSE(decoder.next());
}

TEST(FrameDecoder, KnowsThatBytesAreOwed) {
    FrameDecoder decoder;
    EXPECT_FALSE(decoder.has_partial());
    decoder.append(std::vector<std::uint8_t>{5, 0});
    ASSERT_TRUE(decoder.next());
    EXPECT_TRUE(decoder.has_partial());
}

} // namespace
} // namespace penstock
