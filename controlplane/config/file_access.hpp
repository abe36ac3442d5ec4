// SPDX-License-Identifier: Apache-2.0
// How a configuration reaches the other files that it names. The parser itself touches no disk.
//
// Thread rule: one thread.
#pragma once

#include <expected>
#include <string>

namespace penstock::config {

/// Why a file cannot be had, for the place that names it.
struct FileRefusal {
    std::string cause;
    std::string remedy;
};

class FileAccess {
public:
    FileAccess() = default;
    FileAccess(const FileAccess&) = delete;
    FileAccess& operator=(const FileAccess&) = delete;
    virtual ~FileAccess() = default;

    /// The contents of a file; a relative path begins at the main file's folder.
    [[nodiscard]] virtual std::expected<std::string, FileRefusal> read(const std::string& path) = 0;

    /// How messages call that file.
    [[nodiscard]] virtual std::string displayed_name(const std::string& path) const { return path; }
};

/// A text that came alone: it can name no other file.
class NoFiles final : public FileAccess {
public:
    [[nodiscard]] std::expected<std::string, FileRefusal> read(const std::string& path) override;
};

/// Files on disk, next to `main_file`.
class DiskFiles final : public FileAccess {
public:
    explicit DiskFiles(std::string main_file) : main_file_(std::move(main_file)) {}

    [[nodiscard]] std::expected<std::string, FileRefusal> read(const std::string& path) override;
    [[nodiscard]] std::string displayed_name(const std::string& path) const override;

private:
    std::string main_file_;
};

} // namespace penstock::config
