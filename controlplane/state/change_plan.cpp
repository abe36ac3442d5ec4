// SPDX-License-Identifier: Apache-2.0
#include "controlplane/state/change_plan.hpp"

#include "controlplane/state/slot_moves.hpp"

#include <fmt/format.h>
#include <utility>

namespace penstock {

namespace {

using Flows = std::map<BackendRef, std::uint64_t>;

void note(
    std::vector<FieldChange>& fields, std::string_view field, std::string before, std::string after
) {
    if (before != after) {
        fields.push_back(
            {.field = std::string(field), .before = std::move(before), .after = std::move(after)}
        );
    }
}

std::optional<std::uint64_t> find_flows(const std::optional<Flows>& flows, const BackendRef& ref) {
    if (!flows) {
        return std::nullopt;
    }
    const auto found = flows->find(ref);
    return found == flows->end() ? 0 : found->second;
}

void add(std::optional<std::uint64_t>& sum, const std::optional<std::uint64_t>& part) {
    sum = sum && part ? std::optional(*sum + *part) : std::nullopt;
}

/// A backend, and what its service does with the flows of one that is down.
struct Placed {
    const BackendSpec& backend;
    DownPolicy on_down;
};

/// Of a backend that both have.
FlowFate judge_flows(const Placed& old_one, const Placed& new_one) {
    const BackendSpec& before = old_one.backend;
    const BackendSpec& after = new_one.backend;
    if (keeps_flows(before, old_one.on_down) && !keeps_flows(after, new_one.on_down)) {
        return FlowFate::cut;
    }
    return takes_new_flows(before) && !takes_new_flows(after) ? FlowFate::drained : FlowFate::kept;
}

std::vector<FieldChange> compare_backends(const BackendSpec& before, const BackendSpec& after) {
    std::vector<FieldChange> fields;
    note(fields, "name", before.name, after.name);
    note(fields, "weight", std::to_string(before.weight), std::to_string(after.weight));
    note(
        fields, "admin", std::string(to_string(before.admin)), std::string(to_string(after.admin))
    );
    return fields;
}

/// Every backend of the old service; takes from `left` what the new one has of them.
void plan_old_backends(
    const ServiceSpec& before,
    DownPolicy new_on_down,
    std::map<BackendKey, const BackendSpec*>& left,
    const std::optional<Flows>& flows,
    ServicePlan& plan
) {
    for (const BackendSpec& backend : before.backends) {
        BackendPlan item{
            .kind = PlanKind::removed,
            .name = backend.name,
            .key = backend.key,
            .fields = {},
            .fate = FlowFate::drained, // what is removed keeps its flows until they end
            .flows = find_flows(flows, {.service = before.key, .backend = backend.key}),
        };
        if (const auto found = left.find(backend.key); found != left.end()) {
            item.kind = PlanKind::changed;
            item.fields = compare_backends(backend, *found->second);
            item.fate = judge_flows({backend, before.on_down}, {*found->second, new_on_down});
            left.erase(found);
        } else if (!keeps_flows(backend, before.on_down)) {
            item.fate = FlowFate::cut; // it had none to keep
        }
        const std::uint64_t none = 0;
        add(plan.flows, item.flows);
        add(plan.flows_drained, item.fate == FlowFate::drained ? item.flows : none);
        add(plan.flows_cut, item.fate == FlowFate::cut ? item.flows : none);
        if (item.kind == PlanKind::removed || !item.fields.empty()) {
            plan.backends.push_back(std::move(item));
        }
    }
}

void plan_backends(
    const ServiceSpec& before,
    const ServiceSpec& after,
    const std::optional<Flows>& flows,
    ServicePlan& plan
) {
    std::map<BackendKey, const BackendSpec*> left;
    for (const BackendSpec& backend : after.backends) {
        left.emplace(backend.key, &backend);
    }
    plan_old_backends(before, after.on_down, left, flows, plan);
    for (const BackendSpec& backend : after.backends) {
        if (left.contains(backend.key)) {
            plan.backends.push_back(
                {.kind = PlanKind::added,
                 .name = backend.name,
                 .key = backend.key,
                 .fields = {},
                 .fate = FlowFate::kept,
                 .flows = flows ? std::optional<std::uint64_t>(0) : std::nullopt}
            );
        }
    }
}

ServicePlan begin_plan(PlanKind kind, const ServiceSpec& service, bool has_flows) {
    const auto none = has_flows ? std::optional<std::uint64_t>(0) : std::nullopt;
    return {
        .kind = kind,
        .name = service.name,
        .key = service.key,
        .fields = {},
        .backends = {},
        .slots = kind == PlanKind::added ? 0 : service.maglev_size,
        .slots_moved = 0,
        .flows = none,
        .flows_drained = none,
        .flows_cut = none,
    };
}

/// Its packets match no service any more: every flow is cut.
ServicePlan plan_removal(const ServiceSpec& service, const std::optional<Flows>& flows) {
    ServicePlan plan = begin_plan(PlanKind::removed, service, flows.has_value());
    plan.slots_moved = plan.slots;
    for (const BackendSpec& backend : service.backends) {
        const auto count = find_flows(flows, {.service = service.key, .backend = backend.key});
        add(plan.flows, count);
        add(plan.flows_cut, count);
        plan.backends.push_back(
            {.kind = PlanKind::removed,
             .name = backend.name,
             .key = backend.key,
             .fields = {},
             .fate = FlowFate::cut,
             .flows = count}
        );
    }
    return plan;
}

ServicePlan plan_addition(const ServiceSpec& service, const std::optional<Flows>& flows) {
    ServicePlan plan = begin_plan(PlanKind::added, service, flows.has_value());
    ServiceSpec nothing = service;
    nothing.backends.clear();
    plan_backends(nothing, service, flows, plan);
    return plan;
}

ServicePlan plan_service(
    const config::ServiceConfig& old_config,
    const config::ServiceConfig& new_config,
    const ServiceSpec& before,
    const ServiceSpec& after,
    const PlanInput& input
) {
    ServicePlan plan = begin_plan(PlanKind::changed, before, input.flows.has_value());
    note(plan.fields, "name", before.name, after.name);
    note(
        plan.fields,
        "forwarding",
        std::string(to_string(before.forwarding)),
        std::string(to_string(after.forwarding))
    );
    note(
        plan.fields,
        "maglev_size",
        std::to_string(before.maglev_size),
        std::to_string(after.maglev_size)
    );
    plan_backends(before, after, input.flows, plan);
    // Whatever else the services have (a probe, a policy): that it differs is worth saying, how is in the
    // file.
    config::ServiceConfig rest = new_config;
    rest.spec = old_config.spec;
    if (!(rest == old_config)) {
        plan.fields.push_back({.field = "probe", .before = "", .after = "another"});
    }
    ServiceSpec same = after;
    same.name = before.name;
    same.forwarding = before.forwarding;
    same.maglev_size = before.maglev_size;
    same.backends = before.backends;
    if (!(same == before)) {
        plan.fields.push_back({.field = "policy", .before = "", .after = "another"});
    }
    if (!(before == after)) {
        const auto moves = count_slot_moves(before, after, input.desired_after);
        plan.slots_moved = moves ? std::optional(moves->moved) : std::nullopt;
    }
    return plan;
}

std::vector<std::string>
compare_sections(const config::Configuration& before, const config::Configuration& after) {
    std::vector<std::string> sections;
    if (!(before.node == after.node)) {
        sections.emplace_back("node");
    }
    if (!(before.api == after.api)) {
        sections.emplace_back("api");
    }
    if (!(before.dataplane == after.dataplane) || before.tunnel_sources != after.tunnel_sources) {
        sections.emplace_back("dataplane");
    }
    if (!(before.flow_timeouts == after.flow_timeouts)) {
        sections.emplace_back("flow");
    }
    if (before.nat_sources != after.nat_sources) {
        sections.emplace_back("nat");
    }
    if (!(before.access == after.access)) {
        sections.emplace_back("access");
    }
    return sections;
}

} // namespace

std::string_view to_string(PlanKind kind) {
    switch (kind) {
    case PlanKind::added:
        return "added";
    case PlanKind::removed:
        return "removed";
    case PlanKind::changed:
        return "changed";
    }
    return "changed";
}

std::string_view to_string(FlowFate fate) {
    switch (fate) {
    case FlowFate::kept:
        return "kept";
    case FlowFate::drained:
        return "drained";
    case FlowFate::cut:
        return "cut";
    }
    return "kept";
}

ChangePlan make_change_plan(const PlanInput& input) {
    ChangePlan total;
    total.sections = compare_sections(input.before, input.after);
    total.slots_moved = 0;
    total.flows = total.flows_drained = total.flows_cut =
        input.flows ? std::optional<std::uint64_t>(0) : std::nullopt;
    std::map<ServiceKey, std::size_t> after;
    for (std::size_t i = 0; i < input.desired_after.services.size(); ++i) {
        after.emplace(input.desired_after.services[i].key, i);
    }
    // desired_*.services and the configurations' are the same services in the same order.
    for (std::size_t i = 0; i < input.desired_before.services.size(); ++i) {
        const ServiceSpec& before = input.desired_before.services[i];
        const auto found = after.find(before.key);
        ServicePlan plan = found == after.end() ? plan_removal(before, input.flows)
                                                : plan_service(
                                                      input.before.services.at(i),
                                                      input.after.services.at(found->second),
                                                      before,
                                                      input.desired_after.services[found->second],
                                                      input
                                                  );
        total.slots += plan.slots;
        add(total.slots_moved, plan.slots_moved);
        add(total.flows, plan.flows);
        add(total.flows_drained, plan.flows_drained);
        add(total.flows_cut, plan.flows_cut);
        if (found == after.end() || !plan.fields.empty() || !plan.backends.empty()) {
            total.services.push_back(std::move(plan));
        }
        if (found != after.end()) {
            after.erase(found);
        }
    }
    for (const ServiceSpec& service : input.desired_after.services) {
        if (after.contains(service.key)) {
            total.services.push_back(plan_addition(service, input.flows));
        }
    }
    return total;
}

std::optional<double> moved_share(std::uint64_t slots, const std::optional<std::uint64_t>& moved) {
    if (!moved) {
        return std::nullopt;
    }
    return slots == 0 ? 0.0 : static_cast<double>(*moved) / static_cast<double>(slots);
}

} // namespace penstock
