// SPDX-License-Identifier: Apache-2.0
#include "controlplane/api/audit_log.hpp"

#include "controlplane/state/actor_json.hpp"
#include "controlplane/wall_time.hpp"

#include <boost/json/serialize.hpp>
#include <utility>

namespace penstock {

std::expected<AuditLog, Refusal> AuditLog::open(std::string path) {
    auto file = AppendedFile::open(std::move(path), max_audit_bytes, "the audit log");
    if (!file) {
        return std::unexpected(file.error());
    }
    return AuditLog(std::move(*file));
}

void AuditLog::record(const AuditEntry& entry) {
    file_.append(boost::json::serialize(boost::json::object{
        {"time", format_rfc3339(std::chrono::system_clock::now())},
        {"actor", make_actor_object(entry.actor)},
        {"method", entry.method},
        {"target", entry.target},
        {"status", entry.status},
        {"detail", entry.detail},
    }));
}

} // namespace penstock
