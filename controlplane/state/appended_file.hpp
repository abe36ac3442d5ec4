// SPDX-License-Identifier: Apache-2.0
// A file of lines that only grows, and is bounded all the same: beyond its size it becomes <path>.1, in
// place of the one before, and a new one is begun.
//
// Thread rule: one owner. A write goes to the page cache; it is not waited for the disk.
#pragma once

#include "dataplane/api/refusal.hpp"

#include <cstddef>
#include <expected>
#include <string>
#include <string_view>

namespace penstock {

class AppendedFile {
public:
    /// Makes the file (mode 0640) if it is missing. `what` is for messages: "the audit log".
    [[nodiscard]] static std::expected<AppendedFile, Refusal>
    open(std::string path, std::size_t max_bytes, std::string_view what);

    AppendedFile(AppendedFile&& other) noexcept;
    AppendedFile& operator=(AppendedFile&&) = delete;
    ~AppendedFile();

    /// `line` without its newline. What cannot be written is said in the log of the program.
    void append(std::string line);

    [[nodiscard]] const std::string& path() const { return path_; }

private:
    AppendedFile(std::string path, int fd, std::size_t bytes, std::size_t max_bytes)
        : path_(std::move(path)), fd_(fd), bytes_(bytes), max_bytes_(max_bytes) {}

    void turn_over();

    std::string path_;
    int fd_;
    std::size_t bytes_;
    std::size_t max_bytes_;
};

} // namespace penstock
