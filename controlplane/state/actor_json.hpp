// SPDX-License-Identifier: Apache-2.0
// Actor ↔ JSON: {"user":"root","uid":0,"pid":4711,"from":"control.sock","role":"admin"}, for history, the
// state directory, events and the audit log.
//
// Thread rule: pure functions.
#pragma once

#include "controlplane/actor.hpp"

#include <boost/json/object.hpp>

namespace penstock {

[[nodiscard]] boost::json::object make_actor_object(const Actor& actor);

/// What is missing or of another type stays unknown: it is about the past, nothing depends on it.
[[nodiscard]] Actor read_actor(const boost::json::object& object);

} // namespace penstock
