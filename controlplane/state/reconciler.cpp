// SPDX-License-Identifier: Apache-2.0
// Reconciler, what is wanted: changes of the configuration and of overrides. Its other parts:
// reconciler_start.cpp (which configuration), reconciler_push.cpp (the way to the dataplane),
// reconciler_wait.cpp (who waits for it).
#include "controlplane/state/reconciler.hpp"

#include "controlplane/state/atomic_file.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <utility>

namespace penstock {

namespace {

ChangeError not_saved(const Refusal& refusal, std::string_view in_force) {
    return {
        .kind = ChangeErrorKind::state_not_saved,
        .detail = fmt::format("{}: {}; {}", refusal.place, refusal.cause, in_force),
        .remedy = refusal.remedy,
        .diagnostics = {},
    };
}

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
          [this](const BackendRef& ref, const HealthTransition& transition) {
              handle_transition(ref, transition);
          }
      ),
      link_(loop, std::move(setup.dataplane_socket), *this),
      probe_start_timer_(loop),
      waiter_timer_(loop),
      refused_timer_(loop),
      key_(loaded_.flow_hash_key),
      overrides_(std::move(loaded_.overrides)),
      last_generation_(loaded_.generation),
      set_aside_(std::move(loaded_.set_aside)) {
    dataplane_.since = std::chrono::system_clock::now();
}

Reconciler::~Reconciler() = default;

void Reconciler::reload_file(ReloadSource source) {
    auto text = read_whole_file(config_file_, config::max_file_bytes);
    if (text && *text) {
        apply_configuration(std::move(**text), config_file_, source, [](const ChangeResult&) {});
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

void Reconciler::apply_configuration(
    std::string text, const std::string& name, ReloadSource source, ChangeDone done
) {
    config::Diagnostics warnings;
    auto parsed = config::parse_configuration(text, name, &warnings);
    if (!parsed) {
        const std::size_t count = parsed.error().size();
        std::string detail =
            fmt::format("{}: {} error{}; nothing was changed", name, count, count == 1 ? "" : "s");
        spdlog::error("{}\n{}", detail, config::render(parsed.error()));
        events_.record(
            {.type = EventType::config_invalid,
             .severity = EventSeverity::critical,
             .reason = fmt::format("{} (first: {})", detail, parsed.error().front().cause)}
        );
        report_reload(source, ReloadResult::invalid, detail);
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
            .text = std::move(text),
            .configuration = std::move(*parsed),
            .source = source,
            .notes = render_warnings(warnings),
        }),
        std::move(done)
    );
}

void Reconciler::accept_candidate(DeclarationPtr candidate, ChangeDone done) {
    if (candidate->configuration == newest().configuration) {
        finish_unchanged(std::move(candidate), std::move(done));
        return;
    }
    // The number first: a gap in the numbers harms nobody, a text that was refused and yet saved
    // would be applied by the next start.
    auto saved = take_next_generation();
    if (saved) {
        saved = directory_.save_pending(candidate->text);
    }
    if (!saved) {
        ChangeError error = not_saved(saved.error(), "nothing was changed");
        events_.record(
            {.type = EventType::config_not_saved,
             .severity = EventSeverity::critical,
             .reason = error.detail}
        );
        report_reload(candidate->source, ReloadResult::not_saved, error.detail);
        done(std::unexpected(std::move(error)));
        return;
    }
    candidate_ = std::move(candidate);
    rebuild_desired();
    set_probe_targets();
    announce_services();
    whole_needed_ = true;
    std::vector<std::string> notes = candidate_->notes;
    if (std::string reason = restart_reason(); !reason.empty()) {
        notes.push_back(std::move(reason));
    }
    const ReloadSource source = candidate_->source;
    report_reload(source, ReloadResult::pending, describe_size(candidate_->configuration));
    if (!link_.is_ready()) {
        events_.record(
            {.type = EventType::config_pending,
             .severity = EventSeverity::warning,
             .to = std::to_string(desired_.generation),
             .reason = "penstock-dp is away: " + dataplane_.reason}
        );
    }
    wait_for_live(std::nullopt, std::move(notes), std::move(done));
    push();
}

/// The text may still differ (comments, order of keys): what was applied last is what is kept.
void Reconciler::finish_unchanged(DeclarationPtr same, ChangeDone done) {
    const bool is_pending = candidate_ != nullptr;
    const auto saved =
        is_pending ? directory_.save_pending(same->text) : directory_.save_applied(same->text);
    if (!saved) {
        done(std::unexpected(not_saved(saved.error(), "the same configuration stays in force")));
        return;
    }
    const ReloadSource source = same->source;
    ChangeReply reply = make_reply(desired_.generation, false);
    reply.detail = is_pending ? "the same configuration is pending already"
                              : "the configuration is the same as the applied one";
    reply.notes = same->notes;
    if (!is_pending) {
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
    report_reload(source, is_pending ? ReloadResult::pending : ReloadResult::applied, reply.detail);
    done(std::move(reply));
}

void Reconciler::set_admin(
    std::string_view service, std::string_view backend, AdminState admin, ChangeDone done
) {
    const auto& services = newest().configuration.services;
    const auto owner = std::ranges::find(services, service, [](const auto& item) {
        return std::string_view(item.spec.name);
    });
    const BackendSpec* spec = nullptr;
    if (owner != services.end()) {
        const auto& backends = owner->spec.backends;
        const auto found = std::ranges::find(backends, backend, [](const BackendSpec& item) {
            return std::string_view(item.name);
        });
        spec = found == backends.end() ? nullptr : &*found;
    }
    if (spec == nullptr) {
        done(std::unexpected(ChangeError{
            .kind = ChangeErrorKind::not_found,
            .detail = owner == services.end()
                          ? fmt::format("there is no service '{}'", service)
                          : fmt::format("service '{}' has no backend '{}'", service, backend),
            .remedy = "GET /v1/backends lists them",
            .diagnostics = {},
        }));
        return;
    }
    const BackendRef ref{.service = owner->spec.key, .backend = spec->key};
    const BackendSpec* now = find_desired(ref);
    const AdminState before = now == nullptr ? spec->admin : now->admin;
    if (before == admin) {
        ChangeReply reply = make_reply(desired_.generation, false);
        reply.detail = fmt::format("{}/{} is {} already", service, backend, to_string(admin));
        done(std::move(reply));
        return;
    }
    Overrides changed = overrides_;
    if (admin == spec->admin) {
        changed.erase(ref);
    } else {
        changed[ref] = admin;
    }
    auto saved = take_next_generation(); // first, as for a candidate
    if (saved) {
        saved = directory_.save_overrides(changed);
    }
    if (!saved) {
        done(std::unexpected(not_saved(
            saved.error(), fmt::format("{}/{} stays {}", service, backend, to_string(before))
        )));
        return;
    }
    overrides_ = std::move(changed);
    events_.record(
        {.type = EventType::backend_admin,
         .service = std::string(service),
         .backend = std::string(backend),
         .from = std::string(to_string(before)),
         .to = std::string(to_string(admin)),
         .reason = "by the API"}
    );
    rebuild_desired();
    announce_services();
    whole_needed_ = true;
    wait_for_live(ref, {}, std::move(done));
    push();
}

PlanInput Reconciler::make_plan_input(config::Configuration after) const {
    DesiredState desired_after = make_effective_state(
        after,
        overrides_,
        [this](const BackendRef& ref) -> std::optional<Health> {
            if (const BackendSpec* known = find_desired(ref)) {
                return known->health;
            }
            return Health::up;
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
    desired_ = make_effective_state(
        newest().configuration,
        overrides_,
        [this](const BackendRef& ref) { return health_.health(ref); },
        key_,
        last_generation_
    );
    places_.clear();
    for (std::size_t i = 0; i < desired_.services.size(); ++i) {
        const ServiceSpec& service = desired_.services[i];
        for (std::size_t j = 0; j < service.backends.size(); ++j) {
            places_[{.service = service.key, .backend = service.backends[j].key}] = {i, j};
        }
    }
}

void Reconciler::set_probe_targets() {
    // Both: what is in force must stay watched until the candidate is.
    std::map<BackendRef, ProbeTarget> targets;
    for (const DeclarationPtr& declaration : {candidate_, current_}) {
        if (!declaration) {
            continue;
        }
        for (const config::ServiceConfig& service : declaration->configuration.services) {
            if (service.probe.type == config::ProbeType::none) {
                continue;
            }
            config::ProbeConfig probe = service.probe;
            if (probe.host.empty()) {
                probe.host = default_host(service.spec.key);
            }
            for (const BackendSpec& backend : service.spec.backends) {
                const BackendRef ref{.service = service.spec.key, .backend = backend.key};
                targets.try_emplace(ref, ProbeTarget{.ref = ref, .probe = probe});
            }
        }
    }
    std::vector<ProbeTarget> list;
    list.reserve(targets.size());
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
        return std::move(*view);
    }
    return {.health = Health::up, .reason = "not probed (probe type none)", .since = std::nullopt};
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
