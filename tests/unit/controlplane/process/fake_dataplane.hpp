// SPDX-License-Identifier: Apache-2.0
// The other end of dataplane.sock for tests of penstock-cp: speaks the real protocol through the
// real codec, forwards nothing, remembers what it was told. (tests/e2e has the real penstock-dp.)
//
// Thread rule: its own thread serves one client at a time; every public function may be called from
// the test's.
#pragma once

#include "dataplane/api/messages.hpp"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace penstock {

class FakeDataplane {
public:
    using Clock = std::chrono::steady_clock;

    struct Flip {
        HealthChange change;
        Clock::time_point time;
    };

    /// Listens at `path`, begins with `initial` as its live state.
    explicit FakeDataplane(std::string path, DesiredState initial = {});
    FakeDataplane(const FakeDataplane&) = delete;
    FakeDataplane& operator=(const FakeDataplane&) = delete;
    ~FakeDataplane();

    /// The live state, with the flips since.
    [[nodiscard]] DesiredState live() const;
    [[nodiscard]] std::vector<Flip> flips() const;
    /// Whole states that were accepted.
    [[nodiscard]] std::size_t applied_count() const;
    /// Generations that were not above the live one: a protocol error of the control plane.
    [[nodiscard]] std::size_t stale_count() const;

    /// Every whole state with a service of this name is refused from now on; "" refuses none.
    void refuse_service(const std::string& name);
    /// Every health flip is refused from now on, or none.
    void refuse_flips(bool refuse);

    /// While held, requests wait for their answer.
    void hold(bool held) { held_ = held; }

    /// What Status tells of the ports.
    void set_ports(std::vector<PortStatus> ports);

    /// Of the next hello; to agree with statistics that a test wrote.
    void set_instance(std::uint64_t instance_id) { instance_id_ = instance_id; }

    /// Cuts the connection; the client may come again.
    void disconnect();

private:
    void serve();
    void serve_client(int fd);
    [[nodiscard]] Reply answer(const Request& request);
    [[nodiscard]] Reply apply(std::uint64_t id, const DesiredState& state);
    void flip(const HealthChange& change);
    [[nodiscard]] Status make_status() const;

    std::string path_;
    std::atomic<std::uint64_t> instance_id_;
    int listener_ = -1;
    mutable std::mutex mutex_;
    DesiredState live_;
    std::vector<Flip> flips_;
    std::size_t applied_ = 0;
    std::size_t stale_ = 0;
    std::string refused_name_;
    bool refuses_flips_ = false;
    std::vector<PortStatus> ports_;
    std::atomic<bool> held_{false};
    std::atomic<bool> ending_{false};
    std::atomic<bool> disconnecting_{false};
    std::thread thread_;
};

} // namespace penstock
