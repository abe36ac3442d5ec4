// SPDX-License-Identifier: Apache-2.0
#include "dataplane/dpdk/host_cpus.hpp"

#include <cerrno>
#include <charconv>
#include <cstring>
#include <fmt/format.h>
#include <fstream>
#include <iterator>
#include <sched.h>

namespace penstock {

namespace {

std::optional<std::uint16_t> take_number(std::string_view& text) {
    std::uint16_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{}) {
        return std::nullopt;
    }
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    return value;
}

std::expected<std::set<std::uint16_t>, Refusal> read_cpu_file(const std::string& path) {
    std::ifstream file(path);
    std::string line;
    if (!file) {
        return std::unexpected(
            Refusal{path, fmt::format("cannot be read: {}", std::strerror(errno)), "mount /sys"}
        );
    }
    std::getline(file, line); // an empty list is an empty line
    auto cpus = parse_cpu_list(line);
    if (!cpus) {
        return std::unexpected(
            Refusal{path, fmt::format("is not a list of CPUs: \"{}\"", line), "report this kernel"}
        );
    }
    return *cpus;
}

} // namespace

std::optional<std::set<std::uint16_t>> parse_cpu_list(std::string_view text) {
    while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) {
        text.remove_suffix(1);
    }
    std::set<std::uint16_t> cpus;
    while (!text.empty()) {
        const auto first = take_number(text);
        auto last = first;
        if (first && text.starts_with('-')) {
            text.remove_prefix(1);
            last = take_number(text);
        }
        if (!first || !last || *last < *first) {
            return std::nullopt;
        }
        for (std::uint32_t cpu = *first; cpu <= *last; ++cpu) {
            cpus.insert(static_cast<std::uint16_t>(cpu));
        }
        if (text.starts_with(',') && text.size() > 1) {
            text.remove_prefix(1);
        } else if (!text.empty()) {
            return std::nullopt;
        }
    }
    return cpus;
}

std::string format_cpu_list(const std::set<std::uint16_t>& cpus) {
    std::string text;
    for (auto first = cpus.begin(); first != cpus.end();) {
        auto last = first;
        while (std::next(last) != cpus.end() && *std::next(last) == *last + 1) {
            ++last;
        }
        text += text.empty() ? "" : ",";
        text += *first == *last ? fmt::format("{}", *first) : fmt::format("{}-{}", *first, *last);
        first = std::next(last);
    }
    return text;
}

std::expected<HostCpus, Refusal> read_host_cpus() {
    HostCpus host;
    auto online = read_cpu_file("/sys/devices/system/cpu/online");
    if (!online) {
        return std::unexpected(online.error());
    }
    host.online = std::move(*online);
    // Kernels without isolation have no such file: nothing is isolated there.
    if (auto isolated = read_cpu_file("/sys/devices/system/cpu/isolated")) {
        host.isolated = std::move(*isolated);
    }
    cpu_set_t affinity;
    if (::sched_getaffinity(0, sizeof(affinity), &affinity) != 0) {
        return std::unexpected(Refusal{
            "this process's affinity",
            fmt::format("cannot be read: {}", std::strerror(errno)),
            "penstock-dp handles up to 1024 CPUs"
        });
    }
    for (std::uint16_t cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
        if (CPU_ISSET(cpu, &affinity)) {
            host.allowed.insert(cpu);
        }
    }
    return host;
}

} // namespace penstock
