// SPDX-License-Identifier: Apache-2.0
#include "controlplane/config/vip_blocks.hpp"

namespace penstock::config {

void VipBlocks::add(const IpPrefix& block, const Span& span) {
    blocks_[{block.address.family(), block.host_bits}].emplace(block.address, span);
}

std::optional<VipBlocks::Found> VipBlocks::find(const IpAddress& address) const {
    for (const auto& [kind, blocks] : blocks_) {
        const auto& [family, host_bits] = kind;
        if (family != address.family()) {
            continue;
        }
        const auto found = blocks.find(clear_host_bits(address, host_bits));
        if (found != blocks.end()) {
            return Found{
                .block = {.address = found->first, .host_bits = host_bits}, .span = found->second
            };
        }
    }
    return std::nullopt;
}

} // namespace penstock::config
