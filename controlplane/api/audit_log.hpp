// SPDX-License-Identifier: Apache-2.0
// Who asked for which change, from where, and how it ended: one JSON object a line, appended, so that
// it outlives the ring of events. At max_audit_bytes the file becomes <path>.1, in place of the one
// before (appended_file.hpp).
//
// Thread rule: the loop's thread. A write goes to the page cache; it is not waited for the disk.
#pragma once

#include "controlplane/actor.hpp"
#include "controlplane/state/appended_file.hpp"
#include "dataplane/api/refusal.hpp"

#include <cstddef>
#include <expected>
#include <string>
#include <utility>

namespace penstock {

inline constexpr std::size_t max_audit_bytes = 16U << 20U;

struct AuditEntry {
    Actor actor;
    std::string method;
    std::string target;
    unsigned status = 0;
    std::string detail;
};

class AuditLog {
public:
    /// Makes the file (mode 0640) if it is missing.
    [[nodiscard]] static std::expected<AuditLog, Refusal> open(std::string path);

    /// What cannot be written is said in the log of the program, and the change goes on: it is done.
    void record(const AuditEntry& entry);

private:
    explicit AuditLog(AppendedFile file) : file_(std::move(file)) {}

    AppendedFile file_;
};

} // namespace penstock
