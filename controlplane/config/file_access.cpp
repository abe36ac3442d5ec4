// SPDX-License-Identifier: Apache-2.0
#include "controlplane/config/file_access.hpp"

#include "controlplane/config/parse.hpp"
#include "controlplane/config/read_file.hpp"
#include "controlplane/config/text.hpp"

#include <fmt/format.h>

#include <filesystem>
#include <utility>

namespace penstock::config {

std::expected<std::string, FileRefusal> NoFiles::read(const std::string& path) {
    return std::unexpected(FileRefusal{
        fmt::format("this text came without its file {}", quote(path)),
        "name the configuration by its path, so that the files beside it can be read",
    });
}

std::string DiskFiles::displayed_name(const std::string& path) const {
    const std::filesystem::path folder = std::filesystem::path(main_file_).parent_path();
    return (folder / path).lexically_normal().string(); // an absolute path stays as it is
}

std::expected<std::string, FileRefusal> DiskFiles::read(const std::string& path) {
    auto text = read_file(displayed_name(path), max_list_bytes);
    if (!text) {
        return std::unexpected(FileRefusal{
            fmt::format("{}: {}", quote(path), text.error().cause),
            "check the path, which begins at the configuration's folder, and that this user may "
            "read it",
        });
    }
    return std::move(*text);
}

} // namespace penstock::config
