// SPDX-License-Identifier: Apache-2.0
// Reading a document of the API member by member, without believing it: a member that is missing or
// of another type is remembered, and its reader goes on with nothing. A command reads all it needs,
// asks check(), and prints only then.
//
// Thread rule: one owner. Objects point into the document and at their Document: both outlive them.
#pragma once

#include "tools/cli/failure.hpp"

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace penstock::cli {

class Document;

/// One object of a document. A member that may be null is read by its maybe_ function.
class Object {
public:
    [[nodiscard]] std::string text(std::string_view name) const;
    [[nodiscard]] std::optional<std::string> maybe_text(std::string_view name) const;
    [[nodiscard]] std::uint64_t count(std::string_view name) const;
    [[nodiscard]] std::optional<std::uint64_t> maybe_count(std::string_view name) const;
    [[nodiscard]] double real(std::string_view name) const;
    [[nodiscard]] std::optional<double> maybe_real(std::string_view name) const;
    [[nodiscard]] bool flag(std::string_view name) const;
    [[nodiscard]] Object object(std::string_view name) const;
    [[nodiscard]] std::optional<Object> maybe_object(std::string_view name) const;
    [[nodiscard]] std::vector<Object> objects(std::string_view name) const;
    [[nodiscard]] std::vector<std::string> texts(std::string_view name) const;

private:
    friend class Document;

    Object(const boost::json::object* members, Document* document, std::string path)
        : members_(members), document_(document), path_(std::move(path)) {}

    [[nodiscard]] const boost::json::value* find(std::string_view name) const;
    [[nodiscard]] std::string path_of(std::string_view name) const;
    void fail(std::string_view name, std::string_view wanted) const;

    const boost::json::object*
        members_; ///< null: was no object, reads as empty without further complaint
    Document* document_;
    std::string path_; ///< "dataplane", empty for the root
};

class Document {
public:
    /// REQUIRES: `value` outlives this.
    explicit Document(const boost::json::value& value) : value_(&value) {}

    Document(const Document&) = delete;
    Document& operator=(const Document&) = delete;

    [[nodiscard]] Object root();

    /// Whether everything that was read so far was there.
    [[nodiscard]] std::expected<void, Failure> check() const;

private:
    friend class Object;

    const boost::json::value* value_;
    std::string problem_; ///< the first one
};

} // namespace penstock::cli
