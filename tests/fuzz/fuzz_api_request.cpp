// SPDX-License-Identifier: Apache-2.0
// What a client of the API, or a damaged disk, can hand to penstock-cp before anything is trusted: targets,
// JSON bodies, sealed files and what is in them. What is read must be written and read as the same again.
#include "controlplane/api/http.hpp"
#include "controlplane/api/json_body.hpp"
#include "controlplane/state/adopted_text.hpp"
#include "controlplane/state/confirmation.hpp"
#include "controlplane/state/overrides.hpp"
#include "controlplane/state/sealed_text.hpp"

#include "controlplane/config/parse.hpp"

#include <cstdint>
#include <cstdlib>
#include <string_view>

namespace {

void require(bool condition) {
    if (!condition) {
        std::abort();
    }
}

void check_target(std::string_view text) {
    if (const auto target = penstock::parse_target(text)) {
        for (const auto& segment : target->segments) {
            require(segment.find('\0') == std::string::npos);
        }
    }
}

void check_body(std::string_view text) {
    const auto body = penstock::parse_json_body(text, {"weight", "admin"});
    if (!body) {
        require(!body.error().empty());
        return;
    }
    if (const auto weight = penstock::read_whole_number(*body, "weight", 0, 65535)) {
        require(*weight >= 0 && *weight <= 65535);
    }
}

void check_state(std::string_view text) {
    if (const auto sealed = penstock::unseal(text); sealed && sealed->is_sealed) {
        const auto again = penstock::unseal(penstock::seal(sealed->text, sealed->meta));
        require(again && again->text == sealed->text);
    }
    if (const auto overrides = penstock::parse_overrides(text)) {
        const auto again = penstock::parse_overrides(penstock::format_overrides(*overrides));
        require(again && *again == *overrides);
    }
    if (const auto trial = penstock::parse_confirmation(text)) {
        const auto again = penstock::parse_confirmation(penstock::format_confirmation(*trial));
        require(again && again->deadline == trial->deadline && again->back_to == trial->back_to);
    }
}

/// Whatever the text, overrides of every backend are adopted rightly or refused.
void check_adoption(std::string_view text) {
    const auto configuration = penstock::config::parse_configuration(text, "fuzz");
    if (!configuration) {
        return;
    }
    penstock::Overrides overrides;
    for (const auto& service : configuration->services) {
        for (const auto& backend : service.spec.backends) {
            overrides[{.service = service.spec.key, .backend = backend.key}] = {
                .admin = penstock::AdminState::drain,
                .weight = std::uint16_t{7},
                .actor = {},
                .since = {}
            };
        }
    }
    const auto adopted = penstock::adopt_overrides(std::string(text), *configuration, overrides);
    require(adopted || !adopted.error().empty());
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    check_target(text);
    check_body(text);
    check_state(text);
    check_adoption(text);
    return 0;
}
