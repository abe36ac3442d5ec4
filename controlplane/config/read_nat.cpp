// SPDX-License-Identifier: Apache-2.0
#include "controlplane/config/first_places.hpp"
#include "controlplane/config/sections.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <span>

namespace penstock::config {

namespace {

constexpr std::array<std::string_view, 1> nat_keys{"source"};

} // namespace

std::vector<AddressPlace> read_nat(Findings& findings, const Value& value) {
    std::vector<AddressPlace> sources;
    if (!expect_kind(findings, value, ValueKind::table, "nat")) {
        return sources;
    }
    const TableReader table(findings, value, "[nat]", nat_keys);
    const Value* list = table.require("source", "source = [\"198.51.100.240\"]");
    if (list == nullptr || !expect_kind(findings, *list, ValueKind::array, "source")) {
        return sources;
    }
    if (list->items.empty()) {
        findings.error(
            list->span,
            "source is an empty list",
            "name addresses that are NAT's alone: source = [\"198.51.100.240\"], or delete [nat]"
        );
    }
    if (list->items.size() > max_nat_sources) {
        findings.error(
            list->items[max_nat_sources].span,
            fmt::format(
                "{} source addresses, at most {} are possible", list->items.size(), max_nat_sources
            ),
            "remove the addresses from here on"
        );
    }
    FirstPlaces<IpAddress> seen;
    for (const Value& item :
         std::span(list->items).first(std::min(list->items.size(), max_nat_sources))) {
        const auto address = read_host_address(findings, item, "source");
        if (!address) {
            continue;
        }
        if (const auto first = seen.add(*address, item.span)) {
            findings.error(
                item.span,
                fmt::format(
                    "source {} is given twice, first at {}",
                    address->to_string(),
                    findings.describe(*first)
                ),
                "delete one of the two"
            );
        }
        sources.push_back({.address = *address, .span = item.span});
    }
    return sources;
}

} // namespace penstock::config
