// SPDX-License-Identifier: Apache-2.0
#include "controlplane/api/views.hpp"
#include "controlplane/config/parse.hpp"
#include "controlplane/state/atomic_file.hpp"

#include <boost/json/array.hpp>
#include <fmt/format.h>
#include <limits>
#include <unistd.h>
#include <utility>

namespace penstock {

namespace json = boost::json;

namespace {

constexpr std::uint64_t stale_heartbeat_ns = 1'000'000'000; // a healthy one is milliseconds old
constexpr std::chrono::hours expiry_warning{14 * 24};

json::value time_or_null(const std::optional<WallTime>& time) {
    return time ? json::value(format_rfc3339(*time)) : json::value(nullptr);
}

std::string_view to_word(DataplaneView::State state) {
    switch (state) {
    case DataplaneView::State::connecting:
        return "connecting";
    case DataplaneView::State::connected:
        return "connected";
    case DataplaneView::State::refused:
        return "refused";
    }
    return "connecting";
}

struct FileState {
    std::string_view word;
    std::string detail;
};

FileState compare_file(const Reconciler& reconciler) {
    const auto text = read_whole_file(reconciler.config_file(), config::max_file_bytes);
    if (!text) {
        return {"unreadable", to_string(text.error())};
    }
    if (!*text) {
        return {"unreadable", reconciler.config_file() + ": no such file"};
    }
    const bool is_same =
        config::equals_on_disk(reconciler.configuration_text(), **text, reconciler.config_file());
    return {is_same ? "same" : "differs", {}};
}

/// "penstock-dp 0.1.0" → "0.1.0".
std::string_view version_of(std::string_view program) {
    const std::size_t space = program.rfind(' ');
    return space == std::string_view::npos ? program : program.substr(space + 1);
}

json::object make_dataplane(const Reconciler& reconciler, const Statistics* statistics) {
    const DataplaneView& view = reconciler.dataplane();
    json::object object{
        {"state", to_word(view.state)},
        {"since", format_rfc3339(view.since)},
        {"reason", text_or_null(view.reason)},
        {"version", nullptr},
        {"pid", nullptr},
        {"instance", nullptr},
        {"generation", nullptr},
    };
    if (view.hello) {
        object["version"] = version_of(view.hello->program);
        object["instance"] = fmt::format("{:016x}", view.hello->instance_id);
        // The control socket does not tell the process; the statistics of the same run do.
        if (statistics != nullptr && statistics->instance_id == view.hello->instance_id) {
            object["pid"] = statistics->pid;
        }
    }
    json::array unresolved;
    json::array ports;
    if (view.status) {
        object["generation"] = view.status->generation;
        for (const BackendStatus& backend : view.status->backends) {
            if (backend.next_hop == NextHopState::unresolved) {
                unresolved.push_back(
                    json::value(fmt::format("{}/{}", backend.service_name, backend.name))
                );
            }
        }
        for (const PortStatus& port : view.status->ports) {
            ports.push_back(json::object{
                {"name", port.name},
                {"device", port.device},
                {"driver", port.driver},
                {"mac", port.mac.to_string()},
                {"mtu", port.mtu},
                {"link", port.link == LinkState::up ? "up" : "down"},
            });
        }
    }
    object["unresolved_next_hops"] = std::move(unresolved);
    object["ports"] = std::move(ports);
    const std::string restart = reconciler.restart_reason();
    object["restart_needed"] = !restart.empty();
    object["restart_reason"] = text_or_null(restart);
    return object;
}

json::value make_last_reload(const Reconciler& reconciler) {
    const auto& reload = reconciler.last_reload();
    if (!reload) {
        return nullptr;
    }
    return json::object{
        {"time", format_rfc3339(reload->time)},
        {"source", to_string(reload->source)},
        {"result", to_string(reload->result)},
        {"generation", reload->generation},
        {"detail", text_or_null(reload->detail)},
    };
}

/// Of a dataplane that is connected: one that is away has its own sentence.
void add_dataplane_problems(
    const Reconciler& reconciler, const Statistics* statistics, json::array& problems
) {
    const DataplaneView& view = reconciler.dataplane();
    if (view.state == DataplaneView::State::connecting || !view.status) {
        return;
    }
    if (statistics != nullptr && view.hello && statistics->instance_id == view.hello->instance_id) {
        for (std::size_t i = 0; i < statistics->workers.size(); ++i) {
            const WorkerSample& worker = statistics->workers[i];
            if (worker.heartbeat_age_ns <= stale_heartbeat_ns) {
                continue;
            }
            const bool never = worker.heartbeat_age_ns == std::numeric_limits<std::uint64_t>::max();
            problems.push_back(json::value(fmt::format(
                "worker {} (lcore {}) {}: its ports' packets are not served",
                i,
                worker.lcore,
                never ? std::string("has not begun")
                      : fmt::format(
                            "gave its last sign of life {:.1f} s ago",
                            static_cast<double>(worker.heartbeat_age_ns) / 1e9
                        )
            )));
        }
    }
    for (const PortStatus& port : view.status->ports) {
        if (port.link != LinkState::up) {
            problems.push_back(
                json::value(fmt::format("port {} ({}): the link is down", port.name, port.device))
            );
        }
    }
    const std::uint64_t desired = reconciler.desired().generation;
    const auto live = reconciler.live_generation();
    if (view.state == DataplaneView::State::connected && live != desired) {
        problems.push_back(json::value(fmt::format(
            "generation {} is not live yet (live: {}): penstock-dp is still at work, or has "
            "refused it",
            desired,
            live ? std::to_string(*live) : "none of ours"
        )));
    }
}

/// Services in panic, or with too few healthy backends.
void add_policy_problems(const Reconciler& reconciler, json::array& problems) {
    const auto& services = reconciler.desired().services;
    for (std::size_t i = 0; i < services.size(); ++i) {
        if (const std::string problem = reconciler.policy_problem(i); !problem.empty()) {
            problems.push_back(json::value(fmt::format("service {}: {}", services[i].name, problem))
            );
        }
    }
}

json::object make_network(const NetworkView& network) {
    std::string_view state = "off";
    if (network.is_wanted) {
        state = network.is_listening ? "listening" : "failed";
    }
    return {
        {"state", state},
        {"listen", text_or_null(network.listen)},
        {"reason", text_or_null(network.problem)},
        {"certificate_expires", time_or_null(network.certificate_expires)},
        {"connections", network.connections},
        {"refused_logins", network.refused_logins},
    };
}

void add_network_problems(const NetworkView& network, json::array& problems) {
    if (!network.problem.empty()) {
        problems.push_back(json::value("the API over the network: " + network.problem));
    }
    const auto now = std::chrono::system_clock::now();
    if (network.certificate_expires && *network.certificate_expires < now + expiry_warning) {
        problems.push_back(json::value(fmt::format(
            "the API's certificate {} at {}: renew it",
            *network.certificate_expires < now ? "has expired" : "expires",
            format_rfc3339(*network.certificate_expires)
        )));
    }
}

/// The worst first: nothing forwarded, then nothing steered by us, then what is stale.
json::array list_problems(
    const Reconciler& reconciler,
    const Statistics* statistics,
    const json::object& dataplane,
    const NetworkView& network
) {
    json::array problems;
    const auto explain = [&reconciler](const BackendRef& ref) {
        return reconciler.health_of(ref).reason;
    };
    for (const ServiceState state : {ServiceState::down, ServiceState::degraded}) {
        if (state == ServiceState::degraded) {
            const DataplaneView& view = reconciler.dataplane();
            if (view.state == DataplaneView::State::connecting) {
                problems.push_back(json::value("penstock-dp is away: " + view.reason));
            } else if (view.state == DataplaneView::State::refused) {
                problems.push_back(json::value("penstock-dp refuses: " + view.reason));
            }
            add_dataplane_problems(reconciler, statistics, problems);
        }
        if (state == ServiceState::down) {
            add_policy_problems(reconciler, problems);
        }
        for (const ServiceSpec& service : reconciler.desired().services) {
            if (judge_service(service) == state) {
                problems.push_back(json::value(fmt::format(
                    "service {} is {}: {}",
                    service.name,
                    to_string(state),
                    describe_service(service, explain)
                )));
            }
        }
    }
    const json::array& unresolved = dataplane.at("unresolved_next_hops").as_array();
    if (!unresolved.empty()) {
        problems.push_back(json::value(fmt::format(
            "no next hop for {} backend{} (first: {}): check routes and neighbours",
            unresolved.size(),
            unresolved.size() == 1 ? "" : "s",
            std::string_view(unresolved.front().as_string())
        )));
    }
    const auto& reload = reconciler.last_reload();
    if (reload && reload->result != ReloadResult::applied &&
        reload->result != ReloadResult::pending) {
        problems.push_back(json::value(fmt::format(
            "the last reload failed ({}): {}", to_string(reload->result), reload->detail
        )));
    }
    if (std::string restart = reconciler.restart_reason(); !restart.empty()) {
        problems.push_back(json::value(std::move(restart)));
    }
    if (const auto& trial = reconciler.confirmation()) {
        problems.push_back(json::value(fmt::format(
            "a configuration is on trial: without 'penstock confirm' number {} of the history "
            "comes "
            "back at {}",
            trial->back_to,
            format_rfc3339(trial->deadline)
        )));
    }
    add_network_problems(network, problems);
    for (const std::string& sentence : reconciler.set_aside()) {
        problems.push_back(json::value(sentence));
    }
    return problems;
}

} // namespace

json::object make_status_view(
    const Reconciler& reconciler,
    const Statistics* statistics,
    const Instance& instance,
    const NetworkView& network
) {
    const DesiredState& desired = reconciler.desired();
    std::size_t by_state[3] = {};
    std::size_t in_panic = 0;
    BackendCounts counts;
    for (std::size_t i = 0; i < desired.services.size(); ++i) {
        const ServiceSpec& service = desired.services[i];
        in_panic += reconciler.decision_of(i).is_panic ? 1 : 0;
        ++by_state[static_cast<std::size_t>(reconciler.state_of(service))];
        count_backends(service, counts);
    }
    const auto live = reconciler.live_generation();
    const FileState file = compare_file(reconciler);
    json::object dataplane = make_dataplane(reconciler, statistics);
    json::array problems = list_problems(reconciler, statistics, dataplane, network);
    const std::chrono::duration<double> uptime =
        std::chrono::steady_clock::now() - instance.started_steady;
    return {
        {"node", reconciler.configuration().node.name},
        {"version", PENSTOCK_VERSION},
        {"pid", ::getpid()},
        {"instance", instance.id},
        {"started", format_rfc3339(instance.started)},
        {"uptime_seconds", uptime.count()},
        {"generation",
         json::object{
             {"desired", desired.generation},
             {"live", live ? json::value(*live) : json::value(nullptr)},
         }},
        {"dataplane", std::move(dataplane)},
        {"configuration",
         json::object{
             {"file", reconciler.config_file()},
             {"file_state", file.word},
             {"file_detail", text_or_null(file.detail)},
             {"applied", reconciler.applied_path()},
             {"applied_at", time_or_null(reconciler.applied_at())},
         }},
        {"last_reload", make_last_reload(reconciler)},
        {"services",
         json::object{
             {"total", desired.services.size()},
             {"up", by_state[0]},
             {"degraded", by_state[1]},
             {"down", by_state[2]},
             {"panic", in_panic},
         }},
        {"backends",
         json::object{
             {"total", counts.total},
             {"up", counts.up},
             {"down", counts.down},
             {"unknown", counts.unknown},
             {"drain", counts.drain},
             {"disabled", counts.disabled},
         }},
        {"api", make_network(network)},
        {"confirmation", make_confirmation_view(reconciler)},
        {"overrides", reconciler.overrides().size()},
        {"problems", std::move(problems)},
    };
}

} // namespace penstock
