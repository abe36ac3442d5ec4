// SPDX-License-Identifier: Apache-2.0
// Arbitrary UDP payloads through the QUIC-LB router.
//
// What must hold: nothing outside the payload is read (exact-size memory under ASan); what is routed
// goes to a server that there is, by a configuration that there is; of an id only the bytes that its
// configuration names count.
#include "dataplane/core/quic_lb.hpp"

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <span>
#include <vector>

namespace penstock {
namespace {

void require(bool holds, const char* what) {
    if (!holds) {
        std::fprintf(stderr, "broken: %s\n", what);
        std::abort();
    }
}

constexpr std::array<std::uint8_t, 16> key{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};

const std::vector<QuicLbSpec>& configs() {
    static const std::vector<QuicLbSpec> all{
        {.config_id = 0, .server_id_bytes = 1, .nonce_bytes = 4, .key = {}},
        {.config_id = 1, .server_id_bytes = 1, .nonce_bytes = 15, .key = key},
        {.config_id = 2, .server_id_bytes = 1, .nonce_bytes = 6, .key = key},
        {.config_id = 3, .server_id_bytes = 10, .nonce_bytes = 5, .key = key},
        {.config_id = 4, .server_id_bytes = 15, .nonce_bytes = 4, .key = key},
    };
    return all;
}

// Half of all one-byte ids are somebody's, so that encrypted ids are routed too.
const QuicLbRouter& router() {
    static const QuicLbRouter made = [] {
        std::vector<QuicLbRouter::Server> servers;
        for (std::uint16_t i = 0; i < 128; ++i) {
            servers.push_back(
                {.server_id = {static_cast<std::uint8_t>(2 * i)},
                 .backend = {static_cast<std::uint16_t>(1 + i)}}
            );
        }
        return QuicLbRouter(configs(), servers);
    }();
    return made;
}

} // namespace
} // namespace penstock

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace penstock;
    const std::unique_ptr<std::uint8_t[]> exact(new std::uint8_t[size]);
    std::copy_n(data, size, exact.get());
    const std::span<std::uint8_t> payload(exact.get(), size);
    const BackendId backend = router().route(payload);
    require(backend.value <= 128, "a server that there is");
    const auto destination = find_quic_destination(payload);
    if (!destination) {
        require(backend == null_backend, "what is no QUIC header names nobody");
        return 0;
    }
    const auto id = destination->connection_id;
    require(id.data() + id.size() <= payload.data() + payload.size(), "the id is in the payload");
    if (backend == null_backend) {
        return 0;
    }
    const unsigned config = id[0] >> 5U;
    require(config < configs().size(), "a configuration that there is");
    const QuicLbDecoder decoder(configs()[config]);
    require(id.size() >= decoder.id_bytes(), "the whole of its id is there");
    require(decoder.read_server_id(id)[0] % 2 == 0, "an id that there is");
    // What follows the id changes nothing.
    for (std::size_t i = decoder.id_bytes(); i < id.size(); ++i) {
        const auto offset = static_cast<std::size_t>(id.data() - payload.data()) + i;
        payload[offset] = static_cast<std::uint8_t>(~payload[offset]);
    }
    require(router().route(payload) == backend, "only the id counts");
    return 0;
}
