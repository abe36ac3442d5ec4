// SPDX-License-Identifier: Apache-2.0
// Preloaded into an unchanged QUIC server, this gives it its connection ids: QUIC-LB needs no more of a server than that.
//
//   LD_PRELOAD=quic_ids.so QUIC_IDS=FILE gtlsserver …
//
// ngtcp2's server asks gnutls for random bytes, 18 for each connection id and for nothing else. Those come from FILE, one
// id after the other; with its last one the server ends, so that no id is given out twice.
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <dlfcn.h>

namespace {

constexpr std::size_t id_bytes = 18;

using Random = int (*)(int level, void* data, std::size_t bytes);

} // namespace

extern "C" int gnutls_rnd(int level, void* data, std::size_t bytes) {
    static const auto original = reinterpret_cast<Random>(::dlsym(RTLD_NEXT, "gnutls_rnd"));
    static std::FILE* const ids = std::fopen(std::getenv("QUIC_IDS"), "rb");
    if (bytes != id_bytes) {
        return original(level, data, bytes);
    }
    if (ids == nullptr || std::fread(data, id_bytes, 1, ids) != 1) {
        std::abort();
    }
    return 0;
}
