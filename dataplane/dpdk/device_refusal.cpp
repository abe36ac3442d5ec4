// SPDX-License-Identifier: Apache-2.0
#include "dataplane/dpdk/device_refusal.hpp"

#include "dataplane/dpdk/dpdk_log.hpp"

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fmt/format.h>
#include <rte_errno.h>

namespace penstock {

Refusal dpdk_refusal(
    const std::string& place, const std::string& what, int error, const std::string& remedy
) {
    const std::string said = last_dpdk_complaint();
    return {
        place,
        fmt::format("{}: {}", what, said.empty() ? ::rte_strerror(std::abs(error)) : said),
        remedy
    };
}

Refusal explain_missing_nic(const std::string& place, const std::string& given) {
    const std::string address = given.size() == 7 ? "0000:" + given : given;
    const std::filesystem::path folder = "/sys/bus/pci/devices/" + address;
    std::error_code error;
    if (!std::filesystem::exists(folder, error)) {
        return {
            place,
            fmt::format("there is no PCI device {}", address),
            "dpdk-devbind.py --status-dev net lists those there are"
        };
    }
    const auto driver = std::filesystem::read_symlink(folder / "driver", error);
    const std::string name = error ? "no driver" : "driver " + driver.filename().string();
    if (name == "driver vfio-pci" || name == "driver uio_pci_generic" || name == "driver igb_uio") {
        return dpdk_refusal(
            place,
            fmt::format("DPDK cannot use PCI device {}", address),
            ENODEV,
            "check that no other process uses it (fuser /dev/vfio/*) and that DPDK has a driver "
            "for it"
        );
    }
    return {
        place,
        fmt::format("PCI device {} is bound to {}, not to DPDK", address, name),
        fmt::format("dpdk-devbind.py --bind=vfio-pci {}", address)
    };
}

} // namespace penstock
