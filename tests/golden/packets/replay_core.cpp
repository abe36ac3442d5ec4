// SPDX-License-Identifier: Apache-2.0
// Replays a capture through the core alone: replay-core CONFIG IN.pcap OUT.pcap PORT-MAC
//
// Backends count as up, next hops are the configuration's [[dataplane.neighbour]]. What is sent
// goes to OUT.pcap; one line a packet on standard output is its verdict: forward, reply, kernel or
// the reason of the drop. Exit code 1 with a line on standard error if that cannot be done.
#include "controlplane/config/parse.hpp"
#include "tests/unit/core/worker_rig.hpp"

#include <cstdio>
#include <memory>
#include <pcap/pcap.h>
#include <string>

namespace penstock {
namespace {

constexpr int snap_length = 65535;

int fail(const std::string& what) {
    std::fprintf(stderr, "replay-core: %s\n", what.c_str());
    return 1;
}

std::string word_of(const Verdict& verdict) {
    switch (verdict.kind) {
    case VerdictKind::forward:
        return "forward";
    case VerdictKind::reply:
        return "reply";
    case VerdictKind::kernel:
        return "kernel";
    case VerdictKind::drop:
        return std::string(drop_reason_name(verdict.reason));
    }
    std::abort();
}

// The rig with the configuration's services and neighbours, and no other next hop.
bool set_up(
    test::WorkerRig& rig, const config::Configuration& configuration, const MacAddress& mac
) {
    const FlowHashKey key{1, 2, 3};
    DesiredState desired = config::to_desired_state(configuration, key, 1);
    for (ServiceSpec& service : desired.services) {
        for (BackendSpec& backend : service.backends) {
            backend.health = Health::up;
        }
    }
    const auto compiled = compile_snapshot(desired, rig.ids, nullptr);
    if (!compiled) {
        fail(compiled.error().place + ": " + compiled.error().cause);
        return false;
    }
    rig.snapshot = *compiled;
    for (const Snapshot::Target& target : rig.snapshot->targets()) {
        for (const config::NeighbourConfig& neighbour : configuration.dataplane.neighbours) {
            if (neighbour.address == target.address) {
                rig.next_hops->set(target.id, {.mac = neighbour.mac, .port = {0}});
            }
        }
    }
    rig.ports[0] = {.mac = mac, .mtu = configuration.dataplane.ports.at(0).mtu.value_or(1500)};
    return true;
}

using Capture = std::unique_ptr<pcap_t, decltype(&pcap_close)>;
using Dump = std::unique_ptr<pcap_dumper_t, decltype(&pcap_dump_close)>;

std::vector<test::Bytes> read_all(pcap_t* capture) {
    std::vector<test::Bytes> frames;
    pcap_pkthdr* header = nullptr;
    const unsigned char* data = nullptr;
    while (pcap_next_ex(capture, &header, &data) == 1) {
        frames.emplace_back(data, data + header->caplen);
    }
    return frames;
}

void replay(test::WorkerRig& rig, std::span<const test::Bytes> frames, pcap_dumper_t* out) {
    for (std::size_t begin = 0; begin < frames.size(); begin += max_burst) {
        const auto burst = frames.subspan(begin, std::min(max_burst, frames.size() - begin));
        const std::vector<Verdict> verdicts = rig.send_burst(burst);
        for (std::size_t i = 0; i < burst.size(); ++i) {
            std::puts(word_of(verdicts[i]).c_str());
            const bool leaves =
                verdicts[i].kind == VerdictKind::forward || verdicts[i].kind == VerdictKind::reply;
            if (leaves) {
                const auto length = static_cast<bpf_u_int32>(rig.sent[i].size());
                const pcap_pkthdr header{.ts = {}, .caplen = length, .len = length};
                pcap_dump(reinterpret_cast<unsigned char*>(out), &header, rig.sent[i].data());
            }
        }
    }
}

int run(
    const std::string& config_path, const char* in_path, const char* out_path, const char* mac_text
) {
    const auto configuration = config::read_configuration(config_path);
    if (!configuration) {
        return fail(config::render(configuration.error()));
    }
    const auto mac = MacAddress::parse(mac_text);
    if (!mac) {
        return fail(std::string(mac_text) + " is no MAC address");
    }
    const auto rig = std::make_unique<test::WorkerRig>();
    if (!set_up(*rig, *configuration, *mac)) {
        return 1;
    }
    std::array<char, PCAP_ERRBUF_SIZE> error{};
    const Capture in(pcap_open_offline(in_path, error.data()), &pcap_close);
    if (!in) {
        return fail(error.data());
    }
    const Capture format(pcap_open_dead(DLT_EN10MB, snap_length), &pcap_close);
    const Dump out(pcap_dump_open(format.get(), out_path), &pcap_dump_close);
    if (!out) {
        return fail(pcap_geterr(format.get()));
    }
    replay(*rig, read_all(in.get()), out.get());
    return 0;
}

} // namespace
} // namespace penstock

int main(int argc, char** argv) {
    if (argc != 5) {
        return penstock::fail("usage: replay-core CONFIG IN.pcap OUT.pcap PORT-MAC");
    }
    return penstock::run(argv[1], argv[2], argv[3], argv[4]);
}
