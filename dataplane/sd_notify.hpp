// SPDX-License-Identifier: Apache-2.0
// Tells systemd how we are (sd_notify(3)): one datagram to the socket that NOTIFY_SOCKET names.
//
// Thread rule: any thread; not on a worker.
#pragma once

#include <string_view>

namespace penstock {

/// Sends `state` ("READY=1"). False only if NOTIFY_SOCKET is set and the datagram could not be
/// sent; errno says why. Without systemd this does nothing.
[[nodiscard]] bool notify_systemd(std::string_view state);

} // namespace penstock
