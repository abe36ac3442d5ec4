// SPDX-License-Identifier: Apache-2.0
#include "tools/replay/output_file.hpp"

#include <filesystem>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace penstock::replay {
namespace {

bool is_written_directly(const std::string& path) {
    std::error_code error;
    const std::filesystem::file_status status = std::filesystem::status(path, error);
    return std::filesystem::exists(status) && !std::filesystem::is_regular_file(status);
}

} // namespace

OutputFile::OutputFile(std::string path)
    : path_(std::move(path)),
      working_path_(
          is_written_directly(path_) ? path_ : path_ + ".partial-" + std::to_string(getpid())
      ) {}

OutputFile::~OutputFile() {
    if (working_path_ != path_) {
        std::error_code ignored;
        std::filesystem::remove(working_path_, ignored);
    }
}

std::expected<void, Refusal> OutputFile::commit() {
    if (working_path_ == path_) {
        return {};
    }
    std::error_code error;
    std::filesystem::rename(working_path_, path_, error);
    if (error) {
        return std::unexpected(
            Refusal{path_, "cannot be put in place: " + error.message(), "choose another file"}
        );
    }
    working_path_ = path_;
    return {};
}

} // namespace penstock::replay
