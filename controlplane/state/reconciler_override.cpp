// SPDX-License-Identifier: Apache-2.0
// Reconciler, overrides: what the operator says about single backends, kept apart from the
// configuration.
#include "controlplane/state/reconciler.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <utility>

namespace penstock {

namespace {

/// What `change` says that `before` did not, as events.
std::vector<Event> make_events(
    const std::string& service,
    const BackendSpec& before,
    const BackendSpec& after,
    const Actor& actor
) {
    std::vector<Event> events;
    if (before.admin != after.admin) {
        events.push_back(
            {.type = EventType::backend_admin,
             .service = service,
             .backend = before.name,
             .from = std::string(to_string(before.admin)),
             .to = std::string(to_string(after.admin)),
             .reason = {},
             .actor = actor}
        );
    }
    if (before.weight != after.weight) {
        events.push_back(
            {.type = EventType::backend_weight,
             .service = service,
             .backend = before.name,
             .from = std::to_string(before.weight),
             .to = std::to_string(after.weight),
             .reason = {},
             .actor = actor}
        );
    }
    return events;
}

std::string describe_unchanged(const OverrideRequest& request, const BackendSpec& backend) {
    if (request.weight && !request.admin) {
        return fmt::format(
            "{}/{} has weight {} already", request.service, request.backend, backend.weight
        );
    }
    return fmt::format(
        "{}/{} is {} already", request.service, request.backend, to_string(backend.admin)
    );
}

} // namespace

std::expected<Reconciler::Named, ChangeError>
Reconciler::find_named(const std::string& service, const std::string& backend) const {
    const auto& services = newest().configuration.services;
    const auto owner = std::ranges::find(services, service, [](const auto& item) {
        return std::string_view(item.spec.name);
    });
    if (owner != services.end()) {
        const auto& backends = owner->spec.backends;
        const auto found = std::ranges::find(backends, backend, &BackendSpec::name);
        if (found != backends.end()) {
            return Named{.service = &*owner, .backend = &*found};
        }
    }
    return std::unexpected(ChangeError{
        .kind = ChangeErrorKind::not_found,
        .detail = owner == services.end()
                      ? fmt::format("there is no service '{}'", service)
                      : fmt::format("service '{}' has no backend '{}'", service, backend),
        .remedy = "GET /v1/backends lists them",
        .diagnostics = {},
    });
}

/// The service with what the probes find of its backends, as if no panic and no shrink limit kept ill ones
/// in use. What a backend's probes do not say (probe type none) is up.
ServiceSpec Reconciler::make_as_probed(std::size_t service) const {
    ServiceSpec spec = desired_.services.at(service);
    const ServiceDecision& decision = decision_of(service);
    if (!decision.is_panic && decision.kept == 0) {
        return spec;
    }
    for (BackendSpec& backend : spec.backends) {
        const auto condition = find_condition({.service = spec.key, .backend = backend.key});
        backend.health = condition ? condition->health : Health::up;
    }
    return spec;
}

/// As it is and as it is probed: a panic uses the ill ones too, which must neither hide that `changed` is the
/// last one that is well, nor let the last one be taken that is used at all.
std::optional<ChangeError>
Reconciler::check_last_healthy(std::size_t service, const BackendSpec& changed) const {
    const ServiceSpec& in_force = desired_.services.at(service);
    const auto leaves_none = [&changed](const ServiceSpec& spec) {
        const auto takes_without = [&changed](const BackendSpec& backend) {
            if (backend.key != changed.key) {
                return takes_new_flows(backend);
            }
            BackendSpec then = changed;
            then.health = backend.health;
            return takes_new_flows(then);
        };
        return std::ranges::any_of(spec.backends, takes_new_flows) &&
               std::ranges::none_of(spec.backends, takes_without);
    };
    if (leaves_none(in_force)) {
        return ChangeError{
            .kind = ChangeErrorKind::last_healthy_backend,
            .detail = fmt::format(
                "{}/{} is the last backend of its service that takes new flows; nothing was "
                "changed",
                in_force.name,
                changed.name
            ),
            .remedy =
                "bring another one up first, or force it: new flows are then dropped as no_backend",
            .diagnostics = {},
        };
    }
    if (leaves_none(make_as_probed(service))) {
        return ChangeError{
            .kind = ChangeErrorKind::last_healthy_backend,
            .detail = fmt::format(
                "{}/{} is the last backend of its service that is healthy: the others are used "
                "only "
                "because of the panic threshold; nothing was changed",
                in_force.name,
                changed.name,
                decision_of(service).is_panic ? "the panic threshold" : "the shrink limit"
            ),
            .remedy = "bring another one up first, or force it: new flows then go to servers that "
                      "their probes find down",
            .diagnostics = {},
        };
    }
    return std::nullopt;
}

void Reconciler::set_override(const OverrideRequest& request, ChangeDone done) {
    const auto named = find_named(request.service, request.backend);
    if (!named) {
        done(std::unexpected(named.error()));
        return;
    }
    const BackendSpec& declared = *named->backend;
    const BackendRef ref{.service = named->service->spec.key, .backend = declared.key};
    const auto said_before = overrides_.find(ref);
    Override said = said_before == overrides_.end() ? Override{} : said_before->second;
    // What is in force may hold an agent's word or a slow start: neither is the operator's.
    BackendSpec before = declared;
    before.admin = said.admin.value_or(declared.admin);
    before.weight = said.weight.value_or(declared.weight);
    BackendSpec after = before;
    after.admin = request.admin.value_or(before.admin);
    after.weight = request.weight.value_or(before.weight);
    if (after == before) {
        ChangeReply reply = make_reply(desired_.generation, false);
        reply.detail = describe_unchanged(request, after);
        done(std::move(reply));
        return;
    }
    const auto place = places_.find(ref);
    if (!request.force && place != places_.end()) {
        BackendSpec then = *find_desired(ref);
        then.admin = request.admin.value_or(then.admin);
        then.weight = request.weight.value_or(then.weight);
        if (auto error = check_last_healthy(place->second.first, then)) {
            done(std::unexpected(std::move(*error)));
            return;
        }
    }
    Overrides changed = overrides_;
    said.admin = after.admin == declared.admin ? std::nullopt : std::optional(after.admin);
    said.weight = after.weight == declared.weight ? std::nullopt : std::optional(after.weight);
    said.actor = request.actor;
    said.since = format_rfc3339(std::chrono::system_clock::now());
    changed.insert_or_assign(ref, said);
    if (!said.admin && !said.weight) {
        changed.erase(ref);
    }
    change_overrides(
        std::move(changed),
        ref,
        make_events(request.service, before, after, request.actor),
        std::move(done)
    );
}

void Reconciler::clear_override(
    const std::string& service, const std::string& backend, const Actor& actor, ChangeDone done
) {
    const auto named = find_named(service, backend);
    if (!named) {
        done(std::unexpected(named.error()));
        return;
    }
    const BackendRef ref{.service = named->service->spec.key, .backend = named->backend->key};
    Overrides changed = overrides_;
    if (changed.erase(ref) == 0) {
        ChangeReply reply = make_reply(desired_.generation, false);
        reply.detail = fmt::format("{}/{} has no override", service, backend);
        done(std::move(reply));
        return;
    }
    const BackendSpec* now = find_desired(ref);
    change_overrides(
        std::move(changed),
        ref,
        make_events(service, now == nullptr ? *named->backend : *now, *named->backend, actor),
        std::move(done)
    );
}

void Reconciler::clear_overrides(const Actor& actor, ChangeDone done) {
    if (overrides_.empty()) {
        ChangeReply reply = make_reply(desired_.generation, false);
        reply.detail = "there are no overrides";
        done(std::move(reply));
        return;
    }
    std::vector<Event> events;
    for (const config::ServiceConfig& service : newest().configuration.services) {
        for (const BackendSpec& declared : service.spec.backends) {
            const BackendRef ref{.service = service.spec.key, .backend = declared.key};
            const BackendSpec* now = overrides_.contains(ref) ? find_desired(ref) : nullptr;
            if (now != nullptr) {
                std::ranges::move(
                    make_events(service.spec.name, *now, declared, actor),
                    std::back_inserter(events)
                );
            }
        }
    }
    change_overrides({}, std::nullopt, events, std::move(done));
}

void Reconciler::change_overrides(
    Overrides changed,
    std::optional<BackendRef> of,
    const std::vector<Event>& events,
    ChangeDone done
) {
    auto saved = take_next_generation(); // first, as for a candidate
    if (saved) {
        saved = directory_.save_overrides(changed);
    }
    if (!saved) {
        done(std::unexpected(not_saved(saved.error(), "the overrides stay as they are")));
        return;
    }
    overrides_ = std::move(changed);
    for (const Event& event : events) {
        events_.record(event);
    }
    rebuild_desired();
    announce_services();
    whole_needed_ = true;
    wait_for_live(of, {}, std::move(done));
    push();
}

} // namespace penstock
