// SPDX-License-Identifier: Apache-2.0
// A file descriptor with one owner, which closes it.
//
// Thread rule: a value; not shared.
#pragma once

#include <unistd.h>
#include <utility>

namespace penstock::bpf {

class FileDescriptor {
public:
    FileDescriptor() = default;

    /// Takes `number` over; a negative one is no descriptor.
    explicit FileDescriptor(int number) : number_(number) {}

    FileDescriptor(FileDescriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}

    FileDescriptor& operator=(FileDescriptor&& other) noexcept {
        std::swap(number_, other.number_);
        return *this;
    }

    FileDescriptor(const FileDescriptor&) = delete;
    FileDescriptor& operator=(const FileDescriptor&) = delete;

    ~FileDescriptor() {
        if (number_ >= 0)
            ::close(number_);
    }

    [[nodiscard]] int number() const { return number_; }

    [[nodiscard]] bool is_open() const { return number_ >= 0; }

private:
    int number_ = -1;
};

} // namespace penstock::bpf
