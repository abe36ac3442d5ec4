// SPDX-License-Identifier: Apache-2.0
#include "controlplane/config/read_file.hpp"

#include "controlplane/config/parse.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <system_error>
#include <utility>

namespace penstock::config {

namespace {

class FileDescriptor {
public:
    explicit FileDescriptor(int number) : number_(number) {}

    ~FileDescriptor() {
        if (number_ >= 0) {
            ::close(number_);
        }
    }

    FileDescriptor(const FileDescriptor&) = delete;
    FileDescriptor& operator=(const FileDescriptor&) = delete;

    [[nodiscard]] int get() const { return number_; }

private:
    int number_;
};

// The file as a whole: the first character stands for it, so that every message has a line and a
// column.
Diagnostic diagnose_file(const std::string& path, std::string cause, std::string remedy) {
    return {
        .place = {.file = path, .line = 1, .column = 1},
        .cause = std::move(cause),
        .remedy = std::move(remedy),
        .line = {},
    };
}

Diagnostic explain_errno(const std::string& path, int error) {
    const char* remedy = "mend what the system says, then try again";
    if (error == ENOENT || error == ENOTDIR) {
        remedy = "check the path; docs/examples/penstock.toml is a file to begin with";
    } else if (error == EACCES || error == EPERM) {
        remedy = "let this user read it (ls -l shows who may), or run as one who can";
    }
    return diagnose_file(
        path,
        fmt::format("cannot read the file: {}", std::generic_category().message(error)),
        remedy
    );
}

std::optional<Diagnostic>
refuse_kind(const std::string& path, const struct stat& status, std::size_t max_bytes) {
    if (S_ISDIR(status.st_mode)) {
        return diagnose_file(
            path, "this is a directory", fmt::format("name the file in it: {}/penstock.toml", path)
        );
    }
    if (!S_ISREG(status.st_mode)) {
        return diagnose_file(
            path, "this is no regular file", "write the configuration to a file and name that"
        );
    }
    if (status.st_size > static_cast<off_t>(max_bytes)) {
        return explain_size(path, static_cast<std::size_t>(status.st_size), max_bytes);
    }
    return std::nullopt;
}

} // namespace

Diagnostic explain_size(const std::string& path, std::size_t bytes, std::size_t max_bytes) {
    return diagnose_file(
        path,
        fmt::format(
            "the file has {} bytes; at most {} ({} MiB) are read",
            bytes,
            max_bytes,
            max_bytes >> 20U
        ),
        max_bytes == max_file_bytes
            ? "check that this is the configuration: 16,383 backends fit into 2 MiB"
            : "check that this is the list: a million IPv6 prefixes fit"
    );
}

std::expected<std::string, Diagnostic> read_file(const std::string& path, std::size_t max_bytes) {
    // O_NONBLOCK: opening a FIFO must not wait for a writer.
    const FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
    struct stat status{};
    if (file.get() < 0 || ::fstat(file.get(), &status) != 0) {
        return std::unexpected(explain_errno(path, errno));
    }
    if (auto refused = refuse_kind(path, status, max_bytes)) {
        return std::unexpected(*std::move(refused));
    }
    // One byte more than allowed shows a file that grew meanwhile.
    std::string text(static_cast<std::size_t>(status.st_size) + 1, '\0');
    std::size_t length = 0;
    while (true) {
        if (length == text.size()) {
            text.resize(text.size() * 2);
        }
        const ssize_t got = ::read(file.get(), text.data() + length, text.size() - length);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return std::unexpected(explain_errno(path, errno));
        }
        if (got == 0) {
            break;
        }
        length += static_cast<std::size_t>(got);
        if (length > max_bytes) {
            return std::unexpected(explain_size(path, length, max_bytes));
        }
    }
    text.resize(length);
    return text;
}

std::string pack_named_files(std::string text, const std::string& path) {
    DiskFiles files(path);
    // Only for what it reads: what is wrong is said by who parses the packed text.
    (void)parse_configuration(text, path, files);
    FilePack seen = files.take();
    seen.main = std::move(text);
    return pack(seen);
}

bool equals_on_disk(std::string_view packed, std::string_view text, const std::string& path) {
    if (!is_packed(packed)) {
        return packed == text;
    }
    const auto kept = unpack(packed);
    if (!kept || kept->main != text) {
        return false;
    }
    DiskFiles files(path);
    return std::ranges::all_of(kept->files, [&files](const auto& file) {
        return file.second && files.read(file.first) == file.second;
    });
}

std::expected<Configuration, Diagnostics>
read_configuration(const std::string& path, Diagnostics* warnings) {
    auto text = read_file(path);
    if (!text) {
        return std::unexpected(Diagnostics{std::move(text.error())});
    }
    DiskFiles files(path);
    return parse_configuration(*text, path, files, warnings);
}

} // namespace penstock::config
