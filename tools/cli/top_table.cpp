// SPDX-License-Identifier: Apache-2.0
#include "tools/cli/top_table.hpp"

#include "tools/cli/document.hpp"
#include "tools/cli/units.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace penstock::cli {
namespace {

constexpr std::array<std::string_view, 4> view_words{"services", "backends", "workers", "drops"};

/// One row, cell by cell.
class RowMaker {
public:
    RowMaker& word(std::string text) {
        row_.cells.push_back(std::move(text));
        row_.numbers.push_back(0);
        return *this;
    }

    RowMaker& number(double value, std::string text) {
        row_.cells.push_back(std::move(text));
        row_.numbers.push_back(value);
        return *this;
    }

    RowMaker& count(std::uint64_t value) {
        return number(static_cast<double>(value), format_count(value));
    }

    /// "-" if it cannot be told.
    RowMaker& rate(std::optional<double> value) {
        return number(value.value_or(-1), value ? format_rate(*value) : std::string("-"));
    }

    RowMaker& bits(std::optional<double> bytes) {
        return number(bytes.value_or(-1), bytes ? format_bit_rate(*bytes) : std::string("-"));
    }

    TopRow take() { return std::move(row_); }

private:
    TopRow row_;
};

const TrafficSample* find_before(const std::vector<TrafficSample>& list, const TrafficSample& now) {
    const auto found = std::ranges::find_if(list, [&now](const TrafficSample& item) {
        return item.service == now.service && item.backend == now.backend;
    });
    return found == list.end() ? nullptr : &*found;
}

/// The rate of one counter of two readings of the same thing; nothing without the earlier one.
template <typename Item>
std::optional<double>
rate(const Item* before, const Item& now, std::uint64_t Item::* member, std::int64_t elapsed_ms) {
    return before == nullptr ? std::nullopt : rate_of(before->*member, now.*member, elapsed_ms);
}

TopTable make_services(const TopReading& before, const TopReading& now, std::int64_t elapsed_ms) {
    TopTable table{
        .columns =
            {{"SERVICE"},
             {"FLOWS", true},
             {"NEW FLOWS", true},
             {"PACKETS", true},
             {"BITS", true},
             {"DROPPED", true}},
        .rows = {}
    };
    for (const TrafficSample& service : now.sample.services) {
        const TrafficSample* old = find_before(before.sample.services, service);
        table.rows.push_back(
            RowMaker()
                .word(service.service)
                .count(service.flows)
                .rate(rate(old, service, &TrafficSample::new_flows, elapsed_ms))
                .rate(rate(old, service, &TrafficSample::packets, elapsed_ms))
                .bits(rate(old, service, &TrafficSample::bytes, elapsed_ms))
                .rate(rate(old, service, &TrafficSample::dropped_packets, elapsed_ms))
                .take()
        );
    }
    return table;
}

TopTable make_backends(const TopReading& before, const TopReading& now, std::int64_t elapsed_ms) {
    TopTable table{
        .columns =
            {{"SERVICE"},
             {"BACKEND"},
             {"ADMIN"},
             {"HEALTH"},
             {"WEIGHT", true},
             {"FLOWS", true},
             {"NEW FLOWS", true},
             {"PACKETS", true},
             {"BITS", true}},
        .rows = {}
    };
    for (const TrafficSample& backend : now.sample.backends) {
        const TrafficSample* old = find_before(before.sample.backends, backend);
        const auto state = now.backends.find({backend.service, backend.backend});
        const bool is_known = state != now.backends.end();
        table.rows.push_back(RowMaker()
                                 .word(backend.service)
                                 .word(backend.backend)
                                 .word(is_known ? state->second.admin : std::string("removed"))
                                 .word(is_known ? state->second.health : std::string("-"))
                                 .count(is_known ? state->second.weight : 0)
                                 .count(backend.flows)
                                 .rate(rate(old, backend, &TrafficSample::new_flows, elapsed_ms))
                                 .rate(rate(old, backend, &TrafficSample::packets, elapsed_ms))
                                 .bits(rate(old, backend, &TrafficSample::bytes, elapsed_ms))
                                 .take());
    }
    return table;
}

TopTable make_workers(const TopReading& before, const TopReading& now, std::int64_t elapsed_ms) {
    TopTable table{
        .columns =
            {{"WORKER", true},
             {"LCORE", true},
             {"RX", true},
             {"TX", true},
             {"DROPPED", true},
             {"BUSY", true},
             {"FLOWS", true},
             {"FULL", true},
             {"LATE POLLS", true}},
        .rows = {}
    };
    for (const WorkerSample& worker : now.sample.workers) {
        const auto found =
            std::ranges::find(before.sample.workers, worker.worker, &WorkerSample::worker);
        const WorkerSample* old = found == before.sample.workers.end() ? nullptr : &*found;
        const auto busy = rate(old, worker, &WorkerSample::busy_ns, elapsed_ms);
        const double full =
            worker.flow_capacity == 0
                ? 0
                : static_cast<double>(worker.flows) / static_cast<double>(worker.flow_capacity);
        table.rows.push_back(
            RowMaker()
                .count(worker.worker)
                .count(worker.lcore.value_or(0))
                .rate(rate(old, worker, &WorkerSample::rx_packets, elapsed_ms))
                .rate(rate(old, worker, &WorkerSample::tx_packets, elapsed_ms))
                .rate(rate(old, worker, &WorkerSample::dropped_packets, elapsed_ms))
                .number(busy.value_or(-1), busy ? format_ratio(*busy / 1e9) : std::string("-"))
                .count(worker.flows)
                .number(full, format_ratio(full))
                .rate(rate(old, worker, &WorkerSample::late_polls, elapsed_ms))
                .take()
        );
    }
    return table;
}

TopTable make_drops(const TopReading& before, const TopReading& now, std::int64_t elapsed_ms) {
    TopTable table{.columns = {{"REASON"}, {"PACKETS", true}, {"RATE", true}}, .rows = {}};
    for (const auto& [reason, packets] : now.drops) {
        const auto old =
            std::ranges::find(before.drops, reason, [](const auto& drop) { return drop.first; });
        if (packets == 0)
            continue;
        table.rows.push_back(RowMaker()
                                 .word(reason)
                                 .count(packets)
                                 .rate(
                                     old == before.drops.end()
                                         ? std::nullopt
                                         : rate_of(old->second, packets, elapsed_ms)
                                 )
                                 .take());
    }
    return table;
}

} // namespace

std::optional<TopView> find_top_view(std::string_view word) {
    const auto found = std::ranges::find(view_words, word);
    if (found == view_words.end())
        return std::nullopt;
    return static_cast<TopView>(found - view_words.begin());
}

std::expected<TopReading, Failure> read_top(
    const boost::json::value& stats,
    const boost::json::value& backends,
    const boost::json::value& drops
) {
    auto sample = read_sample(stats);
    if (!sample)
        return std::unexpected(sample.error());
    TopReading reading{.sample = std::move(*sample), .backends = {}, .drops = {}};
    Document backend_document(backends);
    for (const Object& backend : backend_document.root().objects("backends")) {
        reading.backends[{backend.text("service"), backend.text("name")}] = {
            .admin = backend.text("admin"),
            .health = backend.text("health"),
            .weight = backend.count("weight"),
        };
    }
    Document drop_document(drops);
    for (const Object& drop : drop_document.root().objects("drops"))
        reading.drops.emplace_back(drop.text("reason"), drop.count("packets"));
    for (const Document* document : {&backend_document, &drop_document}) {
        if (const auto complete = document->check(); !complete)
            return std::unexpected(complete.error());
    }
    return reading;
}

TopTable make_top_table(TopView view, const TopReading& before, const TopReading& now) {
    const std::int64_t elapsed_ms = now.sample.time_ms - before.sample.time_ms;
    switch (view) {
    case TopView::services:
        return make_services(before, now, elapsed_ms);
    case TopView::backends:
        return make_backends(before, now, elapsed_ms);
    case TopView::workers:
        return make_workers(before, now, elapsed_ms);
    case TopView::drops:
        return make_drops(before, now, elapsed_ms);
    }
    return {};
}

void arrange(TopTable& table, const TopChoice& choice) {
    if (!choice.filter.empty()) {
        std::erase_if(table.rows, [&choice](const TopRow& row) {
            return std::ranges::none_of(row.cells, [&choice](const std::string& cell) {
                return cell.find(choice.filter) != std::string::npos;
            });
        });
    }
    const std::size_t column = choice.column < table.columns.size() ? choice.column : 0;
    const bool is_number = table.columns[column].is_number;
    std::ranges::stable_sort(table.rows, [&](const TopRow& a, const TopRow& b) {
        const TopRow& first = choice.descending ? b : a;
        const TopRow& second = choice.descending ? a : b;
        return is_number ? first.numbers[column] > second.numbers[column]
                         : first.cells[column] < second.cells[column];
    });
}

} // namespace penstock::cli
