// SPDX-License-Identifier: Apache-2.0
// Reconciler, health on its way through: what probes and agents say, and what the service's policy
// makes of it. A change of health alone travels at once; weights make a new generation.
#include "controlplane/state/reconciler.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <utility>

namespace penstock {

using std::chrono::steady_clock;

namespace {

// Weights that change by themselves make one new generation a second at most, however many they
// are.
constexpr std::chrono::seconds policy_pause{1};

// Holds and slow starts move on in whole seconds.
constexpr std::chrono::seconds course_tick{1};

// A service whose policy looks at all of its backends is looked at once for the many that go
// down together.
constexpr std::chrono::milliseconds refresh_pause{20};

} // namespace

const config::HealthPolicy& Reconciler::policy_of(std::size_t service) const {
    return newest().configuration.services.at(service).policy;
}

std::optional<BackendCondition> Reconciler::find_condition(const BackendRef& ref) const {
    const auto health = health_.health(ref);
    if (!health) {
        return std::nullopt;
    }
    BackendCondition condition{.health = *health, .report = health_.report(ref)};
    const auto course = courses_.find(ref);
    const auto place = places_.find(ref);
    if (course != courses_.end() && place != places_.end()) {
        const auto now = steady_clock::now();
        condition.is_held =
            policy_of(place->second.first).flap_limit != 0 && course->second.is_held(now);
        condition.start_percent =
            course->second.weight_percent(policy_of(place->second.first), now);
    }
    const auto limit = shrink_limits_.find(ref.service);
    condition.is_kept = limit != shrink_limits_.end() && limit->second.keeps(ref.backend);
    return condition;
}

void Reconciler::handle_transition(const BackendRef& ref, const HealthTransition& transition) {
    const auto found = places_.find(ref);
    if (found == places_.end()) {
        return; // of the configuration that a candidate is about to replace
    }
    const std::size_t index = found->second.first;
    const ServiceSpec& service = desired_.services[index];
    const BackendSpec& backend = service.backends[found->second.second];
    events_.record(
        {.type = EventType::backend_health,
         .severity = transition.to == Health::down ? EventSeverity::warning : EventSeverity::info,
         .service = service.name,
         .backend = backend.name,
         .from = std::string(to_string(transition.from)),
         .to = std::string(to_string(transition.to)),
         .reason = transition.reason}
    );
    record_course(ref, transition, index);
    const config::HealthPolicy& policy = policy_of(index);
    const auto decided = decisions_.find(service.key);
    const auto course = courses_.find(ref);
    const bool looks_at_all = policy.panic_percent != 0 || policy.min_healthy != 0 ||
                              limits_shrinking(policy) ||
                              (decided != decisions_.end() && decided->second.held != 0);
    const bool is_on_course = course != courses_.end() &&
                              course->second.next_change(policy, steady_clock::now()).has_value();
    if (looks_at_all || is_on_course) {
        refresh_soon(index);
        return;
    }
    desired_.services[index].backends[found->second.second].health = transition.to;
    flips_[ref] = transition.to;
    announce_service(service);
    push();
}

/// Keeps a course only for whom something can follow from it.
void Reconciler::record_course(
    const BackendRef& ref, const HealthTransition& transition, std::size_t service
) {
    const config::HealthPolicy& policy = policy_of(service);
    const auto now = steady_clock::now();
    if (transition.to == Health::down && transition.from == Health::up) {
        added_.erase(ref);
        if (policy.flap_limit == 0 && policy.slow_start_ms == 0) {
            return;
        }
        if (const auto hold = courses_[ref].record_down(policy, now)) {
            const ServiceSpec& spec = desired_.services[service];
            events_.record(
                {.type = EventType::backend_held,
                 .severity = EventSeverity::warning,
                 .service = spec.name,
                 .backend = spec.backends[places_.at(ref).second].name,
                 .to = "held",
                 .reason = fmt::format(
                     "down more than {} times in {} s: not used for {} s, even if it is up",
                     policy.flap_limit,
                     policy.flap_window_ms / 1000,
                     hold->count() / 1000
                 )}
            );
        }
    } else if (transition.to == Health::up) {
        const bool is_added = added_.erase(ref) != 0;
        const auto limit = shrink_limits_.find(ref.service);
        // It was in use all the time.
        const bool was_kept = limit != shrink_limits_.end() && limit->second.keeps(ref.backend);
        if (policy.slow_start_ms != 0 && !was_kept &&
            (is_added || transition.from == Health::down)) {
            courses_[ref].start_slowly(now);
        }
    }
    watch_course(ref);
}

void Reconciler::handle_report(const BackendRef& ref, const AgentReport& report) {
    const auto found = places_.find(ref);
    if (found == places_.end()) {
        return;
    }
    const ServiceSpec& service = desired_.services[found->second.first];
    events_.record(
        {.type = EventType::backend_report,
         .service = service.name,
         .backend = service.backends[found->second.second].name,
         .to = describe(report),
         .reason = "its agent says so"}
    );
    push_policy_soon();
}

void Reconciler::push_policy_soon() {
    if (std::exchange(is_policy_pending_, true)) {
        return;
    }
    // Soon after a quiet second: the smallest weight of a slow start must not come when the next is due.
    policy_timer_.expires_at(
        std::max(steady_clock::now() + refresh_pause, last_policy_push_ + policy_pause)
    );
    policy_timer_.async_wait([this](const boost::system::error_code& error) {
        if (error) {
            return;
        }
        is_policy_pending_ = false;
        last_policy_push_ = steady_clock::now();
        if (auto saved = take_next_generation(); !saved) {
            ++last_generation_; // as in link_ready(): a later start learns it from the dataplane
            spdlog::warn("generation {} not saved: {}", last_generation_, to_string(saved.error()));
        }
        rebuild_desired();
        announce_services();
        whole_needed_ = true;
        push();
    });
}

void Reconciler::refresh_soon(std::size_t service) {
    const bool is_new = dirty_services_.insert(desired_.services[service].key).second;
    if (!is_new || dirty_services_.size() > 1) {
        return; // the timer runs, and must not be put off
    }
    refresh_timer_.expires_after(refresh_pause);
    refresh_timer_.async_wait([this](const boost::system::error_code& error) {
        if (error) {
            return;
        }
        const std::set<ServiceKey> dirty = std::exchange(dirty_services_, {});
        for (std::size_t i = 0; i < desired_.services.size(); ++i) {
            if (dirty.contains(desired_.services[i].key)) {
                refresh_service(i);
            }
        }
        push();
    });
}

/// Before the service is laid: who of those that are down stays in use.
void Reconciler::limit_shrinking(std::size_t index) {
    const config::ServiceConfig& service = newest().configuration.services.at(index);
    if (!limits_shrinking(service.policy)) {
        shrink_limits_.erase(service.spec.key);
        return;
    }
    const LaidService laid = lay_service(service, overrides_, [this](const BackendRef& ref) {
        return find_condition(ref);
    });
    ShrinkLimit& limit = shrink_limits_[service.spec.key];
    const auto now = steady_clock::now();
    limit.look(laid.spec, laid.held, service.policy, now);
    if (!is_course_watched_ && limit.next_change(service.policy, now)) {
        set_course_timer();
    }
}

void Reconciler::refresh_service(std::size_t index) {
    limit_shrinking(index);
    const EffectiveService fresh = make_effective_service(
        newest().configuration.services.at(index),
        overrides_,
        [this](const BackendRef& ref) { return find_condition(ref); }
    );
    ServiceSpec& service = desired_.services[index];
    for (std::size_t i = 0; i < service.backends.size(); ++i) {
        BackendSpec& backend = service.backends[i];
        const BackendSpec& wanted = fresh.spec.backends[i];
        const bool is_weight_new = backend.weight != wanted.weight;
        // Not up before its weight is down: a slow start would begin with a flood.
        const bool waits_for_weight = wanted.health == Health::up && is_weight_new;
        if (backend.health != wanted.health && !waits_for_weight) {
            backend.health = wanted.health;
            flips_[{.service = service.key, .backend = backend.key}] = wanted.health;
        }
        if (is_weight_new || backend.admin != wanted.admin) {
            push_policy_soon();
        }
    }
    announce_decision(service, fresh.decision, policy_of(index));
    announce_service(service);
}

void Reconciler::announce_decision(
    const ServiceSpec& service, const ServiceDecision& decision, const config::HealthPolicy& policy
) {
    const ServiceDecision before = std::exchange(decisions_[service.key], decision);
    const auto record = [&](EventType type, bool was, bool is) {
        if (was != is) {
            events_.record(
                {.type = type,
                 .severity = is ? EventSeverity::critical : EventSeverity::info,
                 .service = service.name,
                 .from = was ? "on" : "off",
                 .to = is ? "on" : "off",
                 .reason = is ? describe_decision(decision, policy)
                              : fmt::format(
                                    "{} of {} ready backends are healthy",
                                    decision.healthy,
                                    decision.ready
                                )}
            );
        }
    };
    panics_[service.key] += !before.is_panic && decision.is_panic ? 1 : 0;
    record(EventType::service_panic, before.is_panic, decision.is_panic);
    record(EventType::service_shrink, before.kept > 0, decision.kept > 0);
    record(EventType::service_minimum, before.is_below_minimum, decision.is_below_minimum);
}

const ServiceDecision& Reconciler::decision_of(std::size_t service) const {
    static const ServiceDecision none;
    const auto found = decisions_.find(desired_.services.at(service).key);
    return found == decisions_.end() ? none : found->second;
}

std::uint64_t Reconciler::panics_of(std::size_t service) const {
    const auto found = panics_.find(desired_.services.at(service).key);
    return found == panics_.end() ? 0 : found->second;
}

std::string Reconciler::policy_problem(std::size_t service) const {
    const auto found = decisions_.find(desired_.services.at(service).key);
    return found == decisions_.end() ? "" : describe_decision(found->second, policy_of(service));
}

ServiceState Reconciler::state_of(const ServiceSpec& service) const {
    const ServiceState state = judge_service(service);
    const auto decided = decisions_.find(service.key);
    const bool uses_ill_ones =
        decided != decisions_.end() && (decided->second.is_panic || decided->second.kept > 0);
    return uses_ill_ones && state == ServiceState::up ? ServiceState::degraded : state;
}

std::string Reconciler::reason_of(const ServiceSpec& service) const {
    if (judge_service(service) != state_of(service)) {
        const auto index = static_cast<std::size_t>(&service - desired_.services.data());
        return policy_problem(index);
    }
    return describe_service(service, [this](const BackendRef& ref) {
        return health_of(ref).reason;
    });
}

/// Holds end and slow starts go on by time alone. One look at one course: thousands may go down at once.
void Reconciler::watch_course(const BackendRef& ref) {
    const auto course = courses_.find(ref);
    const auto place = places_.find(ref);
    if (is_course_watched_ || course == courses_.end() || place == places_.end()) {
        return;
    }
    if (course->second.next_change(policy_of(place->second.first), steady_clock::now())) {
        set_course_timer();
    }
}

void Reconciler::set_course_timer() {
    is_course_watched_ = true;
    course_timer_.expires_after(course_tick);
    course_timer_.async_wait([this,
                              since = steady_clock::now()](const boost::system::error_code& error) {
        if (!error) {
            is_course_watched_ = false;
            take_course_steps(since);
        }
    });
}

void Reconciler::take_course_steps(steady_clock::time_point since) {
    const auto now = steady_clock::now();
    bool goes_on = false;
    for (const auto& [ref, course] : courses_) {
        const auto place = places_.find(ref);
        if (place == places_.end()) {
            continue;
        }
        const std::size_t service = place->second.first;
        const auto next = course.next_change(policy_of(service), since);
        if (next && *next <= now) {
            refresh_soon(service);
        }
        goes_on = goes_on || course.next_change(policy_of(service), now).has_value();
    }
    for (std::size_t i = 0; i < desired_.services.size(); ++i) {
        const auto limit = shrink_limits_.find(desired_.services[i].key);
        if (limit == shrink_limits_.end()) {
            continue;
        }
        const auto next = limit->second.next_change(policy_of(i), since);
        if (next && *next <= now) {
            refresh_soon(i);
        }
        goes_on = goes_on || next.has_value();
    }
    if (goes_on) {
        set_course_timer();
    }
}

/// Before `after` becomes what is wanted: new backends of services that are there start slowly.
void Reconciler::note_added(const config::Configuration& after) {
    std::set<ServiceKey> services;
    for (const ServiceSpec& service : desired_.services) {
        services.insert(service.key);
    }
    for (const config::ServiceConfig& service : after.services) {
        if (service.policy.slow_start_ms == 0 || !services.contains(service.spec.key)) {
            continue;
        }
        for (const BackendSpec& backend : service.spec.backends) {
            const BackendRef ref{.service = service.spec.key, .backend = backend.key};
            if (!places_.contains(ref)) {
                added_.insert(ref);
            }
        }
    }
}

void Reconciler::forget_gone_backends() {
    const auto is_gone = [this](const BackendRef& ref) { return !places_.contains(ref); };
    std::erase_if(courses_, [&](const auto& item) { return is_gone(item.first); });
    std::erase_if(added_, is_gone);
    std::set<ServiceKey> services;
    for (const ServiceSpec& service : desired_.services) {
        services.insert(service.key);
    }
    const auto is_over = [&](const auto& item) { return !services.contains(item.first); };
    std::erase_if(decisions_, is_over);
    std::erase_if(panics_, is_over);
    std::erase_if(shrink_limits_, is_over);
}

} // namespace penstock
