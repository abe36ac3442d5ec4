// SPDX-License-Identifier: Apache-2.0
// report.json of penstock replay: a JSON array, one object a line for every packet of the capture,
// in its order (docs/reference/replay.md).
//
// Thread rule: one owner. Written as it comes: memory does not grow with the capture.
#pragma once

#include "dataplane/api/refusal.hpp"
#include "tools/replay/capture.hpp"
#include "tools/replay/output_file.hpp"
#include "tools/replay/replayer.hpp"

#include <cstdio>
#include <expected>
#include <memory>
#include <string>

namespace penstock::replay {

/// A verdict with the names that it means.
struct NamedVerdict {
    Verdict verdict;
    Destination destination;
};

class Report {
public:
    [[nodiscard]] static std::expected<Report, Refusal> create(const std::string& path);

    /// `other` is the verdict of the configuration that is compared, or null; `changed` says
    /// whether the two differ.
    void
    add(std::uint64_t index,
        std::uint64_t time_ns,
        const NamedVerdict& verdict,
        const NamedVerdict* other,
        bool changed);

    /// Whether all of it reached the file, which is in its place only then.
    [[nodiscard]] std::expected<void, Refusal> finish();

private:
    struct Close {
        void operator()(std::FILE* file) const { std::fclose(file); }
    };

    Report(std::unique_ptr<OutputFile> file, std::unique_ptr<std::FILE, Close> stream)
        : file_(std::move(file)), stream_(std::move(stream)) {}

    std::unique_ptr<OutputFile> file_; // destroyed after the stream is closed
    std::unique_ptr<std::FILE, Close> stream_;
    bool is_empty_ = true;
};

} // namespace penstock::replay
