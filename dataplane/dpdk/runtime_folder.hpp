// SPDX-License-Identifier: Apache-2.0
// The folder for what lives as long as the process: control socket, statistics, EAL's own files.
// Held by one penstock-dp at a time.
//
// Thread rule: the main thread.
#pragma once

#include "dataplane/api/refusal.hpp"

#include <expected>
#include <memory>
#include <string>

namespace penstock {

class RuntimeFolder {
public:
    /// Makes the folder if it is missing (mode 0755) and locks it. The lock vanishes with the
    /// process, however it ends. An error if another process holds it.
    [[nodiscard]] static std::expected<std::unique_ptr<RuntimeFolder>, Refusal>
    claim(const std::string& path);

    RuntimeFolder(const RuntimeFolder&) = delete;
    RuntimeFolder& operator=(const RuntimeFolder&) = delete;

    /// Removes the folder if claim() made it and nothing is left in it.
    ~RuntimeFolder();

    [[nodiscard]] const std::string& path() const { return path_; }

private:
    RuntimeFolder(std::string path, int fd, bool is_made)
        : path_(std::move(path)), fd_(fd), is_made_(is_made) {}

    std::string path_;
    int fd_;
    bool is_made_;
};

} // namespace penstock
