// SPDX-License-Identifier: Apache-2.0
#include "tools/cli/problem.hpp"

#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>

namespace penstock::cli {
namespace {

struct Kind {
    std::string_view type;
    std::string_view title;
};

Kind kind_of(ExitCode code) {
    switch (code) {
    case ExitCode::usage:
        return {"urn:penstock:cli:usage", "The command line is wrong"};
    case ExitCode::unreachable:
        return {"urn:penstock:cli:unreachable", "The control plane cannot be reached"};
    case ExitCode::timed_out:
        return {"urn:penstock:cli:timed-out", "The control plane did not answer in time"};
    case ExitCode::ok:
    case ExitCode::refused:
        break;
    }
    return {"urn:penstock:cli:failed", "The command failed"};
}

} // namespace

boost::json::value to_problem(const Failure& failure) {
    boost::json::error_code error;
    boost::json::value problem = boost::json::parse(failure.problem, error);
    if (!error)
        return problem;
    const Kind kind = kind_of(failure.code);
    boost::json::object own{{"type", kind.type}, {"title", kind.title}, {"detail", failure.cause}};
    if (!failure.remedy.empty())
        own["remedy"] = failure.remedy;
    return own;
}

} // namespace penstock::cli
