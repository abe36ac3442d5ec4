// SPDX-License-Identifier: Apache-2.0
#include "controlplane/api/network_session.hpp"

#include "controlplane/api/session.hpp"

#include <utility>

namespace penstock {

void start_network_session(
    TlsStream stream,
    std::unique_ptr<Door> door,
    std::shared_ptr<const HttpHandler> handler,
    std::shared_ptr<void> place
) {
    std::make_shared<Session<TlsStream>>(
        std::move(stream), std::move(door), std::move(handler), std::move(place)
    )
        ->start();
}

} // namespace penstock
