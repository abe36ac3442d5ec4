// SPDX-License-Identifier: Apache-2.0
#include "tools/cli/backend_name.hpp"

#include "tools/cli/control_client.hpp"

#include <fmt/format.h>

namespace penstock::cli {

std::expected<std::vector<BackendName>, Failure> split_names(std::span<const std::string> texts) {
    std::vector<BackendName> names;
    for (const std::string& text : texts) {
        const std::size_t slash = text.find('/');
        if (slash == std::string::npos || slash == 0 || slash + 1 == text.size() ||
            text.find('/', slash + 1) != std::string::npos) {
            return std::unexpected(Failure{
                .code = ExitCode::usage,
                .cause = fmt::format("'{}' is not SERVICE/BACKEND", text),
                .remedy = "for example web/web-2. Their names: penstock backend list"
            });
        }
        names.push_back({.service = text.substr(0, slash), .backend = text.substr(slash + 1)});
    }
    return names;
}

std::string backend_path(const BackendName& name, std::string_view verb) {
    return fmt::format(
        "/v1/services/{}/backends/{}/{}",
        escape_segment(name.service),
        escape_segment(name.backend),
        verb
    );
}

} // namespace penstock::cli
