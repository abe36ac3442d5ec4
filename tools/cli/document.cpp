// SPDX-License-Identifier: Apache-2.0
#include "tools/cli/document.hpp"

#include <fmt/format.h>

namespace penstock::cli {
namespace {

std::optional<std::uint64_t> to_count(const boost::json::value& value) {
    if (value.is_uint64())
        return value.get_uint64();
    if (value.is_int64() && value.get_int64() >= 0)
        return static_cast<std::uint64_t>(value.get_int64());
    return std::nullopt;
}

} // namespace

std::string Object::path_of(std::string_view name) const {
    return path_.empty() ? std::string(name) : fmt::format("{}.{}", path_, name);
}

void Object::fail(std::string_view name, std::string_view wanted) const {
    if (document_->problem_.empty())
        document_->problem_ = fmt::format("'{}' is not {}", path_of(name), wanted);
}

const boost::json::value* Object::find(std::string_view name) const {
    return members_ == nullptr ? nullptr : members_->if_contains(name);
}

std::string Object::text(std::string_view name) const {
    const auto* value = find(name);
    if (value == nullptr || !value->is_string()) {
        fail(name, "a text");
        return {};
    }
    return std::string(value->get_string());
}

std::optional<std::string> Object::maybe_text(std::string_view name) const {
    const auto* value = find(name);
    if (value != nullptr && value->is_null())
        return std::nullopt;
    return text(name);
}

std::uint64_t Object::count(std::string_view name) const {
    const auto* value = find(name);
    const auto number = value == nullptr ? std::nullopt : to_count(*value);
    if (!number)
        fail(name, "a whole number");
    return number.value_or(0);
}

std::optional<std::uint64_t> Object::maybe_count(std::string_view name) const {
    const auto* value = find(name);
    if (value != nullptr && value->is_null())
        return std::nullopt;
    return count(name);
}

double Object::real(std::string_view name) const {
    const auto* value = find(name);
    if (value != nullptr && value->is_double())
        return value->get_double();
    const auto number = value == nullptr ? std::nullopt : to_count(*value);
    if (!number)
        fail(name, "a number");
    return static_cast<double>(number.value_or(0));
}

std::optional<double> Object::maybe_real(std::string_view name) const {
    const auto* value = find(name);
    if (value != nullptr && value->is_null())
        return std::nullopt;
    return real(name);
}

bool Object::flag(std::string_view name) const {
    const auto* value = find(name);
    if (value == nullptr || !value->is_bool()) {
        fail(name, "true or false");
        return false;
    }
    return value->get_bool();
}

Object Object::object(std::string_view name) const {
    const auto* value = find(name);
    const auto* members = value == nullptr ? nullptr : value->if_object();
    if (members == nullptr)
        fail(name, "an object");
    return {members, document_, path_of(name)};
}

std::optional<Object> Object::maybe_object(std::string_view name) const {
    const auto* value = find(name);
    if (value != nullptr && value->is_null())
        return std::nullopt;
    return object(name);
}

std::vector<Object> Object::objects(std::string_view name) const {
    const auto* value = find(name);
    const auto* array = value == nullptr ? nullptr : value->if_array();
    if (array == nullptr) {
        fail(name, "a list");
        return {};
    }
    std::vector<Object> objects;
    for (const auto& element : *array) {
        const std::string path = fmt::format("{}[{}]", name, objects.size());
        if (!element.is_object())
            fail(path, "an object");
        objects.push_back({element.if_object(), document_, path_of(path)});
    }
    return objects;
}

std::vector<std::string> Object::texts(std::string_view name) const {
    const auto* value = find(name);
    const auto* array = value == nullptr ? nullptr : value->if_array();
    if (array == nullptr) {
        fail(name, "a list");
        return {};
    }
    std::vector<std::string> texts;
    for (const auto& element : *array) {
        if (const auto* text = element.if_string())
            texts.emplace_back(*text);
        else
            fail(fmt::format("{}[{}]", name, texts.size()), "a text");
    }
    return texts;
}

Object Document::root() {
    if (!value_->is_object() && problem_.empty())
        problem_ = "it is not an object";
    return {value_->if_object(), this, ""};
}

std::expected<void, Failure> Document::check() const {
    if (problem_.empty())
        return {};
    return std::unexpected(Failure{
        .code = ExitCode::refused,
        .cause = fmt::format("cannot read the control plane's reply: {}", problem_),
        .remedy = "are penstock and penstock-cp of the same version? penstock --version; --json "
                  "shows the reply as it is"
    });
}

} // namespace penstock::cli
