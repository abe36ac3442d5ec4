// SPDX-License-Identifier: Apache-2.0
// View of a change that has not been made.
#include "controlplane/api/views.hpp"
#include "controlplane/state/change_plan.hpp"

#include <boost/json/array.hpp>

namespace penstock {

namespace json = boost::json;

namespace {

template <typename Number>
json::value number_or_null(const std::optional<Number>& number) {
    return number ? json::value(*number) : json::value(nullptr);
}

json::array make_fields(const std::vector<FieldChange>& fields) {
    json::array list;
    for (const FieldChange& field : fields) {
        list.push_back(
            json::object{{"field", field.field}, {"before", field.before}, {"after", field.after}}
        );
    }
    return list;
}

json::object make_backend(const BackendPlan& backend) {
    return {
        {"kind", to_string(backend.kind)},
        {"name", backend.name},
        {"address", backend.key.address.to_string()},
        {"port", backend.key.port},
        {"fields", make_fields(backend.fields)},
        {"flows", number_or_null(backend.flows)},
        {"flow_fate", to_string(backend.fate)},
    };
}

json::object make_service(const ServicePlan& service) {
    json::array backends;
    for (const BackendPlan& backend : service.backends) {
        backends.push_back(make_backend(backend));
    }
    return {
        {"kind", to_string(service.kind)},
        {"name", service.name},
        {"vip", service.key.vip.to_string()},
        {"protocol", to_string(service.key.protocol)},
        {"port", service.key.port},
        {"fields", make_fields(service.fields)},
        {"backends", std::move(backends)},
        {"slots", service.slots},
        {"slots_moved", number_or_null(service.slots_moved)},
        {"moved_share", number_or_null(moved_share(service.slots, service.slots_moved))},
        {"flows", number_or_null(service.flows)},
        {"flows_drained", number_or_null(service.flows_drained)},
        {"flows_cut", number_or_null(service.flows_cut)},
    };
}

} // namespace

json::object make_plan_view(const ChangePlan& plan) {
    json::array sections;
    for (const std::string& section : plan.sections) {
        sections.push_back(json::value(section));
    }
    json::array services;
    for (const ServicePlan& service : plan.services) {
        services.push_back(make_service(service));
    }
    return {
        {"changed", !plan.sections.empty() || !plan.services.empty()},
        {"sections", std::move(sections)},
        {"services", std::move(services)},
        {"slots", plan.slots},
        {"slots_moved", number_or_null(plan.slots_moved)},
        {"moved_share", number_or_null(moved_share(plan.slots, plan.slots_moved))},
        {"flows", number_or_null(plan.flows)},
        {"flows_drained", number_or_null(plan.flows_drained)},
        {"flows_cut", number_or_null(plan.flows_cut)},
    };
}

} // namespace penstock
