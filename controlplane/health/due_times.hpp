// SPDX-License-Identifier: Apache-2.0
// Which of many things is due when: a heap, so that one timer serves ten thousand probes.
//
// Thread rule: plain object, no clock. A steady clock's times, so that a step of the wall clock
// moves nothing.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <functional>
#include <optional>
#include <utility>
#include <vector>

namespace penstock {

template <typename Item>
class DueTimes {
public:
    using Time = std::chrono::steady_clock::time_point;

    void add(Time due, Item item) {
        heap_.push_back({.due = due, .item = std::move(item)});
        std::ranges::push_heap(heap_, std::greater{}, &Entry::due);
    }

    /// The earliest; nothing if there is none.
    [[nodiscard]] std::optional<Time> next() const {
        return heap_.empty() ? std::nullopt : std::optional(heap_.front().due);
    }

    /// Takes out the earliest if it is due at `now`.
    [[nodiscard]] std::optional<Item> take(Time now) {
        if (heap_.empty() || heap_.front().due > now) {
            return std::nullopt;
        }
        std::ranges::pop_heap(heap_, std::greater{}, &Entry::due);
        Item item = std::move(heap_.back().item);
        heap_.pop_back();
        return item;
    }

    [[nodiscard]] std::size_t size() const { return heap_.size(); }

private:
    struct Entry {
        Time due;
        Item item;
    };

    std::vector<Entry> heap_;
};

} // namespace penstock
