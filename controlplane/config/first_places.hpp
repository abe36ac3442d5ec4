// SPDX-License-Identifier: Apache-2.0
// What may be said only once, with the place where it was said first.
//
// Thread rule: one thread.
#pragma once

#include "controlplane/config/source.hpp"

#include <map>
#include <optional>

namespace penstock::config {

template <typename Key>
class FirstPlaces {
public:
    /// The first place of `key`, if it was seen before.
    std::optional<Span> add(const Key& key, const Span& span) {
        const auto [known, is_new] = places_.emplace(key, span);
        return is_new ? std::nullopt : std::optional(known->second);
    }

private:
    std::map<Key, Span> places_;
};

} // namespace penstock::config
