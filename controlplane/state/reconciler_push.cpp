// SPDX-License-Identifier: Apache-2.0
// Reconciler, the way to the dataplane: one message at a time, the newest only.
// This file is long because each answer of the dataplane ends a push in its own way, and every way must
// leave the candidate, the overrides and the waiters in step.
#include "controlplane/state/reconciler.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <utility>

namespace penstock {

namespace {

constexpr std::chrono::seconds refused_retry{5};

} // namespace

void Reconciler::link_ready(const Hello& hello, const Status& status) {
    dataplane_ = {
        .state = DataplaneView::State::connected,
        .since = std::chrono::system_clock::now(),
        .reason = {},
        .hello = hello,
        .status = status,
    };
    if (dataplane_instance_ != hello.instance_id) {
        dataplane_instance_ = hello.instance_id;
        // It reads applied.toml when it starts; only without one the file, which is the candidate.
        const Declaration& read = current_ ? *current_ : newest();
        started_with_node_ = read.configuration.node;
        started_with_dataplane_ = read.configuration.dataplane;
    }
    std::size_t adopted = 0;
    for (const BackendStatus& backend : status.backends) {
        if (backend.health != Health::unknown) {
            const BackendRef ref{.service = backend.service, .backend = backend.key};
            adopted += health_.adopt(ref, backend.health) ? 1 : 0;
        }
    }
    events_.record(
        {.type = EventType::dataplane_connected,
         .reason = fmt::format(
             "{}, instance {:016x}, {} workers, generation {}; health of {} backends adopted",
             hello.program,
             hello.instance_id,
             status.workers.size(),
             status.generation,
             adopted
         )}
    );
    // Above what the dataplane has, so that the whole state counts as news; a number that could not
    // be saved only means that a later start learns it from the dataplane again.
    if (status.generation >= desired_.generation) {
        last_generation_ = std::max(last_generation_, status.generation);
        if (auto saved = take_next_generation(); !saved) {
            ++last_generation_;
            spdlog::warn("generation {} not saved: {}", last_generation_, to_string(saved.error()));
        }
    }
    rebuild_desired();
    announce_services();
    whole_needed_ = true;
    begin_probing();
    push();
}

void Reconciler::link_failed(LinkFailure failure, const std::string& reason) {
    const auto state = failure == LinkFailure::refused ? DataplaneView::State::refused
                                                       : DataplaneView::State::connecting;
    const bool is_news = dataplane_.state != state || dataplane_.reason.empty();
    if (is_news) {
        dataplane_.since = std::chrono::system_clock::now();
        events_.record(
            {.type = failure == LinkFailure::refused ? EventType::dataplane_refused
                                                     : EventType::dataplane_lost,
             .severity = EventSeverity::critical,
             .reason = reason + "; tried again until it is there"}
        );
    }
    dataplane_.state = state;
    dataplane_.reason = reason;
    dataplane_.status.reset();
    under_way_.reset();
    flips_.clear(); // the whole state that will be pushed has them
    live_.reset();
    whole_needed_ = true;
    refused_timer_.cancel();
    is_retry_pending_ = false;
    for (Waiter& waiter : std::exchange(waiters_, {})) {
        ChangeReply reply = make_reply(waiter.generation, true);
        reply.notes = std::move(waiter.notes);
        waiter.done(std::move(reply));
    }
    begin_probing();
}

void Reconciler::status_received(const Status& status) {
    dataplane_.status = status;
}

void Reconciler::push() {
    if (!link_.is_ready() || under_way_) {
        return;
    }
    if (whole_needed_) {
        push_whole();
    } else if (!flips_.empty()) {
        push_flips();
    }
}

void Reconciler::push_whole() {
    whole_needed_ = false;
    flips_.clear();
    under_way_ =
        UnderWay{.state = desired_, .declaration = candidate_ ? candidate_ : current_, .flips = {}};
    link_.apply(desired_, [this](const DataplaneLink::Answer& answer) {
        take_whole_answer(answer);
    });
}

void Reconciler::push_flips() {
    std::vector<HealthChange> changes;
    changes.reserve(flips_.size());
    for (const auto& [ref, health] : flips_) {
        changes.push_back({.service = ref.service, .backend = ref.backend, .health = health});
    }
    flips_.clear();
    under_way_ = UnderWay{.state = {}, .declaration = nullptr, .flips = changes};
    link_.update_health(std::move(changes), [this](const DataplaneLink::Answer& answer) {
        take_flips_answer(answer);
    });
}

void Reconciler::take_whole_answer(const DataplaneLink::Answer& answer) {
    UnderWay sent = std::move(*under_way_);
    under_way_.reset();
    if (const auto* refused = std::get_if<Refused>(&answer)) {
        take_refused(sent, *refused);
        push();
        return;
    }
    dataplane_.state = DataplaneView::State::connected;
    dataplane_.reason.clear();
    const std::uint64_t generation = sent.state.generation;
    const std::string before = live_ ? std::to_string(live_->generation) : "none";
    live_ = std::move(sent.state);
    if (sent.declaration != current_) {
        commit(sent.declaration);
    } else {
        if (last_reload_ && last_reload_->result == ReloadResult::pending && !candidate_) {
            last_reload_->result = ReloadResult::applied;
            last_reload_->generation = generation;
        }
        events_.record(
            {.type = EventType::generation_live, .from = before, .to = std::to_string(generation)}
        );
    }
    resolve_waiters(generation);
    link_.look_again(); // new backends have new next hops
    push();
}

/// The dataplane runs it: from here on a restart must, too.
void Reconciler::commit(const DeclarationPtr& declaration) {
    const std::uint64_t generation = live_->generation;
    const auto saved = directory_.save_applied(declaration->text, make_meta(*declaration));
    current_ = declaration;
    applied_at_ = std::chrono::system_clock::now();
    const bool is_newest = candidate_ == declaration;
    if (is_newest) {
        candidate_.reset();
        set_probe_targets();
    }
    if (!saved) {
        report_not_saved(*declaration, saved.error());
        return;
    }
    add_to_history(*declaration, generation);
    if (is_newest) {
        if (auto removed = directory_.remove_pending(); !removed) {
            spdlog::warn("{}", to_string(removed.error()));
        }
        Overrides kept = keep_known_overrides(overrides_, declaration->configuration);
        if (kept.size() != overrides_.size()) {
            overrides_ = std::move(kept);
            if (auto written = directory_.save_overrides(overrides_); !written) {
                spdlog::warn("{}", to_string(written.error()));
            }
        }
    }
    events_.record(
        {.type = EventType::config_applied,
         .to = std::to_string(generation),
         .reason = fmt::format(
             "{}, by {}", describe_size(declaration->configuration), to_string(declaration->source)
         ),
         .actor = declaration->actor}
    );
    if (is_newest) {
        report_reload(
            declaration->source,
            ReloadResult::applied,
            fmt::format(
                "{}, live as generation {}", describe_size(declaration->configuration), generation
            )
        );
        last_reload_->generation = generation;
    }
}

/// Live, but not on disk: pending.toml stays, so that a restart finds this configuration there.
void Reconciler::report_not_saved(const Declaration& declaration, const Refusal& error) {
    const std::uint64_t generation = live_->generation;
    const std::string detail = fmt::format(
        "generation {} is live, but {}; a restart takes it from pending.toml",
        generation,
        to_string(error)
    );
    events_.record(
        {.type = EventType::config_not_saved, .severity = EventSeverity::critical, .reason = detail}
    );
    report_reload(declaration.source, ReloadResult::not_saved, detail);
    std::vector<Waiter> others;
    for (Waiter& waiter : std::exchange(waiters_, {})) {
        if (waiter.override_of || waiter.generation > generation) {
            others.push_back(std::move(waiter));
            continue;
        }
        waiter.done(std::unexpected(ChangeError{
            .kind = ChangeErrorKind::state_not_saved,
            .detail = detail,
            .remedy = error.remedy,
            .diagnostics = {},
        }));
    }
    waiters_ = std::move(others);
}

void Reconciler::take_refused(const UnderWay& refused, const Refused& answer) {
    const std::string reason = to_string(answer.refusal);
    const bool is_candidate = refused.declaration != current_;
    const bool is_news = dataplane_.reason != reason;
    const bool is_dropped = is_candidate && current_ != nullptr;
    if (is_dropped) {
        drop_candidate(refused, reason);
    } else {
        // Nothing to fall back to: it stays wanted, and the cause may go away (a busy interface, no
        // memory).
        dataplane_.state = DataplaneView::State::refused;
        dataplane_.reason = reason;
        if (is_news) {
            events_.record(
                {.type = is_candidate ? EventType::config_refused : EventType::dataplane_refused,
                 .severity = EventSeverity::critical,
                 .reason = fmt::format(
                     "penstock-dp refuses generation {}: {}", refused.state.generation, reason
                 )}
            );
            report_reload(
                refused.declaration->source, ReloadResult::refused, "penstock-dp refuses: " + reason
            );
        }
        retry_later();
    }
    std::vector<Waiter> others;
    for (Waiter& waiter : std::exchange(waiters_, {})) {
        // An override went along with the candidate, but stays in force without it: it is pushed
        // next, unless its backend was the candidate's alone.
        const bool goes_on = is_dropped && waiter.override_of
                                 ? find_desired(*waiter.override_of) != nullptr
                                 : waiter.generation > refused.state.generation;
        if (goes_on) {
            others.push_back(std::move(waiter));
            continue;
        }
        waiter.done(std::unexpected(ChangeError{
            .kind = ChangeErrorKind::refused_by_dataplane,
            .detail = fmt::format(
                "penstock-dp refuses it: {}{}{}; {}",
                answer.refusal.place,
                answer.refusal.place.empty() ? "" : ": ",
                answer.refusal.cause,
                answer.current_generation == 0
                    ? std::string("nothing is live")
                    : fmt::format("generation {} stays live", answer.current_generation)
            ),
            .remedy = answer.refusal.remedy,
            .diagnostics = {},
        }));
    }
    waiters_ = std::move(others);
    if (live_) {
        resolve_waiters(live_->generation); // those for whom nothing is left to be sent
    }
}

void Reconciler::drop_candidate(const UnderWay& refused, const std::string& reason) {
    events_.record(
        {.type = EventType::config_refused,
         .severity = EventSeverity::critical,
         .from = live_ ? std::optional(std::to_string(live_->generation)) : std::nullopt,
         .to = std::to_string(refused.state.generation),
         .reason = fmt::format("penstock-dp refuses it: {}; the old one stays", reason)}
    );
    report_reload(
        refused.declaration->source, ReloadResult::refused, "penstock-dp refuses: " + reason
    );
    if (candidate_ != refused.declaration) {
        whole_needed_ = true; // a newer one has taken its place meanwhile
        return;
    }
    candidate_.reset();
    if (auto removed = directory_.remove_pending(); !removed) {
        spdlog::warn("{}", to_string(removed.error()));
    }
    if (confirmation_ && confirmation_->back_to == current_number_) {
        end_trial("penstock-dp refused it");
    }
    follow_newest();
    rebuild_desired();
    set_probe_targets();
    announce_services();
    // What is live is often just what is wanted again: then its generation is, too, and nothing is
    // sent.
    if (live_) {
        desired_.generation = live_->generation;
        if (desired_ == *live_) {
            whole_needed_ = false;
            flips_.clear();
            for (Waiter& waiter : waiters_) {
                if (waiter.override_of) {
                    waiter.generation = desired_.generation;
                }
            }
            return;
        }
    }
    desired_.generation = ++last_generation_;
    whole_needed_ = true;
}

void Reconciler::retry_later() {
    if (is_retry_pending_) {
        return; // refusals that come quicker than the retry must not put it off for ever
    }
    is_retry_pending_ = true;
    refused_timer_.expires_after(refused_retry);
    refused_timer_.async_wait([this](const boost::system::error_code& error) {
        if (!error) {
            is_retry_pending_ = false;
            whole_needed_ = true;
            push();
        }
    });
}

void Reconciler::take_flips_answer(const DataplaneLink::Answer& answer) {
    const UnderWay sent = std::move(*under_way_);
    under_way_.reset();
    if (const auto* refused = std::get_if<Refused>(&answer)) {
        spdlog::error(
            "penstock-dp refuses health changes: {}; the whole state is pushed instead",
            to_string(refused->refusal)
        );
        if (live_ && desired_.generation <= live_->generation) {
            if (auto next = take_next_generation(); !next) {
                ++last_generation_;
            }
            desired_.generation = last_generation_;
        }
        retry_later();
        return;
    }
    for (const HealthChange& change : sent.flips) {
        const auto place = places_.find({.service = change.service, .backend = change.backend});
        if (place == places_.end()) {
            continue; // gone with a candidate that has come since
        }
        const ServiceSpec& service = desired_.services[place->second.first];
        const BackendSpec& backend = service.backends[place->second.second];
        events_.record(
            {.type = EventType::health_live,
             .service = service.name,
             .backend = backend.name,
             .to = std::string(to_string(change.health)),
             .reason = "in force on every worker"}
        );
    }
    patch_live(sent.flips);
    push();
}

void Reconciler::patch_live(const std::vector<HealthChange>& changes) {
    if (!live_) {
        return;
    }
    std::map<BackendRef, Health> by_ref;
    for (const HealthChange& change : changes) {
        by_ref[{.service = change.service, .backend = change.backend}] = change.health;
    }
    for (ServiceSpec& service : live_->services) {
        for (BackendSpec& backend : service.backends) {
            const auto found = by_ref.find({.service = service.key, .backend = backend.key});
            if (found != by_ref.end()) {
                backend.health = found->second;
            }
        }
    }
}

void Reconciler::begin_probing() {
    probe_start_timer_.cancel();
    health_.start();
}

} // namespace penstock
