// SPDX-License-Identifier: Apache-2.0
#include "controlplane/config/file_access.hpp"

#include "controlplane/config/read_file.hpp"
#include "controlplane/config/text.hpp"

#include <fmt/format.h>
#include <fnmatch.h>
#include <glob.h>

#include <algorithm>
#include <filesystem>
#include <utility>

namespace penstock::config {

namespace {

std::string beside(const std::string& main_file, const std::string& path) {
    const std::filesystem::path folder = std::filesystem::path(main_file).parent_path();
    return (folder / path).lexically_normal().string(); // an absolute path stays as it is
}

} // namespace

std::expected<std::string, FileRefusal> PackedFiles::read(const std::string& path) {
    const auto found = files_.files.find(path);
    if (found != files_.files.end()) {
        return found->second;
    }
    return std::unexpected(FileRefusal{
        fmt::format("this text came without its file {}", quote(path)),
        "apply the configuration by its path, so that the files beside it are taken along",
    });
}

std::vector<std::string> PackedFiles::list(const std::string& pattern) const {
    std::vector<std::string> names;
    for (const auto& [name, text] : files_.files) {
        if (::fnmatch(pattern.c_str(), name.c_str(), FNM_PATHNAME | FNM_PERIOD) == 0) {
            names.push_back(name);
        }
    }
    return names;
}

std::string PackedFiles::displayed_name(const std::string& path) const {
    return beside(main_name_, path);
}

std::string DiskFiles::displayed_name(const std::string& path) const {
    return beside(main_file_, path);
}

std::expected<std::string, FileRefusal> DiskFiles::read(const std::string& path) {
    auto text = read_file(displayed_name(path), max_pack_bytes);
    std::expected<std::string, FileRefusal> result;
    if (!text) {
        result = std::unexpected(FileRefusal{
            fmt::format("{}: {}", quote(path), text.error().cause),
            "check the path, which begins at the folder of the file that it stands in, and that "
            "this user may read it",
        });
    } else if (bytes_ + text->size() > max_pack_bytes) {
        result = std::unexpected(FileRefusal{
            fmt::format(
                "{}: with it the files of this configuration have more than {} MiB",
                quote(path),
                max_pack_bytes >> 20U
            ),
            "shorten the lists: prefixes that lie side by side can be joined",
        });
    } else {
        bytes_ += text->size();
        result = std::move(*text);
    }
    seen_.files.insert_or_assign(path, result);
    return result;
}

std::vector<std::string> DiskFiles::list(const std::string& pattern) const {
    std::vector<std::string> names;
    const std::filesystem::path folder = std::filesystem::path(main_file_).parent_path();
    glob_t found{};
    if (::glob(displayed_name(pattern).c_str(), GLOB_NOSORT, nullptr, &found) == 0) {
        for (std::size_t i = 0; i < found.gl_pathc; ++i) {
            const std::filesystem::path path(found.gl_pathv[i]);
            names.push_back(
                pattern.starts_with('/') || folder.empty()
                    ? path.string()
                    : path.lexically_relative(folder.lexically_normal()).string()
            );
        }
    }
    ::globfree(&found);
    // A name that no message could show and no pack could hold.
    std::erase_if(names, [](const std::string& name) { return make_printable(name) != name; });
    std::ranges::sort(names);
    return names;
}

} // namespace penstock::config
