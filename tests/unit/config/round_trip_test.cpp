// SPDX-License-Identifier: Apache-2.0
// This file is long because every key has its random value and its way to be written.
// A property: random values, written as a file by somebody who knows nothing of the parser, are
// read back as these values.
//
// This file is long because every key of the file has its writer here, apart from the reader.
#include "tests/unit/config/sample.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gtest/gtest.h>

#include <array>
#include <random>
#include <utility>

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
        if (chance()) {
            configuration.tunnel_sources.ipv6 =
                IpPrefix::parse(fmt::format("2001:db8:{:x}::/64", number(1, 0xffff)));
        }
        configuration.nat_sources = {
            *IpAddress::parse("203.0.113.240"), *IpAddress::parse("2001:db8:f::240")
        };
        configuration.access = access();
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
        out.nat_flows_per_worker = number(1024, 16777216);
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

    void exchange(ProbeConfig& out) {
        if (out.type == ProbeType::udp) {
            out.send = std::string("\xff\0x", 3);
            out.expect = chance() ? "pong\n" : "";
        } else if (out.type == ProbeType::dns) {
            out.query = "www.example.org";
            out.record = chance() ? DnsRecord::a : DnsRecord::aaaa;
            out.rcode = static_cast<std::uint8_t>(number(0, 5));
            if (out.rcode == 0 && chance()) {
                out.answer =
                    IpAddress::parse(out.record == DnsRecord::a ? "192.0.2.7" : "2001:db8::7");
            }
        } else if (out.type == ProbeType::script) {
            out.command = {"/usr/bin/check", "-v \"x\""};
            out.user = "nobody";
        } else if (out.type == ProbeType::agent) {
            out.port = short_number(1, 65535);
            out.send = chance() ? "web-1\r\n" : "";
        }
    }

    void http(ProbeConfig& out) {
        out.host = chance() ? "www.example.org:8080" : "";
        if (chance()) {
            out.headers = {
                {.name = "X-Probe", .value = "a \"b\""}, {.name = "Accept", .value = "*"}
            };
        }
        if (out.type == ProbeType::grpc) {
            out.tls = chance();
            out.grpc_service = chance() ? "shop.v1.Cart" : "";
        } else {
            out.method = chance() ? "POST" : "GET";
            out.path = fmt::format("/health?x={}", number(0, 1000));
            out.expect_status_min = short_number(100, 300);
            out.expect_status_max = short_number(out.expect_status_min, 599);
            out.body = chance() ? "all is well" : "";
            out.http2 = chance();
        }
        if (out.tls || out.type == ProbeType::https) {
            out.tls_verify = chance();
            out.tls_name = chance() ? "www.example.org" : "";
            out.tls_ca = out.tls_verify && chance() ? "/etc/ssl/ca.pem" : "";
        }
    }

    ProbeConfig probe() {
        ProbeConfig out;
        out.type = static_cast<ProbeType>(number(0, 9));
        if (out.type == ProbeType::none) {
            return out;
        }
        if (chance() && out.type != ProbeType::icmp && out.type != ProbeType::script) {
            out.port = short_number(1, 65535);
        }
        if (chance() && out.type != ProbeType::agent && out.type != ProbeType::script) {
            out.via = ProbeVia::vip;
        }
        if (speaks_http(out.type)) {
            http(out);
        }
        exchange(out);
        out.interval_ms = number(100, 3600000);
        out.timeout_ms = number(10, out.interval_ms);
        out.fast_interval_ms = chance() ? number(100, out.interval_ms) : 0;
        out.fall = short_number(1, 100);
        out.rise = short_number(1, 100);
        out.jitter_percent = short_number(0, 50);
        out.concurrency = chance() ? short_number(1, 1024) : std::uint16_t{0};
        return out;
    }

    IpPrefix prefix() {
        IpPrefix out = chance() ? *IpPrefix::parse("203.0.113.128")
                                : *IpPrefix::parse("2001:db8:ffff::8000:0");
        out.host_bits = static_cast<std::uint8_t>(number(0, address_bits(out.address.family())));
        out.address = clear_host_bits(out.address, out.host_bits);
        return out;
    }

    AccessSpec access() {
        AccessSpec out;
        for (auto* list : {&out.allow, &out.deny}) {
            const unsigned prefixes = number(0, 3);
            for (unsigned i = 0; i < prefixes; ++i) {
                list->push_back(prefix());
            }
        }
        return out;
    }

    ServiceKey key(unsigned index) {
        ServiceKey out;
        const bool is_ipv4 = chance();
        out.vip = *IpAddress::parse(
            is_ipv4 ? fmt::format("198.51.{}.0", index + 1)
                    : fmt::format("2001:db8:{:x}::", index + 1)
        );
        if (chance()) {
            out.host_bits = is_ipv4 ? 8 : 64;
        } else {
            out.vip = *IpAddress::parse(
                is_ipv4 ? fmt::format("198.51.{}.1", index + 1)
                        : fmt::format("2001:db8:{:x}::1", index + 1)
            );
        }
        out.protocol = std::array{Protocol::tcp, Protocol::udp, Protocol::any}[number(0, 2)];
        if (out.protocol != Protocol::any && number(0, 3) > 0) {
            out.port = short_number(1, 65535);
            out.more_ports = chance() ? short_number(0, 65535U - out.port) : 0;
        }
        return out;
    }

    void set_policy(ServiceSpec& spec) {
        spec.forwarding = static_cast<Forwarding>(number(0, 4));
        const bool tcp = spec.key.protocol == Protocol::tcp;
        const bool udp = spec.key.protocol == Protocol::udp;
        if (spec.forwarding == Forwarding::nat && spec.key.protocol == Protocol::any) {
            spec.forwarding = Forwarding::ipip;
        }
        const bool nat = spec.forwarding == Forwarding::nat;
        if (spec.forwarding == Forwarding::gue) {
            spec.gue_variant = static_cast<std::uint8_t>(number(0, 1));
            spec.gue_port = short_number(1, 65535);
        }
        spec.maglev_size = maglev_sizes[number(0, 2)];
        spec.track = nat || number(0, 3) > 0;
        spec.affinity = static_cast<Affinity>(number(0, 2));
        const std::uint8_t bits = address_bits(spec.key.vip.family());
        if (spec.affinity == Affinity::client) {
            spec.affinity_host_bits = static_cast<std::uint8_t>(number(0, bits - 1U));
        }
        spec.on_down =
            spec.track ? static_cast<DownPolicy>(number(0, udp ? 1 : 2)) : DownPolicy::rehash;
        spec.mss_clamp = udp || chance() ? 0 : short_number(536, 65495);
        spec.toa = nat && tcp && chance();
        spec.access = access();
        if (spec.track && chance()) {
            spec.limits.new_flows_per_s = number(1, 1000000000);
            spec.limits.new_flows_per_s_and_source = number(1, 1000000000);
            auto& host_bits =
                bits == 32 ? spec.limits.source_host_bits_ipv4 : spec.limits.source_host_bits_ipv6;
            host_bits = static_cast<std::uint8_t>(number(0, bits - 1U));
            spec.limits.flows = number(1, 1000000000);
            spec.limits.flows_per_backend = number(1, 1000000000);
        }
        if (udp && chance()) {
            for (std::uint8_t id = 0; id < max_quic_configs; ++id) {
                spec.quic.push_back(
                    {.config_id = id, .server_id_bytes = 4, .nonce_bytes = 15, .key = {}}
                );
                if (chance()) {
                    spec.quic.back().key = {0x01, 0xab, id};
                }
            }
        }
    }

    ServiceConfig service(unsigned index) {
        ServiceConfig out;
        out.spec.name = name(fmt::format("service{}-", index));
        out.spec.key = key(index);
        set_policy(out.spec);
        out.probe = probe();
        if (chance()) {
            out.policy = {
                .panic_percent = short_number(0, 100),
                .min_healthy = short_number(0, 16383),
                .slow_start_ms = number(4000, 3600000),
                .flap_limit = short_number(1, 100),
                .flap_window_ms = number(1000, 3600000),
                .flap_hold_ms = number(1000, max_flap_hold_ms),
            };
            switch (number(0, 2)) {
            case 1:
                out.policy.shrink_limit = short_number(1, 16383);
                out.policy.shrink_window_ms = number(1000, 3600000);
                break;
            case 2:
                out.policy.shrink_percent = short_number(1, 100);
                break;
            default:
                break;
            }
        }
        const bool probes_port = out.probe.type != ProbeType::none &&
                                 out.probe.type != ProbeType::icmp &&
                                 out.probe.type != ProbeType::script;
        if (out.spec.key.takes_any_port() && probes_port) {
            out.probe.port = short_number(1, 65535);
        }
        const bool is_ipv4 = out.spec.key.vip.is_ipv4();
        const bool tunnel =
            out.spec.forwarding != Forwarding::nat && out.spec.forwarding != Forwarding::l2dsr;
        const bool has_port = out.spec.forwarding == Forwarding::nat &&
                              !out.spec.key.takes_any_port() && out.spec.key.more_ports == 0;
        const unsigned backends = number(0, 20);
        for (unsigned i = 0; i < backends; ++i) {
            BackendSpec backend;
            backend.name = name(fmt::format("b{}-", i));
            backend.key = {
                .address = *IpAddress::parse(
                    (tunnel ? chance() : is_ipv4) ? fmt::format("10.0.{}.{}", i, number(1, 254))
                                                  : fmt::format("fd00::{}:{}", i, number(1, 254))
                ),
                .port = has_port ? short_number(1, 65535) : out.spec.key.port
            };
            backend.weight = short_number(0, 65535);
            backend.admin = static_cast<AdminState>(number(0, 2));
            backend.health = out.probe.type == ProbeType::none ? Health::up : Health::unknown;
            if (!out.spec.quic.empty()) {
                backend.quic_server_id = {0xfe, 0, 0, static_cast<std::uint8_t>(i)};
            }
            out.spec.backends.push_back(backend);
            out.backend_places.emplace_back();
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
        "{}\nflows_per_worker = {}\nnat_flows_per_worker = {}\n",
        fmt::join(dataplane.workers, ", "),
        to_string(dataplane.idle),
        to_string(dataplane.hugepages),
        dataplane.memory_mb,
        dataplane.flows_per_worker,
        dataplane.nat_flows_per_worker
    );
    if (dataplane.main_core) {
        out += fmt::format("main_core = {}\n", *dataplane.main_core);
    }
    if (configuration.tunnel_sources.ipv4) {
        out +=
            fmt::format("tunnel_source = \"{}\"\n", configuration.tunnel_sources.ipv4->to_string());
    }
    if (configuration.tunnel_sources.ipv6) {
        out += fmt::format(
            "tunnel_source_ipv6 = \"{}\"\n", configuration.tunnel_sources.ipv6->to_string()
        );
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

std::string write_hex(const std::string& bytes) {
    std::string out;
    for (const char byte : bytes) {
        out += fmt::format("{:02X}", static_cast<unsigned char>(byte));
    }
    return out;
}

std::string write_http(const ProbeConfig& probe) {
    std::string out;
    const auto add = [&out](std::string_view key, const std::string& text) {
        out += text.empty() ? "" : fmt::format(", {} = {}", key, write_string(text));
    };
    add("host", probe.host);
    if (!probe.headers.empty()) {
        out += ", headers = {";
        for (const HttpHeader& header : probe.headers) {
            out += fmt::format(
                "{}{} = {}",
                &header == probe.headers.data() ? " " : ", ",
                header.name,
                write_string(header.value)
            );
        }
        out += " }";
    }
    if (probe.type == ProbeType::grpc) {
        out += fmt::format(", tls = {}", probe.tls);
        add("grpc_service", probe.grpc_service);
    } else {
        add("method", probe.method);
        add("path", probe.path);
        add("status", fmt::format("{}-{}", probe.expect_status_min, probe.expect_status_max));
        add("body", probe.body);
        out += fmt::format(", http2 = {}", probe.http2);
    }
    if (probe.tls || probe.type == ProbeType::https) {
        out += fmt::format(", tls_verify = {}", probe.tls_verify);
        add("tls_name", probe.tls_name);
        add("tls_ca", probe.tls_ca);
    }
    return out;
}

std::string write_exchange(const ProbeConfig& probe) {
    std::string out;
    if (!probe.send.empty()) {
        out += fmt::format(", send_hex = \"{}\"", write_hex(probe.send));
    }
    if (!probe.expect.empty()) {
        out += fmt::format(", expect_hex = \"{}\"", write_hex(probe.expect));
    }
    if (probe.type == ProbeType::dns) {
        out += fmt::format(
            ", query = \"{}\", record = \"{}\", rcode = \"{}\"",
            probe.query,
            to_string(probe.record),
            describe_rcode(probe.rcode)
        );
        out += probe.answer ? fmt::format(", answer = \"{}\"", probe.answer->to_string()) : "";
    }
    if (probe.type == ProbeType::script) {
        out += fmt::format(
            ", command = [{}, {}], user = \"{}\"",
            write_string(probe.command.at(0)),
            write_string(probe.command.at(1)),
            probe.user
        );
    }
    return out;
}

std::string write_probe(const ProbeConfig& probe) {
    std::string out = fmt::format("probe = {{ type = \"{}\"", to_string(probe.type));
    if (probe.type == ProbeType::none) {
        return out + " }\n";
    }
    if (probe.port) {
        out += fmt::format(", port = {}", *probe.port);
    }
    if (probe.via == ProbeVia::vip) {
        out += ", via = \"vip\"";
    }
    out += speaks_http(probe.type) ? write_http(probe) : write_exchange(probe);
    out += fmt::format(
        ", interval = \"{}ms\", timeout = \"{}ms\", fall = {}, rise = {}, jitter = {}",
        probe.interval_ms,
        probe.timeout_ms,
        probe.fall,
        probe.rise,
        probe.jitter_percent
    );
    if (probe.fast_interval_ms != 0) {
        out += fmt::format(", fast_interval = \"{}ms\"", probe.fast_interval_ms);
    }
    if (probe.concurrency != 0) {
        out += fmt::format(", concurrency = {}", probe.concurrency);
    }
    return out + " }\n";
}

std::string write_access(const AccessSpec& access) {
    std::string out;
    for (const auto& [key, list] : {std::pair{"allow", &access.allow}, {"deny", &access.deny}}) {
        if (!list->empty()) {
            out += fmt::format("{} = [", key);
            for (const IpPrefix& prefix : *list) {
                out += fmt::format("\"{}\", ", prefix.to_string());
            }
            out += "]\n";
        }
    }
    return out;
}

template <typename Bytes>
std::string write_hex(const Bytes& bytes) {
    std::string out;
    for (const std::uint8_t byte : bytes) {
        out += fmt::format("{:02x}", byte);
    }
    return out;
}

std::string write_key(const ServiceKey& key) {
    std::string port = fmt::format("{}", key.port);
    if (key.takes_any_port()) {
        port = "\"any\"";
    } else if (key.more_ports > 0) {
        port = fmt::format("\"{}-{}\"", key.port, key.last_port());
    }
    return fmt::format(
        "vip = \"{}\"\nprotocol = \"{}\"\nport = {}\n",
        key.prefix().to_string(),
        to_string(key.protocol),
        port
    );
}

std::string write_policy(const ServiceSpec& spec) {
    std::string out = fmt::format(
        "forwarding = \"{}\"\nmaglev_size = {}\ntrack = {}\naffinity = \"{}\"\non_down = \"{}\"\n",
        to_string(spec.forwarding),
        spec.maglev_size,
        spec.track,
        to_string(spec.affinity),
        to_string(spec.on_down)
    );
    const unsigned bits = address_bits(spec.key.vip.family());
    if (spec.forwarding == Forwarding::gue) {
        out +=
            fmt::format("gue = {{ variant = {}, port = {} }}\n", spec.gue_variant, spec.gue_port);
    }
    if (spec.affinity == Affinity::client) {
        out += fmt::format("affinity_prefix = {}\n", bits - spec.affinity_host_bits);
    }
    out += spec.mss_clamp > 0 ? fmt::format("mss_clamp = {}\n", spec.mss_clamp) : "";
    out += fmt::format("toa = {}\n", spec.toa);
    if (spec.limits.flows > 0) {
        out += fmt::format(
            "limit = {{ new_flows_per_second = {}, new_flows_per_second_per_source = {}, "
            "source_prefix = {}, flows = {}, flows_per_backend = {} }}\n",
            spec.limits.new_flows_per_s,
            spec.limits.new_flows_per_s_and_source,
            bits - (bits == 32 ? spec.limits.source_host_bits_ipv4
                               : spec.limits.source_host_bits_ipv6),
            spec.limits.flows,
            spec.limits.flows_per_backend
        );
    }
    out += write_access(spec.access);
    if (!spec.quic.empty()) {
        out += "quic = [\n";
        for (const QuicLbSpec& quic : spec.quic) {
            out += fmt::format(
                "  {{ config_id = {}, server_id_bytes = {}, nonce_bytes = {}{} }},\n",
                quic.config_id,
                quic.server_id_bytes,
                quic.nonce_bytes,
                quic.key ? fmt::format(", key = \"{}\"", write_hex(*quic.key)) : ""
            );
        }
        out += "]\n";
    }
    return out;
}

// A port of their own only where one may be named.
std::string write_backends(const ServiceSpec& spec) {
    const bool has_port = !spec.key.takes_any_port() && spec.key.more_ports == 0;
    std::string out = "backend = [\n";
    for (const BackendSpec& backend : spec.backends) {
        out += fmt::format(
            "  {{ name = \"{}\", address = \"{}\", {}weight = {}, state = \"{}\"{} }},\n",
            backend.name,
            backend.key.address.to_string(),
            has_port ? fmt::format("port = {}, ", backend.key.port) : "",
            backend.weight,
            to_string(backend.admin),
            backend.quic_server_id.empty()
                ? ""
                : fmt::format(", server_id = \"{}\"", write_hex(backend.quic_server_id))
        );
    }
    return out + "]\n";
}

std::string write_health_policy(const HealthPolicy& policy) {
    if (policy == HealthPolicy{}) {
        return "";
    }
    std::string shrink;
    if (policy.shrink_limit != 0) {
        shrink = fmt::format(
            ", shrink_limit = {}, shrink_window = \"{}ms\"",
            policy.shrink_limit,
            policy.shrink_window_ms
        );
    } else if (policy.shrink_percent != 0) {
        shrink = fmt::format(", shrink_percent = {}", policy.shrink_percent);
    }
    return fmt::format(
        "health = {{ panic_percent = {}, min_healthy = {}, slow_start = \"{}ms\", flap_limit = {}, "
        "flap_window = \"{}ms\", flap_hold = \"{}ms\"{} }}\n",
        policy.panic_percent,
        policy.min_healthy,
        policy.slow_start_ms,
        policy.flap_limit,
        policy.flap_window_ms,
        policy.flap_hold_ms,
        shrink
    );
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
    out += "[nat]\nsource = [";
    for (const IpAddress& source : configuration.nat_sources) {
        out += fmt::format("\"{}\", ", source.to_string());
    }
    out += "]\n[access]\n" + write_access(configuration.access);
    for (const ServiceConfig& service : configuration.services) {
        out += fmt::format("[[service]]\nname = \"{}\"\n", service.spec.name);
        out += write_key(service.spec.key) + write_policy(service.spec);
        out += write_probe(service.probe) + write_health_policy(service.policy);
        out += write_backends(service.spec);
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
