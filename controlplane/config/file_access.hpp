// SPDX-License-Identifier: Apache-2.0
// How a configuration reaches the other files that it names. The parser itself touches no disk.
//
// Thread rule: one thread.
#pragma once

#include "controlplane/config/file_pack.hpp"

#include <expected>
#include <string>
#include <utility>
#include <vector>

namespace penstock::config {

/// Paths are from the main file's folder and normal ("lists/deny.txt"), or absolute.
class FileAccess {
public:
    FileAccess() = default;
    FileAccess(const FileAccess&) = delete;
    FileAccess& operator=(const FileAccess&) = delete;
    virtual ~FileAccess() = default;

    [[nodiscard]] virtual std::expected<std::string, FileRefusal> read(const std::string& path) = 0;

    /// The files that a pattern of the shell (`*`, `?`, `[…]`) matches, in order of their names.
    [[nodiscard]] virtual std::vector<std::string> list(const std::string& pattern) const = 0;

    /// How messages call that file.
    [[nodiscard]] virtual std::string displayed_name(const std::string& path) const = 0;
};

/// The other files of a packed text; of a text that came alone there are none.
class PackedFiles final : public FileAccess {
public:
    PackedFiles(FilePack files, std::string main_name)
        : files_(std::move(files)), main_name_(std::move(main_name)) {}

    [[nodiscard]] std::expected<std::string, FileRefusal> read(const std::string& path) override;
    [[nodiscard]] std::vector<std::string> list(const std::string& pattern) const override;
    [[nodiscard]] std::string displayed_name(const std::string& path) const override;

private:
    FilePack files_;
    std::string main_name_;
};

/// Files on disk, next to the main file. Remembers what it read.
class DiskFiles final : public FileAccess {
public:
    explicit DiskFiles(std::string main_file) : main_file_(std::move(main_file)) {}

    [[nodiscard]] std::expected<std::string, FileRefusal> read(const std::string& path) override;
    [[nodiscard]] std::vector<std::string> list(const std::string& pattern) const override;
    [[nodiscard]] std::string displayed_name(const std::string& path) const override;

    /// All that was read, or could not be; `main` is not among it.
    [[nodiscard]] FilePack take() { return std::move(seen_); }

private:
    std::string main_file_;
    FilePack seen_;
    std::size_t bytes_ = 0;
};

} // namespace penstock::config
