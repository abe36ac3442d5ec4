// SPDX-License-Identifier: Apache-2.0
// A property: random values, written as a file by somebody who knows nothing of the parser, are
// read back as these values.
#include "tests/unit/config/sample.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gtest/gtest.h>

#include <random>

namespace penstock::config {
namespace {

class RandomConfiguration {
public:
    explicit RandomConfiguration(unsigned seed) : random_(seed) {}

    Configuration make() {
        Configuration configuration;
        configuration.node.name = name("node");
        configuration.dataplane = dataplane();
        if (chance()) {
            configuration.tunnel_sources.ipv4 =
                IpPrefix::parse(fmt::format("192.0.2.{}", number(1, 254)));
        }
        configuration.flow_timeouts = {
            .tcp_syn_s = seconds(),
            .tcp_established_s = seconds(),
            .tcp_closing_s = seconds(),
            .udp_s = seconds()
        };
        const unsigned services = number(0, 5);
        for (unsigned i = 0; i < services; ++i) {
            configuration.services.push_back(service(i));
        }
        return configuration;
    }

private:
    unsigned number(unsigned least, unsigned most) {
        return std::uniform_int_distribution<unsigned>(least, most)(random_);
    }

    std::uint16_t short_number(unsigned least, unsigned most) {
        return static_cast<std::uint16_t>(number(least, most));
    }

    bool chance() { return number(0, 1) == 1; }

    std::uint16_t seconds() { return short_number(1, 7440); }

    // `unique` keeps names of one kind apart.
    std::string name(std::string_view unique) {
        constexpr std::string_view characters = "abcXYZ019._-";
        std::string text(unique);
        const unsigned length = number(0, 40);
        for (unsigned i = 0; i < length; ++i) {
            text += characters[number(0, characters.size() - 1)];
        }
        return text;
    }

    DataplaneConfig dataplane() {
        DataplaneConfig out;
        const unsigned workers = number(1, 8);
        for (unsigned i = 0; i < workers; ++i) {
            out.workers.push_back(static_cast<std::uint16_t>(i * 16 + number(1, 15)));
        }
        out.worker_places.resize(workers);
        if (chance()) {
            out.main_core = 0;
        }
        out.idle = static_cast<IdleMode>(number(0, 2));
        out.hugepages = static_cast<HugepageMode>(number(0, 2));
        out.memory_mb = number(64, 1048576);
        out.flows_per_worker = number(1024, 80530636);
        const unsigned ports = number(1, 16);
        for (unsigned i = 0; i < ports; ++i) {
            PortConfig port;
            port.name = name(fmt::format("port{}-", i));
            if (chance()) {
                port.interface = fmt::format("eth{}", i);
            } else {
                port.device = fmt::format("net_null{},size={}", i, number(64, 1500));
            }
            if (chance()) {
                port.mtu = short_number(576, 9216);
            }
            out.ports.push_back(port);
        }
        const unsigned neighbours = number(0, 3);
        for (unsigned i = 0; i < neighbours; ++i) {
            NeighbourConfig neighbour;
            neighbour.address = *IpAddress::parse(fmt::format("10.9.{}.{}", i, number(1, 254)));
            neighbour.mac =
                *MacAddress::parse(fmt::format("02:00:00:00:00:{:02x}", number(0, 255)));
            neighbour.port = out.ports[number(0, ports - 1)].name;
            out.neighbours.push_back(neighbour);
        }
        if (chance()) {
            out.eal_args = {"--log-level=lib.eal:debug", "--vdev=\"x\\y\""};
        }
        return out;
    }

    ProbeConfig probe() {
        ProbeConfig out;
        out.type = static_cast<ProbeType>(number(0, 2));
        if (out.type == ProbeType::none) {
            return out;
        }
        if (chance()) {
            out.port = short_number(1, 65535);
        }
        if (out.type == ProbeType::http) {
            out.path = fmt::format("/health?x={}", number(0, 1000));
            out.host = chance() ? "www.example.org:8080" : "";
            out.expect_status_min = short_number(100, 300);
            out.expect_status_max = short_number(out.expect_status_min, 599);
        }
        out.interval_ms = number(100, 3600000);
        out.timeout_ms = number(10, out.interval_ms);
        out.fall = short_number(1, 100);
        out.rise = short_number(1, 100);
        out.jitter_percent = short_number(0, 50);
        return out;
    }

    ServiceConfig service(unsigned index) {
        ServiceConfig out;
        out.spec.name = name(fmt::format("service{}-", index));
        out.spec.key.vip = *IpAddress::parse(fmt::format("198.51.100.{}", index + 1));
        out.spec.key.protocol = chance() ? Protocol::tcp : Protocol::udp;
        out.spec.key.port = short_number(1, 65535);
        out.spec.forwarding = chance() ? Forwarding::l2dsr : Forwarding::ipip;
        out.spec.maglev_size = maglev_sizes[number(0, 2)];
        out.probe = probe();
        const unsigned backends = number(0, 20);
        for (unsigned i = 0; i < backends; ++i) {
            BackendSpec backend;
            backend.name = name(fmt::format("b{}-", i));
            backend.key = {
                .address = *IpAddress::parse(fmt::format("10.0.{}.{}", i, number(1, 254))),
                .port = out.spec.key.port
            };
            backend.weight = short_number(0, 65535);
            backend.admin = static_cast<AdminState>(number(0, 2));
            backend.health = out.probe.type == ProbeType::none ? Health::up : Health::unknown;
            out.spec.backends.push_back(backend);
        }
        return out;
    }

    std::mt19937 random_;
};

std::string write_string(std::string_view text) {
    std::string out = "\"";
    for (const char character : text) {
        out += character == '"' || character == '\\' ? std::string("\\") + character
                                                     : std::string(1, character);
    }
    return out + "\"";
}

std::string write_dataplane(const Configuration& configuration) {
    const DataplaneConfig& dataplane = configuration.dataplane;
    std::string out = fmt::format(
        "[dataplane]\nworkers = [{}]\nidle = \"{}\"\nhugepages = \"{}\"\nmemory_mb = "
        "{}\nflows_per_worker = {}\n",
        fmt::join(dataplane.workers, ", "),
        to_string(dataplane.idle),
        to_string(dataplane.hugepages),
        dataplane.memory_mb,
        dataplane.flows_per_worker
    );
    if (dataplane.main_core) {
        out += fmt::format("main_core = {}\n", *dataplane.main_core);
    }
    if (configuration.tunnel_sources.ipv4) {
        out +=
            fmt::format("tunnel_source = \"{}\"\n", configuration.tunnel_sources.ipv4->to_string());
    }
    out += "eal_args = [";
    for (const std::string& argument : dataplane.eal_args) {
        out += write_string(argument) + ",";
    }
    out += "]\n";
    for (const PortConfig& port : dataplane.ports) {
        out += fmt::format(
            "[[dataplane.port]]\nname = {}\n{} = {}\n",
            write_string(port.name),
            port.interface ? "interface" : "device",
            write_string(port.interface ? *port.interface : *port.device)
        );
        out += port.mtu ? fmt::format("mtu = {}\n", *port.mtu) : "";
    }
    for (const NeighbourConfig& neighbour : dataplane.neighbours) {
        out += fmt::format(
            "[[dataplane.neighbour]]\naddress = \"{}\"\nmac = \"{}\"\nport = {}\n",
            neighbour.address.to_string(),
            neighbour.mac.to_string(),
            write_string(neighbour.port)
        );
    }
    return out;
}

std::string write_probe(const ProbeConfig& probe) {
    std::string out = fmt::format("probe = {{ type = \"{}\"", to_string(probe.type));
    if (probe.port) {
        out += fmt::format(", port = {}", *probe.port);
    }
    if (probe.type == ProbeType::http) {
        out += fmt::format(
            ", path = \"{}\", status = \"{}-{}\"",
            probe.path,
            probe.expect_status_min,
            probe.expect_status_max
        );
        out += probe.host.empty() ? "" : fmt::format(", host = \"{}\"", probe.host);
    }
    if (probe.type != ProbeType::none) {
        out += fmt::format(
            ", interval = \"{}ms\", timeout = \"{}ms\", fall = {}, rise = {}, jitter = {}",
            probe.interval_ms,
            probe.timeout_ms,
            probe.fall,
            probe.rise,
            probe.jitter_percent
        );
    }
    return out + " }\n";
}

std::string write(const Configuration& configuration) {
    std::string out = fmt::format("[node]\nname = \"{}\"\n", configuration.node.name);
    out += write_dataplane(configuration);
    const FlowTimeouts& flow = configuration.flow_timeouts;
    out += fmt::format(
        "[flow]\ntcp_syn = \"{}s\"\ntcp_established = \"{}s\"\ntcp_closing = \"{}s\"\nudp = "
        "\"{}s\"\n",
        flow.tcp_syn_s,
        flow.tcp_established_s,
        flow.tcp_closing_s,
        flow.udp_s
    );
    for (const ServiceConfig& service : configuration.services) {
        const ServiceSpec& spec = service.spec;
        out += fmt::format(
            "[[service]]\nname = \"{}\"\nvip = \"{}\"\nprotocol = \"{}\"\nport = {}\nforwarding = "
            "\"{}\"\n"
            "maglev_size = {}\n{}backend = [\n",
            spec.name,
            spec.key.vip.to_string(),
            to_string(spec.key.protocol),
            spec.key.port,
            to_string(spec.forwarding),
            spec.maglev_size,
            write_probe(service.probe)
        );
        for (const BackendSpec& backend : spec.backends) {
            out += fmt::format(
                "  {{ name = \"{}\", address = \"{}\", port = {}, weight = {}, state = \"{}\" "
                "}},\n",
                backend.name,
                backend.key.address.to_string(),
                backend.key.port,
                backend.weight,
                to_string(backend.admin)
            );
        }
        out += "]\n";
    }
    return out;
}

TEST(RoundTrip, what_is_written_is_read) {
    for (unsigned seed = 0; seed < 300; ++seed) {
        const Configuration configuration = RandomConfiguration(seed).make();
        const std::string text = write(configuration);
        const auto read = parse_configuration(text, "t.toml");
        ASSERT_TRUE(read) << "seed " << seed << "\n" << render(read.error()) << text;
        ASSERT_EQ(*read, configuration) << "seed " << seed << "\n" << text;
    }
}

} // namespace
} // namespace penstock::config
