// SPDX-License-Identifier: Apache-2.0
// Any text is a configuration, or it is refused with places inside the text.
#include "controlplane/config/parse.hpp"
#include "controlplane/config/source.hpp"
#include "controlplane/config/text.hpp"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

namespace {

using namespace penstock::config;

void require(bool condition) {
    if (!condition) {
        std::abort();
    }
}

void check_refusal(std::string_view text, const Diagnostics& diagnostics) {
    const Source source(text, "fuzz.toml");
    require(!diagnostics.empty() && diagnostics.size() <= max_diagnostics);
    const Place* previous = nullptr;
    for (const Diagnostic& diagnostic : diagnostics) {
        const Place& place = diagnostic.place;
        require(place.line >= 1 && place.column >= 1 && place.length >= 1);
        require(place.column <= count_characters(source.line(place.line)) + 1);
        require(place.line == 1 || source.line(place.line).data() != nullptr);
        require(!diagnostic.cause.empty() && !diagnostic.remedy.empty());
        require(
            previous == nullptr || previous->line < place.line ||
            (previous->line == place.line && previous->column <= place.column)
        );
        previous = &place;
        const std::string said = render(diagnostic);
        require(make_printable(diagnostic.cause) == diagnostic.cause);
        require(said.find("  help: ") != std::string::npos);
    }
}

// A text that was accepted must compile into the same state every time, and pass the same limits.
void check_acceptance(std::string_view text, const Configuration& configuration) {
    require(!configuration.node.name.empty());
    require(!configuration.dataplane.workers.empty() && !configuration.dataplane.ports.empty());
    const auto again = parse_configuration(text, "other.toml");
    require(again && *again == configuration);
    const penstock::DesiredState desired = to_desired_state(configuration, {}, 1);
    require(desired.services.size() == configuration.services.size());
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const auto result = parse_configuration(text, "fuzz.toml");
    if (result) {
        check_acceptance(text, *result);
    } else {
        check_refusal(text, result.error());
    }
    return 0;
}
