// SPDX-License-Identifier: Apache-2.0
// A configuration with the text it came from, and what is worth saying about it.
//
// Thread rule: immutable once made.
#pragma once

#include "controlplane/config/parse.hpp"
#include "controlplane/state/change.hpp"

#include <boost/json/object.hpp>
#include <expected>
#include <memory>
#include <string>
#include <vector>

namespace penstock {

struct Declaration {
    std::string text;
    config::Configuration configuration;
    ReloadSource source = ReloadSource::start;
    std::vector<std::string> notes; ///< the parser's warnings
    std::string name;               ///< of the file, as it was given
    Actor actor;
};

using DeclarationPtr = std::shared_ptr<const Declaration>;

/// "1 service, 12 backends".
[[nodiscard]] std::string describe_size(const config::Configuration& configuration);

/// What is saved beside the text: {"name":…,"source":…,"actor":…}.
[[nodiscard]] boost::json::object make_meta(const Declaration& declaration);

/// Reads and parses the configuration file of a first start; or the rendered reason why not.
[[nodiscard]] std::expected<Declaration, std::string> read_declaration(const std::string& path);

/// As `penstock check` prints them, one element each.
[[nodiscard]] std::vector<std::string> render_warnings(const config::Diagnostics& warnings);

} // namespace penstock
