// SPDX-License-Identifier: Apache-2.0
// This file is long because one change walks through all of these stages, and each may end it: they
// are read together or not at all.
#include "dataplane/dpdk/control.hpp"

#include "dataplane/api/codec.hpp"
#include "dataplane/dpdk/builder.hpp"
#include "dataplane/dpdk/change_queue.hpp"
#include "dataplane/dpdk/control_server.hpp"
#include "dataplane/dpdk/main_loop.hpp"
#include "dataplane/dpdk/neighbour.hpp"
#include "dataplane/dpdk/steered_traffic.hpp"
#include "dataplane/dpdk/work_thread.hpp"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <deque>
#include <iterator>
#include <set>
#include <utility>

namespace penstock {
namespace {

using std::chrono::milliseconds;

// New backends get this long to be resolved before they take packets; a dead one must not hold up
// the rest.
constexpr milliseconds resolve_limit{300};
constexpr milliseconds resolve_poll{2};

// A worker reports at every housekeeping, so within microseconds; one that lost its CPU within tens
// of ms.
constexpr milliseconds grace_limit{5000};
constexpr milliseconds grace_poll{1};

// Old snapshots kept for a worker that does not move; further changes are refused then.
constexpr std::size_t max_replaced = 64;

constexpr milliseconds housekeeping_interval{1000};

// VIPs: one system call of some microseconds each, for every port, within 1 ms.
constexpr std::size_t announcements_a_turn = 32;

constexpr const char* program_name = "penstock-dp " PENSTOCK_VERSION;

std::uint64_t now_ns() {
    return static_cast<std::uint64_t>(
        std::chrono::nanoseconds{MainLoop::Clock::now().time_since_epoch()}.count()
    );
}

/// UINT64_MAX for a worker that never beat.
std::uint64_t heartbeat_age_ns(const WorkerCounters& counters) {
    const std::uint64_t beat = counters.heartbeat_ns.read();
    const std::uint64_t now = now_ns();
    return beat == 0 ? UINT64_MAX : now - std::min(beat, now);
}

} // namespace

/// The way of a change, stage by stage (control.hpp). One change is in flight at a time; others
/// wait in the queue. A snapshot whose grace period does not end is kept until it does, while later
/// ones go on.
class Control::Session final : public RequestHandler {
public:
    explicit Session(ControlSetup setup) : setup_(std::move(setup)), builder_(setup_.statistics) {}

    ~Session() override;

    [[nodiscard]] std::expected<void, Refusal> open();

    [[nodiscard]] MainLoop& loop() { return *loop_; }

    void handle(ConnectionId connection, Request request) override;

    [[nodiscard]] std::uint64_t current_generation() const override { return live_generation_; }

private:
    /// A snapshot that workers may still use until `epoch` is over.
    struct Replaced {
        std::uint64_t epoch;
        std::shared_ptr<const Snapshot> snapshot;
    };

    void begin_next();
    void build(Batch batch);
    void take_product(std::expected<Builder::Product, Refusal> product);
    void wait_for_next_hops();
    void publish();
    void wait_for_workers();
    [[nodiscard]] std::expected<void, Refusal> settle();
    [[nodiscard]] std::expected<void, Refusal> steer();
    void announce_some();
    void answer_published(const Refusal& refusal);
    void answer_applied();
    void answer_refused(const Refusal& refusal);
    void refuse(const Change& change, const Refusal& refusal);
    void keep_house();
    void refresh();
    void send_status(ConnectionId connection, std::uint64_t request_id);
    void send_explained(ConnectionId connection, std::uint64_t request_id, ExplainPackets request);
    [[nodiscard]] std::vector<std::string> port_names() const;
    [[nodiscard]] Status make_status();
    [[nodiscard]] std::string name_stuck_workers() const;

    ControlSetup setup_;
    Builder builder_; ///< the builder thread's alone
    std::unique_ptr<MainLoop> loop_;
    std::unique_ptr<Neighbours> neighbours_;
    std::unique_ptr<WorkThread> worker_;
    std::unique_ptr<ControlServer> server_;

    ChangeQueue queue_;
    std::optional<Batch> batch_;                  ///< in flight
    std::optional<Builder::Product> product_;     ///< of batch_, from its build to its publication
    MainLoop::Clock::time_point deadline_;        ///< of the stage that batch_ is in
    std::vector<std::uint32_t> unknown_backends_; ///< of batch_

    std::shared_ptr<const DesiredState>
        desired_; ///< of the published snapshot, null before the first
    std::shared_ptr<const Snapshot> published_;
    std::vector<IpPrefix> steered_vips_; ///< sorted
    TunnelMarks steered_tunnels_;
    std::vector<IpPrefix> announced_vips_; ///< sorted; some may still be in to_announce_
    std::deque<IpPrefix> to_announce_;
    MainLoop::Timer announce_timer_;
    std::uint64_t epoch_ = 0;           ///< of the last publication
    bool is_settled_ = true;            ///< the last publication's grace period is over
    bool has_retired_ = false;          ///< the registry has ids to take back
    std::uint64_t live_generation_ = 0; ///< on every worker
    std::vector<Replaced> replaced_;
};

Control::Session::~Session() {
    // The builder thread ends before what it works on; the server's connections need the loop.
    worker_.reset();
    server_.reset();
    neighbours_.reset();
}

std::expected<void, Refusal> Control::Session::open() {
    auto loop = MainLoop::create();
    if (!loop) {
        return std::unexpected(loop.error());
    }
    loop_ = std::move(*loop);
    auto neighbours = Neighbours::create(*loop_, setup_.ports, setup_.neighbours, setup_.next_hops);
    if (!neighbours) {
        return std::unexpected(neighbours.error());
    }
    neighbours_ = std::move(*neighbours);
    neighbours_->on_source_change([this] { refresh(); });
    auto worker = WorkThread::create(*loop_);
    if (!worker) {
        return std::unexpected(worker.error());
    }
    worker_ = std::move(*worker);
    const Hello hello{
        .instance_id = setup_.statistics.instance_id(),
        .program = program_name,
    };
    auto server = ControlServer::create(setup_.socket_path, hello, *loop_, *worker_, *this);
    if (!server) {
        return std::unexpected(server.error());
    }
    server_ = std::move(*server);
    loop_->call_after(housekeeping_interval, [this] { keep_house(); });
    return {};
}

// ---- Requests

void Control::Session::handle(ConnectionId connection, Request request) {
    Change change{.connection = connection, .request_id = request.id, .body = Refresh{}};
    if (auto* const apply = std::get_if<ApplyDesiredState>(&request.body)) {
        change.body = std::make_shared<const DesiredState>(std::move(apply->state));
    } else if (auto* const update = std::get_if<UpdateHealth>(&request.body)) {
        change.body = std::move(*update);
    } else if (auto* const explain = std::get_if<ExplainPackets>(&request.body)) {
        send_explained(connection, request.id, std::move(*explain));
        return;
    } else {
        send_status(connection, request.id);
        return;
    }
    queue_.push(std::move(change));
    begin_next();
}

void Control::Session::refresh() {
    // Only a state that leaves the tunnel source to us depends on our addresses.
    const bool leaves_one_open =
        desired_ && (!desired_->tunnel_sources.ipv4 || !desired_->tunnel_sources.ipv6);
    if (leaves_one_open) {
        queue_.push({.connection = {}, .request_id = 0, .body = Refresh{}});
        begin_next();
    }
}

void Control::Session::refuse(const Change& change, const Refusal& refusal) {
    if (change.request_id != 0) {
        server_->reply(
            change.connection, Reply{change.request_id, Refused{refusal, live_generation_}}
        );
    }
}

void Control::Session::begin_next() {
    while (!batch_ && !queue_.empty()) {
        Batch batch = queue_.take();
        const auto wanted = batch.desired();
        if (replaced_.size() >= max_replaced) {
            const Refusal refusal{
                "workers", name_stuck_workers(), "restart penstock-dp: a worker does not move"
            };
            for (const Change& change : queue_.take_back(std::move(batch))) {
                refuse(change, refusal);
            }
            continue;
        }
        if (!wanted && !desired_) {
            const Refusal refusal{
                "update_health", "there is no desired state yet", "send ApplyDesiredState first"
            };
            for (const Change& change : queue_.take_back(std::move(batch))) {
                refuse(change, refusal);
            }
        } else if (wanted && desired_ && wanted->generation < desired_->generation) {
            const Refusal refusal{
                "generation",
                fmt::format("{} is older than {}", wanted->generation, desired_->generation),
                fmt::format("send {} or higher", desired_->generation + 1),
            };
            for (const Change& change : queue_.take_back(std::move(batch))) {
                refuse(change, refusal);
            }
        } else {
            build(std::move(batch));
        }
    }
}

void Control::Session::build(Batch batch) {
    auto order = std::make_shared<Builder::Order>();
    order->desired = batch.apply ? batch.desired() : desired_;
    order->default_tunnel_sources = neighbours_->default_tunnel_sources();
    order->previous = published_;
    for (const std::uint64_t update : batch.updates) {
        order->updates.push_back(std::get<UpdateHealth>(batch.changes.at(update).body));
    }
    batch_ = std::move(batch);
    using Result = std::expected<Builder::Product, Refusal>;
    auto result = std::make_shared<Result>();
    worker_->run(
        [this, order = std::move(order), result] { *result = builder_.build(*order); },
        [this, result] { take_product(std::move(*result)); }
    );
}

// ---- Stages

void Control::Session::take_product(std::expected<Builder::Product, Refusal> product) {
    if (!product) {
        answer_refused(product.error());
        return;
    }
    product_ = std::move(*product);
    neighbours_->set_targets({product_->snapshot, &product_->snapshot->targets()});
    deadline_ = MainLoop::Clock::now() + resolve_limit;
    if (product_->has_new_backends) {
        wait_for_next_hops();
    } else {
        publish();
    }
}

void Control::Session::wait_for_next_hops() {
    if (neighbours_->is_settled() || MainLoop::Clock::now() >= deadline_) {
        publish();
    } else {
        loop_->call_after(resolve_poll, [this] { wait_for_next_hops(); });
    }
}

void Control::Session::publish() {
    const std::vector<IpPrefix> vips = steered_vips(*product_->desired);
    std::vector<IpPrefix> staying;
    std::ranges::set_intersection(steered_vips_, vips, std::back_inserter(staying));
    if (staying != steered_vips_) {
        if (auto steered = setup_.port_control.steer_vips(staying); !steered) {
            product_.reset();
            // The registry now knows the ids of a state that never went live: the live one is
            // compiled once more, before anything else, to set it right.
            if (desired_) {
                queue_.push({.connection = {}, .request_id = 0, .body = Refresh{}});
            }
            answer_refused(steered.error());
            return;
        }
        steered_vips_ = std::move(staying);
        // What of the removed VIPs stands in the receive rings is still forwarded.
        loop_->call_after(ring_drain_time, [this] { publish(); });
        return;
    }
    if (published_) {
        replaced_.push_back({0, std::move(published_)});
    }
    published_ = std::move(product_->snapshot);
    desired_ = std::move(product_->desired);
    unknown_backends_ = std::move(product_->unknown_backends);
    product_.reset();
    epoch_ = setup_.publication.publish(published_.get());
    if (!replaced_.empty() && replaced_.back().epoch == 0) {
        replaced_.back().epoch = epoch_;
    }
    is_settled_ = false;
    has_retired_ = true; // to be looked at; free_retired() knows
    deadline_ = MainLoop::Clock::now() + grace_limit;
    wait_for_workers();
}

void Control::Session::wait_for_workers() {
    if (setup_.publication.grace_period_over(epoch_)) {
        if (auto settled = settle()) {
            answer_applied();
        } else {
            answer_published(settled.error());
        }
    } else if (MainLoop::Clock::now() >= deadline_) {
        answer_published(Refusal{
            fmt::format("generation {}", desired_->generation),
            "it is published, but " + name_stuck_workers(),
            "the workers that move use it already; restart penstock-dp if that one does not come "
            "back",
        });
    } else {
        loop_->call_after(grace_poll, [this] { wait_for_workers(); });
    }
}

void Control::Session::answer_published(const Refusal& refusal) {
    spdlog::error("{}", to_string(refusal));
    const Batch batch = std::move(*std::exchange(batch_, std::nullopt));
    for (const auto& [order, change] : batch.changes) {
        refuse(change, refusal);
    }
    begin_next();
}

std::expected<void, Refusal> Control::Session::settle() {
    is_settled_ = true;
    live_generation_ = published_->generation();
    setup_.statistics.set_generation(live_generation_);
    auto steered = steer();
    std::vector<IpPrefix> fresh;
    std::ranges::set_difference(steered_vips_, announced_vips_, std::back_inserter(fresh));
    announced_vips_ = steered_vips_;
    to_announce_.insert(to_announce_.end(), fresh.begin(), fresh.end());
    announce_some();
    neighbours_->drop_old_targets();
    // Freeing a large snapshot takes milliseconds: the builder thread lets go of it last.
    worker_->run([old = std::move(replaced_)]() mutable { old.clear(); }, [] {});
    replaced_.clear();
    return steered;
}

std::expected<void, Refusal> Control::Session::steer() {
    const std::vector<IpPrefix> vips = steered_vips(*desired_);
    if (vips != steered_vips_) {
        if (auto steered = setup_.port_control.steer_vips(vips); !steered) {
            steered.error().cause =
                "live, but its new VIPs stay with the kernel: " + steered.error().cause;
            return steered;
        }
        steered_vips_ = vips;
    }
    TunnelMarks tunnels = tunnel_marks(*desired_, neighbours_->default_tunnel_sources());
    if (tunnels != steered_tunnels_) {
        if (auto steered = setup_.port_control.steer_tunnels(tunnels); !steered) {
            steered.error().cause =
                "live, but path MTUs of its tunnels are not learned: " + steered.error().cause;
            return steered;
        }
        steered_tunnels_ = std::move(tunnels);
    }
    return {};
}

void Control::Session::announce_some() {
    loop_->cancel(announce_timer_);
    announce_timer_ = {};
    std::vector<IpAddress> vips;
    while (!to_announce_.empty() && vips.size() < announcements_a_turn) {
        // One that has gone again meanwhile is not ours to announce.
        const IpPrefix& first = to_announce_.front();
        if (first.host_bits == 0 && std::ranges::binary_search(steered_vips_, first)) {
            vips.push_back(first.address);
        }
        to_announce_.pop_front();
    }
    if (!vips.empty()) {
        setup_.port_control.announce_vips(vips);
    }
    if (!to_announce_.empty()) {
        announce_timer_ =
            loop_->call_after(std::chrono::milliseconds(0), [this] { announce_some(); });
    }
}

void Control::Session::answer_applied() {
    const Batch batch = std::move(*std::exchange(batch_, std::nullopt));
    for (const auto& [order, change] : batch.changes) {
        if (change.request_id == 0) {
            continue;
        }
        Applied applied{.generation = live_generation_};
        const auto update = std::ranges::find(batch.updates, order);
        if (update != batch.updates.end()) {
            applied.unknown_backends =
                unknown_backends_[static_cast<std::size_t>(update - batch.updates.begin())];
        }
        server_->reply(change.connection, Reply{change.request_id, applied});
    }
    begin_next();
}

void Control::Session::answer_refused(const Refusal& refusal) {
    spdlog::warn("refused: {}", to_string(refusal));
    Batch batch = std::move(*std::exchange(batch_, std::nullopt));
    for (const Change& change : queue_.take_back(std::move(batch))) {
        refuse(change, refusal);
    }
    begin_next();
}

// ---- Housekeeping

void Control::Session::keep_house() {
    if (!batch_ && !is_settled_ && setup_.publication.grace_period_over(epoch_)) {
        // A worker came back after its change was answered.
        if (auto settled = settle(); !settled) {
            spdlog::error("{}", to_string(settled.error()));
        }
    }
    if (!batch_ && is_settled_ && has_retired_) {
        auto has_more = std::make_shared<bool>(false);
        worker_->run(
            [this, has_more] { *has_more = builder_.free_retired(); },
            [this, has_more, epoch = epoch_] { has_retired_ = *has_more || epoch != epoch_; }
        );
    }
    loop_->call_after(housekeeping_interval, [this] { keep_house(); });
}

std::string Control::Session::name_stuck_workers() const {
    std::string names;
    for (std::size_t i = 0; i < setup_.workers.size(); ++i) {
        if (setup_.publication.has_passed(i, epoch_)) {
            continue;
        }
        const std::uint64_t age = heartbeat_age_ns(*setup_.statistics.worker(i).worker);
        names += fmt::format(
            "{}worker {} (lcore {}, {})",
            names.empty() ? "" : ", ",
            i,
            setup_.workers[i].lcore,
            age == UINT64_MAX ? "no heartbeat yet"
                              : fmt::format("last heartbeat {} ms ago", age / 1'000'000)
        );
    }
    return fmt::format("{} did not take it within {} ms", names, grace_limit.count());
}

// ---- Status

Status Control::Session::make_status() {
    Status status{
        .generation = live_generation_,
        .instance_id = setup_.statistics.instance_id(),
        .program = program_name,
        .started_unix_ns = setup_.statistics.started_unix_ns(),
        .statistics_path = setup_.statistics.path(),
    };
    for (std::size_t i = 0; i < setup_.workers.size(); ++i) {
        const WorkerCounters& counters = *setup_.statistics.worker(i).worker;
        status.workers.push_back({
            .lcore = setup_.workers[i].lcore,
            .heartbeat_age_ns = heartbeat_age_ns(counters),
            .generation = counters.generation.read(),
            .queues = setup_.workers[i].queues,
        });
    }
    for (const PortDescription& port : setup_.ports) {
        PortObservation seen = setup_.port_control.observe_port(port.id);
        status.ports.push_back({
            .name = port.name,
            .device = port.device,
            .driver = port.driver,
            .mac = port.mac,
            .mtu = port.mtu,
            .link = seen.link,
            .steering = seen.steering,
        });
    }
    return status;
}

void Control::Session::send_status(ConnectionId connection, std::uint64_t request_id) {
    struct Work {
        Status status;
        std::shared_ptr<const DesiredState> desired;
        std::vector<HopState> hops;
        std::vector<std::string> ports;
        std::expected<std::vector<std::uint8_t>, Refusal> frame;
    };

    auto work = std::make_shared<Work>();
    work->status = make_status();
    work->desired = desired_;
    work->hops = neighbours_->states();
    work->ports = port_names();
    worker_->run(
        [this, work, request_id] {
            if (work->desired) {
                work->status.backends =
                    builder_.list_backends(*work->desired, work->hops, work->ports);
            }
            work->frame = encode_frame(ServerMessage{Reply{request_id, std::move(work->status)}});
        },
        [this, work, connection, request_id] {
            if (work->frame) {
                server_->reply(connection, std::move(*work->frame));
            } else {
                server_->reply(
                    connection, Reply{request_id, Refused{work->frame.error(), live_generation_}}
                );
            }
        }
    );
}

std::vector<std::string> Control::Session::port_names() const {
    std::vector<std::string> names(max_ports);
    for (const PortDescription& port : setup_.ports) {
        names.at(port.id.value) = port.name;
    }
    return names;
}

void Control::Session::send_explained(
    ConnectionId connection, std::uint64_t request_id, ExplainPackets request
) {
    struct Work {
        ExplainPackets request;
        std::shared_ptr<const DesiredState> desired;
        std::shared_ptr<const Snapshot> snapshot;
        Explained explained;
    };

    // What is published now decides, and is kept alive: the builder thread may come to it later.
    auto work = std::make_shared<Work>(std::move(request), desired_, published_, Explained{});
    worker_->run(
        [this, work, ports = port_names()] {
            const ExplainView view{
                .snapshot = work->snapshot.get(),
                .workers = setup_.worker_tables,
                .next_hops = &setup_.next_hops,
                .path_mtus = setup_.path_mtus,
                .ports = setup_.port_facts,
                .now = CoarseTime::from_seconds(now_ns() / 1'000'000'000U),
            };
            work->explained = builder_.explain(work->request, view, work->desired.get(), ports);
        },
        [this, work, connection, request_id] {
            server_->reply(connection, Reply{request_id, std::move(work->explained)});
        }
    );
}

// ---- Control

Control::Control(std::unique_ptr<Session> session) : session_(std::move(session)) {}

Control::~Control() = default;

std::expected<std::unique_ptr<Control>, Refusal> Control::create(ControlSetup setup) {
    auto session = std::make_unique<Session>(std::move(setup));
    if (auto opened = session->open(); !opened) {
        return std::unexpected(opened.error());
    }
    return std::unique_ptr<Control>(new Control(std::move(session)));
}

void Control::run() {
    session_->loop().run();
}

void Control::stop() {
    session_->loop().stop();
}

} // namespace penstock
