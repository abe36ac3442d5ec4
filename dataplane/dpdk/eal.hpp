// SPDX-License-Identifier: Apache-2.0
// DPDK's environment: started once, ended once.
//
// Thread rule: the main thread, which becomes the main lcore.
#pragma once

#include "dataplane/api/refusal.hpp"

#include <expected>
#include <memory>
#include <string>
#include <vector>

namespace penstock {

class Eal {
public:
    /// Starts EAL; `arguments` begin with the program's name (eal_arguments.hpp). What EAL wants to
    /// write goes below `runtime_folder`, which must exist. An error quotes what DPDK said.
    [[nodiscard]] static std::expected<std::unique_ptr<Eal>, Refusal>
    start(std::vector<std::string> arguments, const std::string& runtime_folder);

    Eal(const Eal&) = delete;
    Eal& operator=(const Eal&) = delete;

    /// Ends EAL and removes what it wrote. REQUIRES: ports are closed, workers have returned.
    ~Eal();

private:
    explicit Eal(std::string folder) : folder_(std::move(folder)) {}

    std::string folder_;
};

} // namespace penstock
