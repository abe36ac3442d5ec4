// SPDX-License-Identifier: Apache-2.0
#include "tests/bpf/loaded_program.hpp"

#include <bpf/bpf.h>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fmt/format.h>
#include <unistd.h>

namespace penstock::bpf::test {

namespace {

[[noreturn]] void give_up(const std::string& what) {
    fmt::print(stderr, "{}: {}\n", what, std::strerror(errno));
    std::abort();
}

} // namespace

LoadedProgram::LoadedProgram(std::span<const std::byte> object)
    : object_(bpf_object__open_mem(object.data(), object.size(), nullptr)) {
    if (!object_ || bpf_object__load(object_.get()) != 0)
        give_up("the kernel refuses the object");
    program_ = bpf_object__next_program(object_.get(), nullptr);
    if (program_ == nullptr || bpf_object__next_program(object_.get(), program_) != nullptr)
        give_up("DPDK takes the first program of an object, which must be the only one");
}

Outcome LoadedProgram::run(const Bytes& frame) const {
    LIBBPF_OPTS(bpf_test_run_opts, options);
    return run(frame, options);
}

Outcome LoadedProgram::run_at_egress(
    const Bytes& frame, std::uint32_t mark, unsigned int interface_index
) const {
    __sk_buff context{};
    context.mark = mark;
    context.ifindex = interface_index;
    LIBBPF_OPTS(bpf_test_run_opts, options);
    options.ctx_in = &context;
    options.ctx_size_in = sizeof(context);
    return run(frame, options);
}

Outcome LoadedProgram::run(const Bytes& frame, bpf_test_run_opts options) const {
    Outcome outcome;
    outcome.frame.resize(frame.size() + 256);
    options.data_in = frame.data();
    options.data_size_in = static_cast<std::uint32_t>(frame.size());
    options.data_out = outcome.frame.data();
    options.data_size_out = static_cast<std::uint32_t>(outcome.frame.size());
    if (bpf_prog_test_run_opts(program(), &options) != 0)
        give_up(fmt::format("BPF_PROG_TEST_RUN of {} bytes", frame.size()));
    outcome.verdict = options.retval;
    outcome.frame.resize(options.data_size_out);
    return outcome;
}

FileDescriptor LoadedProgram::map(const std::string& name) const {
    const int number = bpf_object__find_map_fd_by_name(object_.get(), name.c_str());
    if (number < 0)
        give_up(fmt::format("no map '{}'", name));
    return FileDescriptor(::dup(number));
}

} // namespace penstock::bpf::test
