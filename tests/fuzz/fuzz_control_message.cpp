// SPDX-License-Identifier: Apache-2.0
// Bytes as a client or a server could send them: decoder, then codec. What decodes must encode and
// decode to itself again.
#include "dataplane/api/codec.hpp"
#include "dataplane/api/framing.hpp"

#include <cstdint>
#include <cstdlib>

namespace {

template <typename Message, typename Decode>
void check(std::span<const std::uint8_t> bytes, Decode decode) {
    const auto message = decode(bytes);
    if (!message) {
        return;
    }
    const auto frame = penstock::encode_frame(Message{*message});
    if (!frame) {
        return; // the canonical form may exceed the limit where the sender's did not
    }
    const auto again = decode(std::span{*frame}.subspan(penstock::frame_header_bytes));
    if (!again || !(*again == *message)) {
        std::abort();
    }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::span bytes{data, size};
    // Mutations of a message alone reach the codec more often than those of a stream.
    check<penstock::ClientMessage>(bytes, penstock::decode_client_message);
    check<penstock::ServerMessage>(bytes, penstock::decode_server_message);
    penstock::FrameDecoder decoder(65536);
    const std::size_t split = size / 2;
    for (const auto piece : {bytes.first(split), bytes.subspan(split)}) {
        decoder.append(piece);
        for (auto next = decoder.next(); next && *next; next = decoder.next()) {
            check<penstock::ClientMessage>(**next, penstock::decode_client_message);
            check<penstock::ServerMessage>(**next, penstock::decode_server_message);
        }
    }
    return 0;
}
