// SPDX-License-Identifier: Apache-2.0
#include "controlplane/health/health_checker.hpp"

#include "controlplane/health/probe_timing.hpp"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <spdlog/spdlog.h>
#include <utility>

namespace penstock {

using std::chrono::steady_clock;

namespace {

// A turn of the loop stays around a millisecond; the cost is cost_of_start()'s.
constexpr std::size_t cost_per_turn = 64;

// Probes that are due within this of each other start together: at 5000 a second the timer fires
// 200 times, not 5000.
constexpr std::chrono::milliseconds due_grain{5};

} // namespace

struct HealthChecker::Entry {
    ProbeTarget target;
    ProbeState state;
    std::shared_ptr<Lane> lane; ///< null: its service has no limit of its own
    std::optional<AgentReport> report;
    steady_clock::time_point probe_started;
    std::uint64_t probes = 0;

    explicit Entry(const ProbeTarget& wanted)
        : target(wanted), state(wanted.probe->fall, wanted.probe->rise) {}

    [[nodiscard]] std::chrono::milliseconds interval() const {
        return std::chrono::milliseconds(target.probe->interval_ms);
    }
};

HealthChecker::HealthChecker(boost::asio::io_context& loop, HealthListener listener)
    : loop_(loop),
      listener_(std::move(listener)),
      prober_(loop),
      timer_(loop),
      generator_(std::random_device{}()) {}

HealthChecker::~HealthChecker() = default;

void HealthChecker::start() {
    if (std::exchange(started_, true)) {
        return;
    }
    std::size_t index = 0;
    for (const auto& [ref, entry] : entries_) {
        schedule(entry, first_probe_delay(index++, entry->interval()));
    }
}

std::shared_ptr<HealthChecker::Lane>
HealthChecker::find_lane(const ProbeTarget& target, Lanes& kept) const {
    if (target.probe->concurrency == 0) {
        return nullptr;
    }
    std::shared_ptr<Lane>& lane = kept[target.ref.service];
    if (!lane) {
        const auto found = lanes_.find(target.ref.service);
        lane = found != lanes_.end() ? found->second : std::make_shared<Lane>();
        lane->limit = target.probe->concurrency;
    }
    return lane;
}

void HealthChecker::set_targets(const std::vector<ProbeTarget>& targets) {
    std::map<BackendRef, std::shared_ptr<Entry>> kept;
    Lanes lanes;
    std::size_t new_count = 0;
    for (const ProbeTarget& target : targets) {
        std::shared_ptr<Entry>& entry = kept[target.ref];
        const auto found = entries_.find(target.ref);
        if (found != entries_.end() && found->second->target == target) {
            entry = found->second;
            entry->lane = find_lane(target, lanes);
            continue;
        }
        // A changed probe is a new entry with the old state: what an older probe in flight still
        // says is not about the new question.
        entry = std::make_shared<Entry>(target);
        entry->lane = find_lane(target, lanes);
        if (found != entries_.end()) {
            entry->state = found->second->state;
            entry->state.set_thresholds(target.probe->fall, target.probe->rise);
        }
        if (started_) {
            schedule(entry, first_probe_delay(new_count++, entry->interval()));
        }
    }
    entries_ = std::move(kept);
    lanes_ = std::move(lanes);
}

bool HealthChecker::adopt(const BackendRef& ref, Health health) {
    const auto found = entries_.find(ref);
    return found != entries_.end() &&
           found->second->state.adopt(health, std::chrono::system_clock::now());
}

std::optional<Health> HealthChecker::health(const BackendRef& ref) const {
    const auto found = entries_.find(ref);
    return found == entries_.end() ? std::nullopt : std::optional(found->second->state.health());
}

std::optional<AgentReport> HealthChecker::report(const BackendRef& ref) const {
    const auto found = entries_.find(ref);
    return found == entries_.end() ? std::nullopt : found->second->report;
}

std::optional<HealthView> HealthChecker::view(const BackendRef& ref) const {
    const auto found = entries_.find(ref);
    if (found == entries_.end()) {
        return std::nullopt;
    }
    const ProbeState& state = found->second->state;
    return HealthView{
        .health = state.health(),
        .reason = state.reason(),
        .since = state.since(),
        .report = found->second->report,
    };
}

void HealthChecker::schedule(const std::shared_ptr<Entry>& entry, std::chrono::microseconds delay) {
    due_.add(steady_clock::now() + delay, entry);
    set_timer();
}

void HealthChecker::set_timer() {
    const auto next = due_.next();
    if (!next || (timer_at_ && *timer_at_ <= *next + due_grain)) {
        return;
    }
    timer_at_ = *next + due_grain;
    timer_.expires_at(*timer_at_);
    timer_.async_wait([this](const boost::system::error_code& error) {
        if (!error) {
            timer_at_.reset();
            take_due();
        }
    });
}

void HealthChecker::take_due() {
    const auto now = steady_clock::now();
    while (auto entry = due_.take(now)) {
        ready_.push_back(std::move(*entry));
    }
    set_timer();
    if (!is_run_posted_) {
        run_waiting();
    }
}

void HealthChecker::post_run_waiting() {
    if (!ready_.empty() && !std::exchange(is_run_posted_, true)) {
        boost::asio::post(loop_, [this] {
            is_run_posted_ = false;
            run_waiting();
        });
    }
}

void HealthChecker::run_waiting() {
    std::size_t cost = 0;
    while (cost < cost_per_turn && !ready_.empty()) {
        if (in_flight_ >= max_probes_in_flight) {
            return; // the next one that ends comes here again
        }
        const auto entry = ready_.front().lock();
        ready_.pop_front();
        if (entry && enter_lane(entry)) {
            cost += cost_of_start(entry->target.probe->type);
            run(entry);
        }
    }
    post_run_waiting();
}

bool HealthChecker::enter_lane(const std::shared_ptr<Entry>& entry) {
    const std::shared_ptr<Lane>& lane = entry->lane;
    if (!lane) {
        return true;
    }
    if (lane->in_flight >= lane->limit) {
        lane->waiting.push_back(entry);
        return false;
    }
    ++lane->in_flight;
    return true;
}

void HealthChecker::leave_lane(Lane& lane) {
    --lane.in_flight;
    while (!lane.waiting.empty()) {
        std::weak_ptr<Entry> next = std::move(lane.waiting.front());
        lane.waiting.pop_front();
        if (!next.expired()) {
            ready_.push_front(std::move(next)); // it has waited longest
            return;
        }
    }
}

std::optional<ProbeRequest> HealthChecker::make_request(const ProbeTarget& target) const {
    const BackendRef& ref = target.ref;
    const config::ProbeConfig& probe = *target.probe;
    ProbeRequest request{.ref = ref, .target = ref.backend, .probe = target.probe, .mark = 0};
    if (probe.via == config::ProbeVia::vip) {
        const auto mark = find_mark_ ? find_mark_(ref) : std::nullopt;
        if (!mark) {
            return std::nullopt;
        }
        request.mark = *mark;
        request.target = {.address = ref.service.vip, .port = ref.service.port};
    }
    request.target.port = probe.port.value_or(request.target.port);
    return request;
}

void HealthChecker::run(const std::shared_ptr<Entry>& entry) {
    entry->probe_started = steady_clock::now();
    ++in_flight_;
    ProbeDone done = [this, weak = std::weak_ptr(entry), lane = entry->lane](ProbeResult result) {
        --in_flight_;
        ++probes_made_;
        if (lane) {
            leave_lane(*lane);
        }
        post_run_waiting();
        if (const auto probed = weak.lock()) {
            finish(probed, result);
        }
    };
    if (const auto request = make_request(entry->target)) {
        prober_.start(*request, std::move(done));
        return;
    }
    boost::asio::post(loop_, [done = std::move(done)]() mutable {
        done(make_inconclusive("there is no path for probes through the data path (via = \"vip\")")
        );
    });
}

void HealthChecker::finish(const std::shared_ptr<Entry>& entry, const ProbeResult& result) {
    const config::ProbeConfig& probe = *entry->target.probe;
    const auto transition = entry->state.record(result, std::chrono::system_clock::now());
    const bool is_fast = probe.fast_interval_ms != 0 && entry->state.is_changing();
    const std::chrono::milliseconds interval =
        is_fast ? std::chrono::milliseconds(probe.fast_interval_ms) : entry->interval();
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
    const bool is_new_report = result.report && result.report != entry->report;
    if (is_new_report) {
        entry->report = result.report;
    }
    // Last: the listener may change the targets.
    const BackendRef ref = entry->target.ref;
    if (is_new_report) {
        listener_.report(ref, *result.report);
    }
    if (transition) {
        listener_.transition(ref, *transition);
    }
}

void HealthChecker::warn_inconclusive(const std::string& detail) {
    const auto now = steady_clock::now();
    if (last_warning_ && now - *last_warning_ < std::chrono::seconds(10)) {
        return;
    }
    last_warning_ = now;
    spdlog::warn(
        "probes cannot be made: {}; health stays as it is. Mend what is named (LimitNOFILE= raises "
        "the limit of open files)",
        detail
    );
}

} // namespace penstock
