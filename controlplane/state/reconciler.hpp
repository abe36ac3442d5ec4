// SPDX-License-Identifier: Apache-2.0
// Holds what is wanted and sees to it that the dataplane has it.
//
//   current    the configuration that the dataplane accepted last; on disk as applied.toml
//   candidate  a newer one that it has not accepted yet; on disk as pending.toml. Accepted: it
//   becomes
//              current. Refused: it is dropped, and what was live stays.
//   desired    the newest of them with overrides and health: the next thing to be live
//   live       what the dataplane acknowledged last
//   on trial   current or candidate, if it was applied with a time to confirm it in; the entry of the
//              history that comes back otherwise is on disk in confirmation.json
//
// One message is under way at a time. While it is, or while the dataplane is away, changes only
// alter `desired`: nothing queues but the newest. When the dataplane comes back it gets the whole
// of it, with a generation above its own. Health flips alone travel as UpdateHealth and keep the
// generation.
//
// Thread rule: the loop's thread. Must be destroyed before the loop.
#pragma once

#include "controlplane/config/configuration.hpp"
#include "controlplane/dataplane_link/dataplane_link.hpp"
#include "controlplane/events/event_log.hpp"
#include "controlplane/health/backend_course.hpp"
#include "controlplane/health/health_checker.hpp"
#include "controlplane/health/probe_paths.hpp"
#include "controlplane/health/service_decision.hpp"
#include "controlplane/health/shrink_limit.hpp"
#include "controlplane/state/change.hpp"
#include "controlplane/state/change_plan.hpp"
#include "controlplane/state/declaration.hpp"
#include "controlplane/state/effective_state.hpp"
#include "controlplane/state/state_directory.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstdint>
#include <expected>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace penstock {

/// The dataplane as it was last seen.
struct DataplaneView {
    enum class State : std::uint8_t { connecting, connected, refused };

    State state = State::connecting;
    WallTime since;
    std::string reason;           ///< why not connected, or why it refuses
    std::optional<Hello> hello;   ///< the last one
    std::optional<Status> status; ///< while connected
};

class Reconciler final : private DataplaneLinkListener {
public:
    struct Setup {
        std::string config_file;
        std::string dataplane_socket;
        LoadedState loaded;
    };

    /// What of a configuration concerns this process beside the dataplane.
    struct Surroundings {
        /// Whether it would work here; what it finds refuses the change.
        std::function<config::Diagnostics(const config::Configuration&)> check;
        /// This is wanted now. Also called when the same is wanted again: files may have changed.
        std::function<void(const config::Configuration&)> follow;
    };

    Reconciler(
        boost::asio::io_context& loop, StateDirectory& directory, EventLog& events, Setup setup
    );
    ~Reconciler();

    /// Chooses the configuration (pending and applied of the state directory, else the file),
    /// begins to probe and to connect. Without a usable configuration: the rendered reason, and
    /// nothing runs.
    [[nodiscard]] std::expected<void, std::string> start();

    /// From now on; follow() is called at once. REQUIRES: start() has succeeded.
    void set_surroundings(Surroundings surroundings);

    /// Reads the configuration file again.
    void reload_file(ReloadSource source);

    /// Refused while another configuration is on trial, unless it is the way back.
    void apply_configuration(ApplyRequest request, ChangeDone done);

    /// Ends the trial: what is on trial stays.
    void confirm(const Actor& actor, ChangeDone done);

    /// Makes an entry of the history the configuration that runs; without a number the one that a trial
    /// would go back to, else the one before the newest. Ends a trial.
    void roll_back(std::optional<std::uint64_t> number, const Actor& actor, ChangeDone done);

    /// Lays an override over the configuration; what says the same as the configuration is none.
    void set_override(const OverrideRequest& request, ChangeDone done);

    /// Takes overrides away: of one backend, by the names of the configuration, or all.
    void clear_override(
        const std::string& service, const std::string& backend, const Actor& actor, ChangeDone done
    );
    void clear_overrides(const Actor& actor, ChangeDone done);

    /// Both sides of the change that applying `after` would be, without flows; overrides and health are
    /// laid over both, and backends that are new count as up.
    [[nodiscard]] PlanInput make_plan_input(config::Configuration after) const;

    /// Asks the dataplane; `done` is called now or later, in any case.
    void explain(ExplainPackets packets, DataplaneLink::OnExplained done);

    /// Answers everybody who waits. For an orderly end.
    void stop();

    [[nodiscard]] const config::Configuration& configuration() const;
    [[nodiscard]] const std::string& configuration_text() const;

    /// The text of configuration(); configuration_text() is that of the applied one.
    [[nodiscard]] const std::string& newest_text() const { return newest().text; }

    [[nodiscard]] const DesiredState& desired() const { return desired_; }

    [[nodiscard]] std::optional<std::uint64_t> live_generation() const;
    [[nodiscard]] HealthView health_of(const BackendRef& ref) const;

    /// What the health policy made of desired().services[service], and how often since the start
    /// there was panic.
    [[nodiscard]] const ServiceDecision& decision_of(std::size_t service) const;
    [[nodiscard]] std::uint64_t panics_of(std::size_t service) const;

    /// What the health policy of desired().services[service] found that needs a human; empty if
    /// nothing.
    [[nodiscard]] std::string policy_problem(std::size_t service) const;

    /// judge_service() of a service of desired(), but never up in a panic; and why, as a sentence that
    /// is empty when it is up.
    [[nodiscard]] ServiceState state_of(const ServiceSpec& service) const;
    [[nodiscard]] std::string reason_of(const ServiceSpec& service) const;

    [[nodiscard]] const DataplaneView& dataplane() const { return dataplane_; }

    [[nodiscard]] const std::optional<LastReload>& last_reload() const { return last_reload_; }

    [[nodiscard]] const Overrides& overrides() const { return overrides_; }

    [[nodiscard]] const History& history() const { return history_; }

    /// The history's number of the applied configuration; 0 if it could not be written there.
    [[nodiscard]] std::uint64_t current_number() const { return current_number_; }

    /// What is on trial, if anything is.
    [[nodiscard]] const std::optional<Confirmation>& confirmation() const { return confirmation_; }

    [[nodiscard]] const std::string& config_file() const { return config_file_; }

    [[nodiscard]] std::string applied_path() const { return directory_.applied_path(); }

    [[nodiscard]] std::optional<WallTime> applied_at() const { return applied_at_; }

    [[nodiscard]] const std::vector<std::string>& set_aside() const { return set_aside_; }

    /// What of the configuration only a restart of penstock-dp brings into force; empty: nothing.
    [[nodiscard]] std::string restart_reason() const;

private:
    /// Somebody who waits for a generation to be live.
    struct Waiter {
        std::uint64_t generation = 0;
        std::optional<BackendRef> override_of; ///< nothing: waits for a configuration
        ChangeDone done;
        std::vector<std::string> notes;
        std::chrono::steady_clock::time_point deadline;
    };

    struct UnderWay {
        DesiredState state;         ///< what was sent; for flips only the changes below
        DeclarationPtr declaration; ///< nothing for flips
        std::vector<HealthChange> flips;
    };

    // reconciler_start.cpp, reconciler.cpp, reconciler_wait.cpp
    [[nodiscard]] std::expected<void, std::string> choose_configuration();
    [[nodiscard]] std::expected<void, std::string> choose_from_file();
    [[nodiscard]] DeclarationPtr parse_saved(std::string_view name, const SealedText& saved);
    [[nodiscard]] const Declaration& newest() const;
    void accept_candidate(
        DeclarationPtr candidate,
        std::optional<std::chrono::seconds> confirm_within,
        ChangeDone done
    );
    void fail_change(const Declaration& candidate, ChangeError error, ChangeDone done);
    [[nodiscard]] std::expected<void, Refusal> take_next_generation();
    void follow_newest() const;
    void rebuild_desired();
    void set_probe_targets();
    [[nodiscard]] const BackendSpec* find_desired(const BackendRef& ref) const;
    void announce_pending();
    void finish_unchanged(DeclarationPtr same, ChangeDone done);

    // reconciler_health.cpp
    void handle_transition(const BackendRef& ref, const HealthTransition& transition);
    void handle_report(const BackendRef& ref, const AgentReport& report);
    void push_policy_soon();
    [[nodiscard]] const config::HealthPolicy& policy_of(std::size_t service) const;
    void
    record_course(const BackendRef& ref, const HealthTransition& transition, std::size_t service);
    void refresh_soon(std::size_t service);
    void refresh_service(std::size_t index);
    void limit_shrinking(std::size_t index);
    void announce_decision(
        const ServiceSpec& service,
        const ServiceDecision& decision,
        const config::HealthPolicy& policy
    );
    void watch_course(const BackendRef& ref);
    void set_course_timer();
    void take_course_steps(std::chrono::steady_clock::time_point since);
    void note_added(const config::Configuration& after);
    void forget_gone_backends();
    [[nodiscard]] std::optional<BackendCondition> find_condition(const BackendRef& ref) const;
    void announce_services();
    void announce_service(const ServiceSpec& service);
    void patch_live(const std::vector<HealthChange>& changes);
    void wait_for_live(
        std::optional<BackendRef> override_of, std::vector<std::string> notes, ChangeDone done
    );
    [[nodiscard]] ChangeReply make_reply(std::uint64_t generation, bool changed) const;
    void report_reload(ReloadSource source, ReloadResult result, std::string detail);

    // reconciler_trial.cpp
    void find_current_in_history();
    void add_to_history(const Declaration& declaration, std::uint64_t generation);
    [[nodiscard]] std::expected<void, ChangeError>
    begin_trial(std::chrono::seconds window, const Actor& actor);
    void end_trial(std::string outcome);
    void watch_trial(std::chrono::milliseconds left);
    void end_unconfirmed();
    void resume_trial();

    // reconciler_override.cpp
    struct Named {
        const config::ServiceConfig* service = nullptr;
        const BackendSpec* backend = nullptr;
    };

    [[nodiscard]] std::expected<Named, ChangeError>
    find_named(const std::string& service, const std::string& backend) const;
    void change_overrides(
        Overrides changed,
        std::optional<BackendRef> of,
        const std::vector<Event>& events,
        ChangeDone done
    );
    [[nodiscard]] std::optional<ChangeError>
    check_last_healthy(std::size_t service, const BackendSpec& changed) const;
    [[nodiscard]] ServiceSpec make_as_probed(std::size_t service) const;

    // reconciler_push.cpp
    void link_ready(const Hello& hello, const Status& status) override;
    void link_failed(LinkFailure failure, const std::string& reason) override;
    void status_received(const Status& status) override;
    void push();
    void push_whole();
    void push_flips();
    void take_whole_answer(const DataplaneLink::Answer& answer);
    void take_flips_answer(const DataplaneLink::Answer& answer);
    void take_refused(const UnderWay& refused, const Refused& answer);
    void retry_later();
    void commit(const DeclarationPtr& declaration);
    void report_not_saved(const Declaration& declaration, const Refusal& error);
    void drop_candidate(const UnderWay& refused, const std::string& reason);
    void resolve_waiters(std::uint64_t up_to);
    void expire_waiters();
    void begin_probing();

    StateDirectory& directory_;
    EventLog& events_;
    Surroundings surroundings_;
    std::string config_file_;
    LoadedState loaded_; ///< emptied by start()
    ProbePaths probe_paths_;
    HealthChecker health_;
    DataplaneLink link_;
    boost::asio::steady_timer probe_start_timer_;
    boost::asio::steady_timer waiter_timer_;
    boost::asio::steady_timer refused_timer_;
    boost::asio::steady_timer trial_timer_;
    boost::asio::steady_timer policy_timer_;
    boost::asio::steady_timer refresh_timer_;
    boost::asio::steady_timer course_timer_;

    FlowHashKey key_;
    Overrides overrides_;
    std::uint64_t last_generation_ = 0;
    DeclarationPtr current_;
    DeclarationPtr candidate_;
    History history_;
    std::uint64_t current_number_ = 0; ///< of current_ in history_
    std::optional<Confirmation> confirmation_;
    std::string last_trial_; ///< how the last one ended
    DesiredState desired_;
    std::map<BackendRef, std::pair<std::size_t, std::size_t>>
        places_; ///< service and backend in desired_
    std::optional<DesiredState> live_;
    bool whole_needed_ = true;
    bool is_retry_pending_ = false;  ///< refused_timer_ runs
    bool is_policy_pending_ = false; ///< policy_timer_ runs
    std::chrono::steady_clock::time_point last_policy_push_;
    bool is_course_watched_ = false;              ///< course_timer_ runs
    std::map<BackendRef, BackendCourse> courses_; ///< of those that went down or start slowly
    std::set<BackendRef> added_;                  ///< not up yet since they were added
    std::set<ServiceKey> dirty_services_;         ///< to be looked at when refresh_timer_ fires
    std::map<ServiceKey, ServiceDecision> decisions_;
    std::map<ServiceKey, std::uint64_t> panics_;      ///< since the start
    std::map<ServiceKey, ShrinkLimit> shrink_limits_; ///< of those whose policy has one
    std::optional<UnderWay> under_way_;
    std::map<BackendRef, Health> flips_; ///< not yet sent
    std::vector<Waiter> waiters_;

    DataplaneView dataplane_;
    std::optional<std::uint64_t> dataplane_instance_;
    config::NodeConfig started_with_node_;           ///< of dataplane_instance_
    config::DataplaneConfig started_with_dataplane_; ///< of dataplane_instance_
    std::map<ServiceKey, ServiceState> service_states_;
    std::optional<LastReload> last_reload_;
    std::optional<WallTime> applied_at_;
    std::vector<std::string> set_aside_;
};

} // namespace penstock
