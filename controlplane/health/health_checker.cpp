// SPDX-License-Identifier: Apache-2.0
#include "controlplane/health/health_checker.hpp"

#include "controlplane/health/probe_timing.hpp"
#include "controlplane/health/tcp_probe.hpp"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <spdlog/spdlog.h>
#include <utility>

namespace penstock {

using std::chrono::steady_clock;

namespace {

// An HTTP probe costs some 0.1 ms to start: a turn of the loop stays around a millisecond.
constexpr std::size_t starts_per_turn = 8;

} // namespace

struct HealthChecker::Entry {
    ProbeTarget target;
    ProbeState state;
    boost::asio::steady_timer timer;
    steady_clock::time_point probe_started;
    std::uint64_t probes = 0;

    Entry(boost::asio::io_context& loop, const ProbeTarget& wanted)
        : target(wanted), state(wanted.probe.fall, wanted.probe.rise), timer(loop) {}
};

HealthChecker::HealthChecker(boost::asio::io_context& loop, Listener listener)
    : loop_(loop),
      listener_(std::move(listener)),
      http_(loop),
      generator_(std::random_device{}()) {}

HealthChecker::~HealthChecker() = default;

void HealthChecker::start() {
    if (std::exchange(started_, true)) {
        return;
    }
    std::size_t index = 0;
    for (const auto& [ref, entry] : entries_) {
        schedule(
            entry,
            first_probe_delay(index++, std::chrono::milliseconds(entry->target.probe.interval_ms))
        );
    }
}

void HealthChecker::set_targets(const std::vector<ProbeTarget>& targets) {
    std::map<BackendRef, std::shared_ptr<Entry>> kept;
    std::size_t new_count = 0;
    for (const ProbeTarget& target : targets) {
        std::shared_ptr<Entry>& entry = kept[target.ref];
        const auto found = entries_.find(target.ref);
        if (found != entries_.end() && found->second->target == target) {
            entry = found->second;
            continue;
        }
        // A changed probe is a new entry with the old state: what an older probe in flight still
        // says is not about the new question.
        entry = std::make_shared<Entry>(loop_, target);
        if (found != entries_.end()) {
            entry->state = found->second->state;
            entry->state.set_thresholds(target.probe.fall, target.probe.rise);
        }
        if (started_) {
            schedule(
                entry,
                first_probe_delay(new_count++, std::chrono::milliseconds(target.probe.interval_ms))
            );
        }
    }
    for (auto& [ref, entry] : entries_) {
        const auto found = kept.find(ref);
        if (found == kept.end() || found->second != entry) {
            entry->timer.cancel();
        }
    }
    entries_ = std::move(kept);
}

bool HealthChecker::adopt(const BackendRef& ref, Health health) {
    const auto found = entries_.find(ref);
    return found != entries_.end() &&
           found->second->state.adopt(health, std::chrono::system_clock::now());
}

std::optional<Health> HealthChecker::health(const BackendRef& ref) const {
    const auto found = entries_.find(ref);
    if (found == entries_.end()) {
        return std::nullopt;
    }
    return found->second->state.health();
}

std::optional<HealthView> HealthChecker::view(const BackendRef& ref) const {
    const auto found = entries_.find(ref);
    if (found == entries_.end()) {
        return std::nullopt;
    }
    const ProbeState& state = found->second->state;
    return HealthView{.health = state.health(), .reason = state.reason(), .since = state.since()};
}

void HealthChecker::schedule(const std::shared_ptr<Entry>& entry, std::chrono::microseconds delay) {
    entry->timer.expires_after(delay);
    // The entry owns the timer: a strong reference in its handler would be a circle until it fires.
    entry->timer.async_wait([this, weak = std::weak_ptr(entry)](const auto& error) {
        if (const auto due = weak.lock(); due && !error) {
            take_due(due);
        }
    });
}

void HealthChecker::take_due(const std::shared_ptr<Entry>& entry) {
    due_.push_back(entry);
    if (!run_due_posted_) {
        run_due();
    }
}

void HealthChecker::run_due() {
    run_due_posted_ = false;
    for (std::size_t i = 0; i < starts_per_turn && !due_.empty(); ++i) {
        if (in_flight_ >= max_probes_in_flight) {
            return; // the next one that ends comes here again
        }
        const auto entry = due_.front().lock();
        due_.pop_front();
        if (entry) {
            run(entry);
        }
    }
    if (!due_.empty()) {
        run_due_posted_ = true;
        boost::asio::post(loop_, [this] { run_due(); });
    }
}

void HealthChecker::run(const std::shared_ptr<Entry>& entry) {
    entry->probe_started = steady_clock::now();
    const config::ProbeConfig& probe = entry->target.probe;
    BackendKey backend = entry->target.ref.backend;
    backend.port = probe.port.value_or(backend.port);
    const std::chrono::milliseconds timeout(probe.timeout_ms);
    ++in_flight_;
    ProbeDone done = [this, weak = std::weak_ptr(entry)](ProbeResult result) {
        --in_flight_;
        if (!due_.empty() && !run_due_posted_) {
            run_due_posted_ = true;
            boost::asio::post(loop_, [this] { run_due(); });
        }
        if (const auto probed = weak.lock()) {
            finish(probed, result);
        }
    };
    if (probe.type == config::ProbeType::http) {
        http_.start(
            {.backend = backend,
             .path = probe.path,
             .host = probe.host,
             .expect_status_min = probe.expect_status_min,
             .expect_status_max = probe.expect_status_max,
             .timeout = timeout},
            std::move(done)
        );
    } else {
        start_tcp_probe(loop_, backend, timeout, std::move(done));
    }
}

void HealthChecker::finish(const std::shared_ptr<Entry>& entry, const ProbeResult& result) {
    const config::ProbeConfig& probe = entry->target.probe;
    const std::chrono::milliseconds interval(probe.interval_ms);
    const std::chrono::microseconds pause =
        entry->probes++ == 0 ? second_probe_delay(interval, random())
                             : next_probe_delay(interval, probe.jitter_percent, random());
    const auto spent = std::chrono::duration_cast<std::chrono::microseconds>(
        steady_clock::now() - entry->probe_started
    );
    schedule(entry, std::max(pause - spent, std::chrono::microseconds(0)));
    if (result.outcome == ProbeOutcome::inconclusive) {
        warn_inconclusive(result.detail);
    }
    // Last: the listener may change the targets.
    if (const auto transition = entry->state.record(result, std::chrono::system_clock::now())) {
        listener_(entry->target.ref, *transition);
    }
}

void HealthChecker::warn_inconclusive(const std::string& detail) {
    const auto now = steady_clock::now();
    if (last_warning_ && now - *last_warning_ < std::chrono::seconds(10)) {
        return;
    }
    last_warning_ = now;
    spdlog::warn(
        "probes cannot be made: {}; health stays as it is. Raise the limit of open files "
        "(LimitNOFILE=) or free what is short",
        detail
    );
}

} // namespace penstock
