// SPDX-License-Identifier: Apache-2.0
// Runs every backend's probes on the one loop: a timer each, no threads. A probe that is due starts
// a connect or an HTTP request; its result goes into the backend's ProbeState; what comes out goes
// to the listener.
//
// Thread rule: the loop's thread. Must be destroyed before the loop.
#pragma once

#include "controlplane/backend_ref.hpp"
#include "controlplane/config/configuration.hpp"
#include "controlplane/health/http_probe.hpp"
#include "controlplane/health/probe_state.hpp"

#include <boost/asio/io_context.hpp>
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
    config::ProbeConfig probe; ///< of type tcp or http; `host` is never empty for http

    friend bool operator==(const ProbeTarget&, const ProbeTarget&) = default;
};

struct HealthView {
    Health health = Health::unknown;
    std::string reason; ///< empty before the first result
    std::optional<WallTime> since;
};

class HealthChecker {
public:
    using Listener = std::function<void(const BackendRef&, const HealthTransition&)>;

    HealthChecker(boost::asio::io_context& loop, Listener listener);
    HealthChecker(const HealthChecker&) = delete;
    HealthChecker& operator=(const HealthChecker&) = delete;
    ~HealthChecker();

    /// Probing begins; before, targets and adopted health may be set.
    void start();

    /// Makes `targets` the set that is probed. Those that were there keep their health and counts,
    /// and their timer too unless the probe itself changed.
    void set_targets(const std::vector<ProbeTarget>& targets);

    /// See ProbeState::adopt(). False for what is no target.
    bool adopt(const BackendRef& ref, Health health);

    /// Nothing for what is no target (probe type none).
    [[nodiscard]] std::optional<Health> health(const BackendRef& ref) const;

    /// The same with reason and time.
    [[nodiscard]] std::optional<HealthView> view(const BackendRef& ref) const;

private:
    struct Entry;

    void schedule(const std::shared_ptr<Entry>& entry, std::chrono::microseconds delay);
    void take_due(const std::shared_ptr<Entry>& entry);
    void run_due();
    void run(const std::shared_ptr<Entry>& entry);
    void finish(const std::shared_ptr<Entry>& entry, const ProbeResult& result);
    void warn_inconclusive(const std::string& detail);

    [[nodiscard]] double random() { return distribution_(generator_); }

    boost::asio::io_context& loop_;
    Listener listener_;
    HttpProber http_;
    bool started_ = false;
    std::map<BackendRef, std::shared_ptr<Entry>> entries_;
    std::deque<std::weak_ptr<Entry>> due_; ///< an entry is in it, in flight, or waits for its timer
    std::size_t in_flight_ = 0;
    bool run_due_posted_ = false;
    std::minstd_rand generator_;
    std::uniform_real_distribution<double> distribution_{0.0, 1.0};
    std::optional<std::chrono::steady_clock::time_point> last_warning_;
};

} // namespace penstock
