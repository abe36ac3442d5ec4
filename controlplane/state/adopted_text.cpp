// SPDX-License-Identifier: Apache-2.0
#include "controlplane/state/adopted_text.hpp"

#include "controlplane/config/document.hpp"
#include "controlplane/config/parse.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <optional>
#include <string_view>
#include <vector>

namespace penstock {

namespace {

/// Bytes [begin, end) become `text`.
struct Edit {
    std::size_t begin = 0;
    std::size_t end = 0;
    std::string text;
};

/// Finds bytes by lines and columns, as toml++ counts them: code points from 1.
class Locator {
public:
    explicit Locator(std::string_view text) : text_(text) {
        begins_.push_back(0);
        for (std::size_t i = 0; i < text.size(); ++i) {
            if (text[i] == '\n') {
                begins_.push_back(i + 1);
            }
        }
    }

    std::optional<std::size_t> offset(std::uint32_t line, std::uint32_t column) const {
        if (line == 0 || line > begins_.size()) {
            return std::nullopt;
        }
        std::size_t at = begins_[line - 1];
        for (std::uint32_t i = 1; i < column; ++i) {
            do {
                ++at;
            } while (at < text_.size() && (static_cast<unsigned char>(text_[at]) & 0xc0U) == 0x80U);
        }
        return at <= text_.size() ? std::optional(at) : std::nullopt;
    }

private:
    std::string_view text_;
    std::vector<std::size_t> begins_;
};

/// `key = value` within the table of a backend: in place of the old value, or after its last member.
std::optional<Edit> set_member(
    const config::Value& table,
    const Locator& locator,
    std::string_view text,
    std::string_view key,
    const std::string& value
) {
    if (table.members.empty()) {
        return std::nullopt;
    }
    const auto found = std::ranges::find(table.members, key, &config::Member::key);
    const config::Span& span =
        found == table.members.end() ? table.members.back().value.span : found->value.span;
    const auto begin = locator.offset(span.line, span.column);
    const auto end = locator.offset(span.line, span.column + span.length);
    const auto head = locator.offset(table.span.line, table.span.column);
    if (!begin || !end || !head || *head >= text.size()) {
        return std::nullopt;
    }
    if (found != table.members.end()) {
        return Edit{.begin = *begin, .end = *end, .text = value};
    }
    const bool is_inline = text[*head] == '{';
    return Edit{
        .begin = *end,
        .end = *end,
        .text = fmt::format("{}{} = {}", is_inline ? ", " : "\n", key, value)
    };
}

const config::Value* find_list(const config::Value& table, std::string_view key, std::size_t size) {
    const config::Value* list = table.find(key);
    const bool fits =
        list != nullptr && list->kind == config::ValueKind::array && list->items.size() == size;
    return fits ? list : nullptr;
}

class Adopter {
public:
    Adopter(const std::string& text, const config::Configuration& configuration)
        : text_(text), configuration_(configuration), locator_(text) {}

    /// False if a backend is not where it is looked for.
    bool collect(const config::Value& root, const Overrides& overrides) {
        const config::Value* services = find_list(root, "service", configuration_.services.size());
        if (services == nullptr) {
            return false;
        }
        for (std::size_t i = 0; i < services->items.size(); ++i) {
            ServiceSpec& spec = configuration_.services[i].spec;
            const config::Value* backends =
                find_list(services->items[i], "backend", spec.backends.size());
            for (std::size_t j = 0; j < spec.backends.size(); ++j) {
                const auto said =
                    overrides.find({.service = spec.key, .backend = spec.backends[j].key});
                if (said != overrides.end() &&
                    (backends == nullptr ||
                     !adopt(backends->items[j], said->second, spec.backends[j]))) {
                    return false;
                }
            }
        }
        return true;
    }

    std::string apply() {
        std::ranges::sort(edits_, std::ranges::greater{}, &Edit::begin);
        std::string result = text_;
        for (const Edit& edit : edits_) {
            result.replace(edit.begin, edit.end - edit.begin, edit.text);
        }
        return result;
    }

    /// What the result must say.
    const config::Configuration& wanted() const { return configuration_; }

private:
    bool adopt(const config::Value& table, const Override& said, BackendSpec& backend) {
        backend.admin = said.admin.value_or(backend.admin);
        backend.weight = said.weight.value_or(backend.weight);
        // Both after the same member would be one place twice: one edit has both.
        std::vector<Edit> edits;
        if (said.weight) {
            auto edit = set_member(table, locator_, text_, "weight", std::to_string(*said.weight));
            if (!edit) {
                return false;
            }
            edits.push_back(std::move(*edit));
        }
        if (said.admin) {
            auto edit = set_member(
                table, locator_, text_, "state", fmt::format("\"{}\"", to_string(*said.admin))
            );
            if (!edit) {
                return false;
            }
            if (!edits.empty() && edits.back().begin == edit->begin) {
                edits.back().text += edit->text;
            } else {
                edits.push_back(std::move(*edit));
            }
        }
        std::ranges::move(edits, std::back_inserter(edits_));
        return true;
    }

    std::string text_;
    config::Configuration configuration_;
    Locator locator_;
    std::vector<Edit> edits_;
};

} // namespace

std::expected<std::string, std::string> adopt_overrides(
    const std::string& text, const config::Configuration& configuration, const Overrides& overrides
) {
    const config::Source source(text, "configuration");
    const auto root = config::parse_document(source);
    if (!root) {
        return std::unexpected(root.error().cause);
    }
    Adopter adopter(text, configuration);
    if (!adopter.collect(*root, overrides)) {
        return std::unexpected("a backend is not written where it could be changed");
    }
    std::string adopted = adopter.apply();
    const auto again = config::parse_configuration(adopted, "configuration");
    if (!again || !(*again == adopter.wanted())) {
        return std::unexpected("the text is written in a way that cannot be changed by machine");
    }
    return adopted;
}

} // namespace penstock
