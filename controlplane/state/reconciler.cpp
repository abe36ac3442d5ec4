// SPDX-License-Identifier: Apache-2.0
// Reconciler, what is wanted: changes of the configuration and of overrides. Its other parts:
// reconciler_start.cpp (which configuration), reconciler_trial.cpp (history, confirm, roll back),
// reconciler_override.cpp, reconciler_push.cpp (the way to the dataplane), reconciler_wait.cpp (who waits
// for it), reconciler_health.cpp (what probes and policy say).
// This file is long because every change has its own way to be refused, and all share one order of steps.
#include "controlplane/state/reconciler.hpp"

#include "controlplane/config/unsupported.hpp"
#include "controlplane/state/atomic_file.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <iterator>
#include <spdlog/spdlog.h>
#include <utility>

namespace penstock {

void Reconciler::explain(ExplainPackets packets, DataplaneLink::OnExplained done) {
    if (link_.is_ready()) {
        link_.explain(std::move(packets), std::move(done));
        return;
    }
    done(std::unexpected(Refusal{
        "penstock-dp",
        dataplane_.reason.empty() ? std::string("not connected") : dataplane_.reason,
        "see penstock status"
    }));
}

namespace {

std::string default_host(const ServiceKey& key) {
    const std::string address = key.vip.to_string();
    return key.vip.is_ipv4() ? address : "[" + address + "]";
}

} // namespace

Reconciler::Reconciler(
    boost::asio::io_context& loop, StateDirectory& directory, EventLog& events, Setup setup
)
    : directory_(directory),
      events_(events),
      config_file_(std::move(setup.config_file)),
      loaded_(std::move(setup.loaded)),
      health_(
          loop,
          {.transition = [this](
                             const BackendRef& ref, const HealthTransition& transition
                         ) { handle_transition(ref, transition); },
           .report = [this](
                         const BackendRef& ref, const AgentReport& report
                     ) { handle_report(ref, report); }}
      ),
      link_(loop, std::move(setup.dataplane_socket), *this),
      probe_start_timer_(loop),
      waiter_timer_(loop),
      refused_timer_(loop),
      trial_timer_(loop),
      policy_timer_(loop),
      refresh_timer_(loop),
      course_timer_(loop),
      key_(loaded_.flow_hash_key),
      overrides_(std::move(loaded_.overrides)),
      last_generation_(loaded_.generation),
      history_(std::move(*loaded_.history)),
      confirmation_(std::move(loaded_.confirmation)),
      set_aside_(std::move(loaded_.set_aside)) {
    dataplane_.since = std::chrono::system_clock::now();
    health_.set_marks([this](const BackendRef& ref) { return probe_paths_.find_mark(ref); });
}

Reconciler::~Reconciler() = default;

void Reconciler::reload_file(ReloadSource source) {
    auto text = read_whole_file(config_file_, config::max_file_bytes);
    if (text && *text) {
        apply_configuration(
            {.text = config::pack_named_files(std::move(**text), config_file_),
             .name = config_file_,
             .source = source,
             .actor =
                 {.user = {},
                  .uid = {},
                  .pid = {},
                  .from = std::string(to_string(source)),
                  .role = Role::administer},
             .confirm_within = std::nullopt},
            [](const ChangeResult&) {}
        );
        return;
    }
    const std::string reason =
        text ? fmt::format("{}: no such file", config_file_) : to_string(text.error());
    events_.record(
        {.type = EventType::config_invalid,
         .severity = EventSeverity::critical,
         .reason = reason + "; nothing was changed"}
    );
    report_reload(source, ReloadResult::invalid, reason);
}

void Reconciler::apply_configuration(ApplyRequest request, ChangeDone done) {
    config::Diagnostics warnings;
    auto parsed = config::parse_configuration(request.text, request.name, &warnings);
    if (parsed) {
        // The dataplane would refuse it too, but could not say where it stands.
        auto faults = config::find_unsupported(*parsed);
        // Nobody is there to mend what stands in the way back from a trial: it is said in the status.
        if (surroundings_.check && request.source != ReloadSource::not_confirmed) {
            std::ranges::move(surroundings_.check(*parsed), std::back_inserter(faults));
        }
        if (!faults.empty()) {
            parsed = std::unexpected(std::move(faults));
        }
    }
    if (!parsed) {
        const std::size_t count = parsed.error().size();
        std::string detail = fmt::format(
            "{}: {} error{}; nothing was changed", request.name, count, count == 1 ? "" : "s"
        );
        spdlog::error("{}\n{}", detail, config::render(parsed.error()));
        events_.record(
            {.type = EventType::config_invalid,
             .severity = EventSeverity::critical,
             .reason = fmt::format("{} (first: {})", detail, parsed.error().front().cause),
             .actor = request.actor}
        );
        report_reload(request.source, ReloadResult::invalid, detail);
        done(std::unexpected(ChangeError{
            .kind = ChangeErrorKind::invalid_configuration,
            .detail = std::move(detail),
            .remedy = "mend the lines below and apply again",
            .diagnostics = std::move(parsed.error()),
        }));
        return;
    }
    accept_candidate(
        std::make_shared<const Declaration>(Declaration{
            .text = std::move(request.text),
            .configuration = std::move(*parsed),
            .source = request.source,
            .notes = render_warnings(warnings),
            .name = std::move(request.name),
            .actor = std::move(request.actor),
        }),
        request.confirm_within,
        std::move(done)
    );
}

/// Nothing was changed: said in an event, in the status and to who asked.
void Reconciler::fail_change(const Declaration& candidate, ChangeError error, ChangeDone done) {
    const bool is_disk = error.kind == ChangeErrorKind::state_not_saved;
    events_.record(
        {.type = is_disk ? EventType::config_not_saved : EventType::config_refused,
         .severity = is_disk ? EventSeverity::critical : EventSeverity::warning,
         .reason = error.detail,
         .actor = candidate.actor}
    );
    report_reload(
        candidate.source, is_disk ? ReloadResult::not_saved : ReloadResult::refused, error.detail
    );
    done(std::unexpected(std::move(error)));
}

void Reconciler::accept_candidate(
    DeclarationPtr candidate, std::optional<std::chrono::seconds> confirm_within, ChangeDone done
) {
    const bool is_way_back = candidate->source == ReloadSource::rollback ||
                             candidate->source == ReloadSource::not_confirmed;
    if (confirmation_ && !is_way_back) {
        fail_change(
            *candidate,
            {.kind = ChangeErrorKind::confirmation_pending,
             .detail = fmt::format(
                 "a configuration is on trial until {}; nothing was changed",
                 format_rfc3339(confirmation_->deadline)
             ),
             .remedy = "penstock confirm keeps it, penstock rollback takes it back; then try again",
             .diagnostics = {}},
            std::move(done)
        );
        return;
    }
    if (candidate->configuration == newest().configuration) {
        finish_unchanged(std::move(candidate), std::move(done));
        return;
    }
    // First how to come back: a crash after it finds nothing to come back from.
    if (confirm_within) {
        if (auto begun = begin_trial(*confirm_within, candidate->actor); !begun) {
            fail_change(*candidate, std::move(begun.error()), std::move(done));
            return;
        }
    }
    // The number first: a gap in the numbers harms nobody, a text that was refused and yet saved
    // would be applied by the next start.
    auto saved = take_next_generation();
    if (saved) {
        saved = directory_.save_pending(candidate->text, make_meta(*candidate));
    }
    if (!saved) {
        if (confirm_within) {
            end_trial("it could not be saved");
        }
        fail_change(*candidate, not_saved(saved.error(), "nothing was changed"), std::move(done));
        return;
    }
    if (is_way_back) {
        end_trial(fmt::format("it was taken back ({})", to_string(candidate->source)));
    }
    note_added(candidate->configuration);
    candidate_ = std::move(candidate);
    follow_newest();
    rebuild_desired();
    set_probe_targets();
    announce_services();
    whole_needed_ = true;
    std::vector<std::string> notes = candidate_->notes;
    if (std::string reason = restart_reason(); !reason.empty()) {
        notes.push_back(std::move(reason));
    }
    report_reload(
        candidate_->source, ReloadResult::pending, describe_size(candidate_->configuration)
    );
    announce_pending();
    wait_for_live(std::nullopt, std::move(notes), std::move(done));
    push();
}

void Reconciler::announce_pending() {
    if (!link_.is_ready()) {
        events_.record(
            {.type = EventType::config_pending,
             .severity = EventSeverity::warning,
             .to = std::to_string(desired_.generation),
             .reason = "penstock-dp is away: " + dataplane_.reason,
             .actor = candidate_->actor}
        );
    }
}

/// The text may still differ (comments, order of keys): what was applied last is what is kept.
void Reconciler::finish_unchanged(DeclarationPtr same, ChangeDone done) {
    const bool is_pending = candidate_ != nullptr;
    const auto meta = make_meta(*same);
    const auto saved = is_pending ? directory_.save_pending(same->text, meta)
                                  : directory_.save_applied(same->text, meta);
    if (!saved) {
        done(std::unexpected(not_saved(saved.error(), "the same configuration stays in force")));
        return;
    }
    const ReloadSource source = same->source;
    if (source == ReloadSource::rollback || source == ReloadSource::not_confirmed) {
        end_trial("what it would go back to runs already");
    }
    ChangeReply reply = make_reply(desired_.generation, false);
    reply.detail = is_pending ? "the same configuration is pending already"
                              : "the configuration is the same as the applied one";
    reply.notes = same->notes;
    if (!is_pending) {
        if (same->text != current_->text) {
            add_to_history(*same, desired_.generation);
        }
        current_ = std::move(same);
        applied_at_ = std::chrono::system_clock::now();
    } else if (under_way_ && under_way_->declaration == candidate_) {
        // The text under way is equal in meaning; only one of the two can be kept, and it is on
        // disk.
        under_way_->declaration = same;
        candidate_ = std::move(same);
    } else {
        candidate_ = std::move(same);
    }
    follow_newest();
    report_reload(source, is_pending ? ReloadResult::pending : ReloadResult::applied, reply.detail);
    done(std::move(reply));
}

PlanInput Reconciler::make_plan_input(config::Configuration after) const {
    DesiredState desired_after = make_effective_state(
        after,
        overrides_,
        [this](const BackendRef& ref) -> std::optional<BackendCondition> {
            const bool is_known = find_desired(ref) != nullptr;
            return is_known ? find_condition(ref)
                            : std::optional(BackendCondition{.health = Health::up, .report = {}});
        },
        key_,
        desired_.generation + 1
    );
    return {
        .before = newest().configuration,
        .after = std::move(after),
        .desired_before = desired_,
        .desired_after = std::move(desired_after),
        .flows = std::nullopt,
    };
}

void Reconciler::set_surroundings(Surroundings surroundings) {
    surroundings_ = std::move(surroundings);
    follow_newest();
}

void Reconciler::follow_newest() const {
    if (surroundings_.follow) {
        surroundings_.follow(newest().configuration);
    }
}

const Declaration& Reconciler::newest() const {
    return candidate_ ? *candidate_ : *current_;
}

std::expected<void, Refusal> Reconciler::take_next_generation() {
    if (auto saved = directory_.save_generation(last_generation_ + 1); !saved) {
        return saved;
    }
    ++last_generation_;
    return {};
}

void Reconciler::rebuild_desired() {
    // First the places: find_condition() finds a backend's policy by them.
    desired_ = config::to_desired_state(newest().configuration, key_, last_generation_);
    places_.clear();
    for (std::size_t i = 0; i < desired_.services.size(); ++i) {
        const ServiceSpec& service = desired_.services[i];
        for (std::size_t j = 0; j < service.backends.size(); ++j) {
            places_[{.service = service.key, .backend = service.backends[j].key}] = {i, j};
        }
    }
    forget_gone_backends();
    for (std::size_t i = 0; i < desired_.services.size(); ++i) {
        limit_shrinking(i);
        EffectiveService service = make_effective_service(
            newest().configuration.services[i],
            overrides_,
            [this](const BackendRef& ref) { return find_condition(ref); }
        );
        desired_.services[i] = std::move(service.spec);
        announce_decision(desired_.services[i], service.decision, policy_of(i));
    }
}

void Reconciler::set_probe_targets() {
    // Both: what is in force must stay watched until the candidate is.
    std::map<BackendRef, ProbeTarget> targets;
    std::map<BackendRef, bpf::ProbeTarget> ways;
    for (const DeclarationPtr& declaration : {candidate_, current_}) {
        if (!declaration) {
            continue;
        }
        for (const config::ServiceConfig& service : declaration->configuration.services) {
            if (service.probe.type == config::ProbeType::none) {
                continue;
            }
            auto probe = std::make_shared<config::ProbeConfig>(service.probe);
            if (probe->host.empty()) {
                probe->host = default_host(service.spec.key);
            }
            for (const BackendSpec& backend : service.spec.backends) {
                const BackendRef ref{.service = service.spec.key, .backend = backend.key};
                targets.try_emplace(ref, ProbeTarget{.ref = ref, .probe = probe});
                if (const auto way = find_way(service, backend)) {
                    ways.try_emplace(ref, *way);
                }
            }
        }
    }
    probe_paths_.set_targets(ways);
    std::vector<ProbeTarget> list;
    for (auto& [ref, target] : targets) {
        list.push_back(std::move(target));
    }
    health_.set_targets(list);
}

const BackendSpec* Reconciler::find_desired(const BackendRef& ref) const {
    const auto found = places_.find(ref);
    return found == places_.end()
               ? nullptr
               : &desired_.services[found->second.first].backends[found->second.second];
}

void Reconciler::report_reload(ReloadSource source, ReloadResult result, std::string detail) {
    last_reload_ = LastReload{
        .time = std::chrono::system_clock::now(),
        .source = source,
        .result = result,
        // Before the first rebuild_desired() the number that was saved last is what is known.
        .generation = desired_.generation != 0 ? desired_.generation : last_generation_,
        .detail = std::move(detail),
    };
}

const config::Configuration& Reconciler::configuration() const {
    return newest().configuration;
}

const std::string& Reconciler::configuration_text() const {
    return current_ ? current_->text : candidate_->text;
}

std::optional<std::uint64_t> Reconciler::live_generation() const {
    return live_ ? std::optional(live_->generation) : std::nullopt;
}

HealthView Reconciler::health_of(const BackendRef& ref) const {
    if (auto view = health_.view(ref)) {
        const BackendCondition condition = find_condition(ref).value_or(BackendCondition{});
        if (condition.is_held) {
            view->reason += "; held down for flapping";
        }
        if (condition.is_kept) {
            view->reason += "; stays in use: too many went down at once";
        }
        return std::move(*view);
    }
    return {
        .health = Health::up,
        .reason = "not probed (probe type none)",
        .since = std::nullopt,
        .report = std::nullopt
    };
}

std::string Reconciler::restart_reason() const {
    if (!dataplane_instance_) {
        return {};
    }
    const config::Configuration& configuration = newest().configuration;
    const bool dataplane_changed = configuration.dataplane != started_with_dataplane_;
    const bool node_changed = configuration.node != started_with_node_;
    if (!dataplane_changed && !node_changed) {
        return {};
    }
    return fmt::format(
        "{} changed: takes effect when penstock-dp restarts",
        dataplane_changed && node_changed ? "[dataplane] and [node] have"
        : dataplane_changed               ? "[dataplane] has"
                                          : "[node] has"
    );
}

} // namespace penstock
