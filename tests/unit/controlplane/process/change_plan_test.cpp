// SPDX-License-Identifier: Apache-2.0
// What `diff` foretells is what happens: random changes are planned by a running penstock-cp, then
// applied, and what the dataplane was given before and after is compiled and asked, flow by flow.
#include "dataplane/core/compile.hpp"

#include "tests/unit/controlplane/process/penstock_cp_fixture.hpp"

#include <random>

namespace penstock {
namespace {

struct Backend {
    int address = 0;
    int weight = 100;
    std::string state = "ready";
};

struct Service {
    int vip = 0;
    int maglev_size = 16381;
    std::vector<Backend> backends;
};

/// Without probes, so that what is applied counts at once.
std::string write_configuration(const std::vector<Service>& services) {
    std::string text = "[node]\nname = \"lb-a\"\n[dataplane]\nworkers = [1]\n[[dataplane.port]]\n"
                       "name = \"edge0\"\ninterface = \"eth1\"\n";
    for (const Service& service : services) {
        text += fmt::format(
            "[[service]]\nname = \"s{0}\"\nvip = \"198.51.100.{0}\"\nprotocol = \"tcp\"\nport = "
            "80\n"
            "forwarding = \"ipip\"\nmaglev_size = {1}\nprobe = {{ type = \"none\" }}\nbackend = "
            "[\n",
            service.vip,
            service.maglev_size
        );
        for (const Backend& backend : service.backends) {
            text += fmt::format(
                "  {{ name = \"b{0}\", address = \"10.0.2.{0}\", weight = {1}, state = \"{2}\" "
                "}},\n",
                backend.address,
                backend.weight,
                backend.state
            );
        }
        text += "]\n";
    }
    return text;
}

class RandomChanges {
public:
    explicit RandomChanges(unsigned seed) : random_(seed) {}

    void change(std::vector<Service>& services) {
        const int count = 1 + draw(3);
        for (int i = 0; i < count; ++i) {
            change_one(services);
        }
    }

    int draw(int below) { return std::uniform_int_distribution<int>(0, below - 1)(random_); }

private:
    void change_one(std::vector<Service>& services) {
        Service& service = services.at(static_cast<std::size_t>(draw(std::ssize(services))));
        auto& backends = service.backends;
        Backend& backend = backends.at(static_cast<std::size_t>(draw(std::ssize(backends))));
        switch (draw(6)) {
        case 0:
            backends.push_back({.address = next_address_++, .weight = 50 + draw(100)});
            break;
        case 1:
            if (backends.size() > 2) {
                backends.erase(backends.begin() + draw(static_cast<int>(backends.size())));
            }
            break;
        case 2:
            backend.weight = 1 + draw(200);
            break;
        case 3:
            backend.state = backend.state == "ready" ? "drain" : "ready";
            break;
        case 4:
            backend.state = backend.state == "ready" ? "disabled" : "ready";
            break;
        default:
            service.maglev_size = service.maglev_size == 16381 ? 65537 : 16381;
        }
    }

    int draw(std::ptrdiff_t below) { return draw(static_cast<int>(below)); }

    std::mt19937 random_;
    int next_address_ = 100;
};

/// Which backend a new flow would get; 0: none. Ids agree between states that share `ids`.
class Chooser {
public:
    Chooser(DesiredState state, IdRegistry& ids) {
        state.tunnel_sources.ipv4 =
            IpPrefix::parse("192.0.2.1"); // as penstock-dp takes its port's own
        const auto snapshot = compile_snapshot(state, ids, nullptr);
        EXPECT_TRUE(snapshot.has_value());
        snapshot_ = *snapshot;
    }

    std::uint16_t choose(const ServiceKey& key, FlowHash hash) const {
        const ServiceEntry* entry = snapshot_->find_service_ipv4(
            key.vip.ipv4(), static_cast<std::uint8_t>(key.protocol), Be16::from_host(key.port)
        );
        return entry == nullptr || entry->slots == nullptr
                   ? 0
                   : entry->slots[hash.choose_slot(entry->slot_count)];
    }

private:
    std::shared_ptr<const Snapshot> snapshot_;
};

/// The share of random flows of one service that the two states treat differently.
double measure_share(const Chooser& before, const Chooser& after, const ServiceKey& key) {
    constexpr int flows = 200'000;
    std::mt19937_64 random(key.port + 7U);
    int moved = 0;
    for (int i = 0; i < flows; ++i) {
        const FlowHash hash{.value = random()};
        const auto old = before.choose(key, hash);
        moved += old != 0 && old != after.choose(key, hash) ? 1 : 0;
    }
    return static_cast<double>(moved) / flows;
}

TEST_F(PenstockCp, DiffForetellsTheShareOfSlotsThatMove) {
    std::vector<Service> services;
    for (int vip = 1; vip <= 3; ++vip) {
        services.push_back({.vip = vip, .maglev_size = 16381, .backends = {}});
        for (int i = 0; i < 6; ++i) {
            services.back().backends.push_back({.address = vip * 20 + i});
        }
    }
    write_text(config_path(), write_configuration(services));
    const FakeDataplane dataplane(dataplane_path());
    start_cp();
    ASSERT_TRUE(wait_until([&] { return dataplane.live().services.size() == 3; }));
    RandomChanges changes(20261125);
    IdRegistry ids;
    double largest = 0;
    double most_moved = 0;
    for (int round = 0; round < 20; ++round) {
        changes.change(services);
        const std::string text = write_configuration(services);
        const DesiredState before = dataplane.live();
        const HttpAnswer diff = request("POST", "/v1/config/diff", text);
        ASSERT_EQ(diff.status, 200) << diff.body;
        EXPECT_EQ(dataplane.live(), before) << "a diff changes nothing";
        ASSERT_EQ(request("POST", "/v1/config", text).status, 200);
        const Chooser old(before, ids);
        const Chooser now(dataplane.live(), ids);
        std::map<std::string, double, std::less<>> foretold;
        const json::object plan = diff.object();
        for (const json::value& service : plan.at("services").as_array()) {
            foretold[std::string(service.at("name").as_string())] =
                service.at("moved_share").to_number<double>();
        }
        for (const ServiceSpec& service : before.services) {
            const double measured = measure_share(old, now, service.key);
            EXPECT_NEAR(foretold[service.name], measured, 0.01) << "round " << round << "\n"
                                                                << diff.body;
            largest = std::max(largest, std::abs(foretold[service.name] - measured));
            most_moved = std::max(most_moved, measured);
        }
    }
    EXPECT_GT(most_moved, 0.1) << "changes that move nothing show nothing";
    fmt::print("largest difference {:.4f}, largest share moved {:.3f}\n", largest, most_moved);
}

TEST_F(PenstockCp, DiffNamesWhatChangesAndWhereFlowsEnd) {
    const FakeDataplane dataplane(dataplane_path());
    start_cp();
    ASSERT_TRUE(wait_until([&] { return all_live(dataplane); }));
    const json::object same = request("POST", "/v1/config/diff", make_config("web")).object();
    EXPECT_EQ(same.at("changed"), false);
    EXPECT_TRUE(same.at("services").as_array().empty());
    EXPECT_TRUE(same.at("flows").is_null()) << "there are no statistics";
    std::string text = make_config("web");
    text.erase(text.rfind("[[service]]"));
    text.replace(text.find("address = \"10.0.1.11\""), 21, "address = \"10.0.1.12\"");
    const json::object plan = request("POST", "/v1/config/diff", text).object();
    EXPECT_EQ(plan.at("changed"), true);
    const json::object& first = plan.at("services").at(0).as_object();
    EXPECT_EQ(first.at("kind"), "changed");
    EXPECT_EQ(first.at("moved_share"), 1.0);
    EXPECT_EQ(first.at("backends").at(0).at("kind"), "removed");
    EXPECT_EQ(first.at("backends").at(0).at("flow_fate"), "drained");
    EXPECT_EQ(first.at("backends").at(1).at("kind"), "added");
    const json::object& second = plan.at("services").at(1).as_object();
    EXPECT_EQ(second.at("kind"), "removed");
    EXPECT_EQ(second.at("backends").at(0).at("flow_fate"), "cut");
    EXPECT_EQ(plan.at("moved_share"), 1.0);
    const HttpAnswer bad = request("POST", "/v1/config/diff?name=x.toml", "[node]\nnam = 1\n");
    EXPECT_EQ(bad.status, 422);
    EXPECT_EQ(bad.object().at("diagnostics").at(0).at("file"), "x.toml");
    EXPECT_EQ(request("POST", "/v1/config/diff?colour=1", text).status, 400);
    EXPECT_EQ(request("GET", "/v1/config/diff").status, 405);
}

} // namespace
} // namespace penstock
