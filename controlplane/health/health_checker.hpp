// SPDX-License-Identifier: Apache-2.0
// Runs every backend's probes on the one loop: no threads, one timer. A probe that is due is made;
// its result goes into the backend's ProbeState; what comes out goes to the listener.
//
// Thread rule: the loop's thread. Must be destroyed before the loop.
#pragma once

#include "controlplane/backend_ref.hpp"
#include "controlplane/health/due_times.hpp"
#include "controlplane/health/probe_request.hpp"
#include "controlplane/health/probe_state.hpp"
#include "controlplane/health/prober.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

namespace penstock {

/// In overload a reply waits for its turn behind the others: at some 0.25 ms each, this many stay
/// well below any timeout. Black holes hold a place for their timeout: 1024 a second can be told
/// from the living.
inline constexpr std::size_t max_probes_in_flight = 1024;

/// What is probed, and how. Two backends of equal address in two services are two targets: their
/// services may ask different things of them.
struct ProbeTarget {
    BackendRef ref;
    ProbeConfigPtr probe; ///< of any type but none

    friend bool operator==(const ProbeTarget& left, const ProbeTarget& right) {
        return left.ref == right.ref && *left.probe == *right.probe;
    }
};

struct HealthView {
    Health health = Health::unknown;
    std::string reason; ///< empty before the first result
    std::optional<WallTime> since;
    std::optional<AgentReport> report; ///< the last one
};

/// The socket mark that leads a probe of the VIP through a backend's data path; nothing while there
/// is no such path.
using FindProbeMark = std::function<std::optional<std::uint32_t>(const BackendRef&)>;

/// Called from the loop, never from within a call of the checker's.
struct HealthListener {
    std::function<void(const BackendRef&, const HealthTransition&)> transition;
    /// The server says something else of itself than before.
    std::function<void(const BackendRef&, const AgentReport&)> report;
};

class HealthChecker {
public:
    HealthChecker(boost::asio::io_context& loop, HealthListener listener);
    HealthChecker(const HealthChecker&) = delete;
    HealthChecker& operator=(const HealthChecker&) = delete;
    ~HealthChecker();

    /// For probes with `via = "vip"`; before it is called there is no path.
    void set_marks(FindProbeMark find_mark) { find_mark_ = std::move(find_mark); }

    /// Probing begins; before, targets and adopted health may be set.
    void start();

    /// Makes `targets` the set that is probed. Those that were there keep their health and counts,
    /// and their timer too unless the probe itself changed.
    void set_targets(const std::vector<ProbeTarget>& targets);

    /// See ProbeState::adopt(). False for what is no target.
    bool adopt(const BackendRef& ref, Health health);

    /// Nothing for what is no target (probe type none).
    [[nodiscard]] std::optional<Health> health(const BackendRef& ref) const;

    /// What its agent said last; nothing for what has none.
    [[nodiscard]] std::optional<AgentReport> report(const BackendRef& ref) const;

    /// Since the start.
    [[nodiscard]] std::uint64_t probes_made() const { return probes_made_; }

    /// The same with reason and time.
    [[nodiscard]] std::optional<HealthView> view(const BackendRef& ref) const;

private:
    struct Entry;

    /// A service's probes under way, and those that wait for one of them to end.
    struct Lane {
        std::size_t limit = 0;
        std::size_t in_flight = 0;
        std::deque<std::weak_ptr<Entry>> waiting;
    };

    using Lanes = std::map<ServiceKey, std::shared_ptr<Lane>>;

    [[nodiscard]] std::shared_ptr<Lane> find_lane(const ProbeTarget& target, Lanes& kept) const;
    void schedule(const std::shared_ptr<Entry>& entry, std::chrono::microseconds delay);
    void set_timer();
    void take_due();
    void run_waiting();
    void post_run_waiting();
    [[nodiscard]] bool enter_lane(const std::shared_ptr<Entry>& entry);
    void leave_lane(Lane& lane);
    void run(const std::shared_ptr<Entry>& entry);
    [[nodiscard]] std::optional<ProbeRequest> make_request(const ProbeTarget& target) const;
    void finish(const std::shared_ptr<Entry>& entry, const ProbeResult& result);
    void warn_inconclusive(const std::string& detail);

    [[nodiscard]] double random() { return distribution_(generator_); }

    boost::asio::io_context& loop_;
    HealthListener listener_;
    FindProbeMark find_mark_;
    Prober prober_;
    bool started_ = false;
    std::map<BackendRef, std::shared_ptr<Entry>> entries_;
    Lanes lanes_; ///< of the services that limit their probes
    // An entry is in due_, in ready_, in its lane, or in flight.
    DueTimes<std::weak_ptr<Entry>> due_;
    std::deque<std::weak_ptr<Entry>> ready_;
    boost::asio::steady_timer timer_;
    std::optional<std::chrono::steady_clock::time_point> timer_at_;
    std::size_t in_flight_ = 0;
    std::uint64_t probes_made_ = 0;
    bool is_run_posted_ = false;
    std::minstd_rand generator_;
    std::uniform_real_distribution<double> distribution_{0.0, 1.0};
    std::optional<std::chrono::steady_clock::time_point> last_warning_;
};

} // namespace penstock
