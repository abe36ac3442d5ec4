// SPDX-License-Identifier: Apache-2.0
#include "controlplane/config/findings.hpp"

#include "controlplane/config/parse.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>
#include <utility>

namespace penstock::config {

void Findings::error(const Span& span, std::string cause, std::string remedy) {
    ++error_count_;
    add({span, std::move(cause), std::move(remedy), Severity::error});
}

void Findings::warn(const Span& span, std::string cause, std::string remedy) {
    add({span, std::move(cause), std::move(remedy), Severity::warning});
}

void Findings::add(Finding finding) {
    finding.order = count_++;
    if (!is_full()) {
        findings_.push_back(std::move(finding));
    }
}

Diagnostics Findings::take() {
    std::ranges::sort(findings_, {}, [](const Finding& finding) {
        return std::tuple(finding.span.file, finding.span.line, finding.span.column, finding.order);
    });
    Diagnostics diagnostics;
    for (Finding& finding : findings_) {
        if (diagnostics.size() == max_diagnostics) {
            break;
        }
        diagnostics.push_back(sources_.at(finding.span.file)
                                  .diagnose(
                                      finding.span,
                                      std::move(finding.cause),
                                      std::move(finding.remedy),
                                      finding.severity
                                  ));
    }
    if (count_ > diagnostics.size()) {
        diagnostics.back().remedy += fmt::format(
            "\n  note: {} more are not listed; mend these first", count_ - diagnostics.size()
        );
    }
    return diagnostics;
}

} // namespace penstock::config
