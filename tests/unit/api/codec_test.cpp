// SPDX-License-Identifier: Apache-2.0
// Messages survive the way there and back; everything else is refused, with the spot named. The file is
// long because every field has its ways to be wrong here.
#include "dataplane/api/codec.hpp"
#include "tests/unit/api/random_state.hpp"

#include <dataplane.pb.h>
#include <gtest/gtest.h>

#include <functional>

namespace penstock {
namespace {

std::span<const std::uint8_t> message_of(const std::vector<std::uint8_t>& frame) {
    return std::span{frame}.subspan(frame_header_bytes);
}

template <typename Message>
std::vector<std::uint8_t> frame_of(const Message& message) {
    auto frame = encode_frame(message);
    EXPECT_TRUE(frame) << to_string(frame.error());
    return std::move(*frame);
}

TEST(Codec, ReturnsRandomStatesUnchanged) {
    for (std::uint32_t seed = 0; seed < 200; ++seed) {
        const ClientMessage sent =
            Request{seed + 1ULL, ApplyDesiredState{RandomState(seed).make_state(20, 20)}};
        const auto got = decode_client_message(message_of(frame_of(sent)));
        ASSERT_TRUE(got) << to_string(got.error());
        EXPECT_EQ(*got, sent) << "seed " << seed;
    }
}

TEST(Codec, ReturnsTheOtherRequestsUnchanged) {
    const ServiceKey service{*IpAddress::parse("198.51.100.10"), Protocol::tcp, 80};
    const std::vector<ClientMessage> messages{
        Hello{protocol_version, 77, "penstock-cp 0.1.0"},
        Request{1, GetStatus{}},
        Request{2, ExplainPackets{.frames = {{1}, {2, 3}}}},
        Request{
            2,
            UpdateHealth{
                9,
                {{service, {*IpAddress::parse("10.0.1.11"), 80}, Health::down},
                 {service, {*IpAddress::parse("2001:db8::1"), 80}, Health::unknown}}
            }
        },
    };
    for (const ClientMessage& sent : messages) {
        const auto got = decode_client_message(message_of(frame_of(sent)));
        ASSERT_TRUE(got) << to_string(got.error());
        EXPECT_EQ(*got, sent);
    }
}

Status make_status() {
    Status status{
        .generation = 7,
        .instance_id = 12,
        .program = "penstock-dp 0.1.0",
        .started_unix_ns = 1'700'000'000'000'000'000,
        .statistics_path = "/run/penstock/dataplane.stats",
    };
    status.workers.push_back({3, UINT64_MAX, 6, {{"edge0", 0}, {"edge1", 65535}}});
    const MacAddress mac = *MacAddress::parse("02:00:00:00:00:01");
    status.ports.push_back(
        {"edge0", "eth1", "net_af_xdp", mac, 1500, LinkState::up, SteeringCounters{1, 2, 3}}
    );
    status.ports.push_back(
        {"edge1", "net_null0", "net_null", mac, 9000, LinkState::down, std::nullopt}
    );
    BackendStatus backend{
        .service_name = "web",
        .service = {*IpAddress::parse("198.51.100.10"), Protocol::tcp, 80},
        .name = "web-1",
        .key = {*IpAddress::parse("10.0.1.11"), 80},
        .weight = 0,
        .admin = AdminState::drain,
        .health = Health::up,
        .next_hop = NextHopState::resolved,
        .next_hop_mac = mac,
        .next_hop_port = "edge0",
    };
    status.backends.push_back(backend);
    backend.next_hop = NextHopState::unresolved;
    backend.next_hop_mac.reset();
    backend.next_hop_port.clear();
    backend.next_hop_reason = "no route to 10.0.1.11";
    status.backends.push_back(backend);
    return status;
}

Explained make_explained() {
    ExplainedPacket forwarded{
        .verdict = VerdictKind::forward,
        .reason = "",
        .reason_text = "",
        .service_name = "web",
        .service = ServiceKey{*IpAddress::parse("198.51.100.10"), Protocol::tcp, 80},
        .hash = UINT64_MAX,
        .slot = 5,
        .slot_count = 16381,
        .slot_backend = "web-2",
        .flows =
            {{.worker = 1, .age_s = 4, .state = FlowState::tcp_established, .backend_name = "web-1"}
            },
        .backend = std::nullopt,
        .next_hop_mac = *MacAddress::parse("02:00:00:00:00:01"),
        .tx_port = "edge0",
        .sent = {1, 2, 3},
    };
    forwarded.backend = ExplainedBackend{
        .spec =
            {.name = "web-1",
             .key = {*IpAddress::parse("10.0.1.11"), 80},
             .admin = AdminState::drain,
             .health = Health::up},
        .forwarding = Forwarding::ipip,
        .removed = true,
    };
    ExplainedPacket dropped;
    dropped.reason = "no_backend";
    dropped.reason_text = "there is none";
    return {.generation = 7, .packets = {forwarded, dropped}};
}

TEST(Codec, ReturnsRepliesUnchanged) {
    const std::vector<ServerMessage> messages{
        Hello{protocol_version, 1, "penstock-dp 0.1.0"},
        Reply{4, Applied{19, 3}},
        Reply{0, Refused{{"service web", "it is odd", "make it even"}, 18}},
        Reply{5, make_status()},
        Reply{6, make_explained()},
    };
    for (const ServerMessage& sent : messages) {
        const auto got = decode_server_message(message_of(frame_of(sent)));
        ASSERT_TRUE(got) << to_string(got.error());
        EXPECT_EQ(*got, sent);
    }
}

// ---- Refusals: a valid message with one thing wrong

wire::ClientMessage make_valid_apply() {
    DesiredState state = RandomState(1).make_state(0, 0);
    for (int i = 0; i < 2; ++i) {
        ServiceSpec& service = state.services.emplace_back();
        service.name = fmt::format("web{}", i);
        service.key = {
            *IpAddress::parse("198.51.100.10"), Protocol::tcp, static_cast<std::uint16_t>(80 + i)
        };
        for (int j = 0; j < 2; ++j) {
            service.backends.push_back(
                {.name = fmt::format("b{}", j),
                 .key = {*IpAddress::parse(fmt::format("10.0.1.{}", 11 + j)), 80}}
            );
        }
    }
    const auto frame = frame_of(ClientMessage{Request{1, ApplyDesiredState{state}}});
    wire::ClientMessage message;
    EXPECT_TRUE(message.ParseFromArray(
        frame.data() + frame_header_bytes, static_cast<int>(frame.size() - frame_header_bytes)
    ));
    return message;
}

std::expected<ClientMessage, Refusal> decode(const wire::ClientMessage& message) {
    const std::string bytes = message.SerializeAsString();
    return decode_client_message({reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()}
    );
}

void set(wire::Prefix& prefix, const std::string& address, std::uint32_t length) {
    prefix.set_address(address);
    prefix.set_length(length);
}

wire::ServiceKey& key_of(wire::ApplyDesiredState& message) {
    return *message.mutable_services(0)->mutable_key();
}

wire::Gue& make_gue(wire::ApplyDesiredState& message) {
    wire::Service& service = *message.mutable_services(0);
    service.set_forwarding(wire::FORWARDING_GUE);
    service.mutable_gue()->set_variant(wire::GUE_VARIANT_1);
    service.mutable_gue()->set_port(6080);
    return *service.mutable_gue();
}

wire::QuicLb& add_quic(wire::ApplyDesiredState& message) {
    wire::QuicLb& quic = *message.mutable_services(0)->add_quic();
    quic.set_config_id(1);
    quic.set_server_id_bytes(4);
    quic.set_nonce_bytes(8);
    return quic;
}

/// ::ffff:10.0.0.0/104, which is IPv4 and must be sent so.
const std::string mapped_ipv4 =
    std::string("\x06\x68") + std::string(10, '\0') + std::string("\xff\xff\x0a\0\0\0", 6);

struct Wrong {
    const char* place; ///< that the refusal must name
    std::function<void(wire::ApplyDesiredState&)> spoil;
};

void expect_refused(const std::vector<Wrong>& cases) {
    ASSERT_TRUE(decode(make_valid_apply())) << "the test's own message must be valid";
    for (const Wrong& wrong : cases) {
        wire::ClientMessage message = make_valid_apply();
        wrong.spoil(*message.mutable_request()->mutable_apply_desired_state());
        const auto got = decode(message);
        ASSERT_FALSE(got) << wrong.place;
        const Refusal& refusal = got.error();
        EXPECT_TRUE(refusal.place.starts_with(wrong.place))
            << wrong.place << " / " << to_string(refusal);
        EXPECT_FALSE(refusal.cause.empty() || refusal.remedy.empty()) << wrong.place;
    }
}

TEST(Codec, RefusesEveryWrongValueOfAState) {
    expect_refused({
        {"generation", [](auto& m) { m.set_generation(0); }},
        {"flow_hash_key", [](auto& m) { m.set_flow_hash_key("short"); }},
        {"flow_hash_key", [](auto& m) { m.set_flow_hash_key(std::string(17, 'k')); }},
        {"timeouts, tcp_syn_s", [](auto& m) { m.clear_timeouts(); }},
        {"timeouts, tcp_syn_s", [](auto& m) { m.mutable_timeouts()->set_tcp_syn_s(0); }},
        {"timeouts, tcp_established_s",
         [](auto& m) { m.mutable_timeouts()->set_tcp_established_s(7441); }},
        {"timeouts, tcp_closing_s", [](auto& m) { m.mutable_timeouts()->set_tcp_closing_s(0); }},
        {"timeouts, udp_s", [](auto& m) { m.mutable_timeouts()->set_udp_s(70000); }},
        {"tunnel_source_ipv4", [](auto& m) { m.mutable_tunnel_source_ipv4()->set_address("abc"); }},
        {"tunnel_source_ipv4",
         [](auto& m) { m.mutable_tunnel_source_ipv4()->set_address(std::string(4, '\0')); }},
        {"tunnel_source_ipv4",
         [](auto& m) { set(*m.mutable_tunnel_source_ipv4(), std::string(16, 'x'), 128); }},
        {"tunnel_source_ipv6",
         [](auto& m) { set(*m.mutable_tunnel_source_ipv6(), std::string(4, 'x'), 32); }},
        {"tunnel_source_ipv6, length",
         [](auto& m) { set(*m.mutable_tunnel_source_ipv6(), std::string(16, 'x'), 129); }},
        {"tunnel_source_ipv6",
         [](auto& m) { set(*m.mutable_tunnel_source_ipv6(), std::string(16, 'x'), 64); }},
        {"nat_sources 1", [](auto& m) { m.add_nat_sources("abc"); }},
        {"nat_sources 2",
         [](auto& m) {
             m.add_nat_sources("abcd");
             m.add_nat_sources("abcd");
         }},
        {"nat_sources",
         [](auto& m) {
             for (std::size_t i = 0; i <= max_nat_sources; ++i) {
                 m.add_nat_sources("abcd");
             }
         }},
        {"access, allow", [](auto& m) { m.mutable_access()->set_allow("\x04\x20\x01"); }},
        {"access, allow", [](auto& m) { m.mutable_access()->set_allow("\x05\x20wxyz"); }},
        {"access, deny", [](auto& m) { m.mutable_access()->set_deny("\x04\x21wxyz"); }},
        {"access, deny", [](auto& m) { m.mutable_access()->set_deny("\x04\x08wxyz"); }},
        {"access, deny", [](auto& m) { m.mutable_access()->set_deny(mapped_ipv4); }},
    });
}

TEST(Codec, RefusesEveryWrongValueOfAServiceKey) {
    expect_refused({
        {"service 1, name", [](auto& m) { m.mutable_services(0)->clear_name(); }},
        {"service 1, name", [](auto& m) { m.mutable_services(0)->set_name(std::string(64, 'n')); }},
        {"service 1, name", [](auto& m) { m.mutable_services(0)->set_name("a\nb"); }},
        {"service 1, vip", [](auto& m) { m.mutable_services(0)->clear_key(); }},
        {"service 1, vip", [](auto& m) { key_of(m).mutable_vip()->set_address("12345"); }},
        {"service 1, vip, length", [](auto& m) { key_of(m).mutable_vip()->set_length(0); }},
        {"service 1, vip, length", [](auto& m) { key_of(m).mutable_vip()->set_length(33); }},
        {"service 1, vip", [](auto& m) { key_of(m).mutable_vip()->set_length(24); }},
        {"service 1, protocol",
         [](auto& m) { m.mutable_services(0)->mutable_key()->clear_protocol(); }},
        {"service 1, port", [](auto& m) { key_of(m).set_first_port(0); }},
        {"service 1, port", [](auto& m) { key_of(m).set_last_port(79); }},
        {"service 1, port", [](auto& m) { key_of(m).set_last_port(65536); }},
        {"service 1, port", [](auto& m) { key_of(m).set_protocol(wire::PROTOCOL_ANY); }},
    });
}

TEST(Codec, RefusesEveryWrongValueOfAServicePolicy) {
    expect_refused({
        {"service 1, track", [](auto& m) { m.mutable_services(0)->clear_track(); }},
        {"service 1, gue", [](auto& m) { m.mutable_services(0)->mutable_gue(); }},
        {"service 1, gue",
         [](auto& m) { m.mutable_services(0)->set_forwarding(wire::FORWARDING_GUE); }},
        {"service 1, gue, variant", [](auto& m) { make_gue(m).clear_variant(); }},
        {"service 1, gue, port", [](auto& m) { make_gue(m).clear_port(); }},
        {"service 1, gue, port", [](auto& m) { make_gue(m).set_port(65536); }},
        {"service 1, affinity", [](auto& m) { m.mutable_services(0)->clear_affinity(); }},
        {"service 1, affinity_prefix_length",
         [](auto& m) { m.mutable_services(0)->set_affinity_prefix_length(24); }},
        {"service 1, affinity_prefix_length",
         [](auto& m) { m.mutable_services(0)->set_affinity(wire::AFFINITY_CLIENT); }},
        {"service 1, affinity_prefix_length",
         [](auto& m) {
             m.mutable_services(0)->set_affinity(wire::AFFINITY_CLIENT);
             m.mutable_services(0)->set_affinity_prefix_length(33);
         }},
        {"service 1, on_down", [](auto& m) { m.mutable_services(0)->clear_on_down(); }},
        {"service 1, mss_clamp", [](auto& m) { m.mutable_services(0)->set_mss_clamp(65536); }},
        {"service 1, toa", [](auto& m) { m.mutable_services(0)->clear_toa(); }},
        {"service 1, limits, source_prefix_length_ipv4",
         [](auto& m) { m.mutable_services(0)->clear_limits(); }},
        {"service 1, limits, source_prefix_length_ipv6",
         [](auto& m) {
             m.mutable_services(0)->mutable_limits()->set_source_prefix_length_ipv6(129);
         }},
        {"service 1, access, allow",
         [](auto& m) { m.mutable_services(0)->mutable_access()->set_allow("x"); }},
        {"service 1, quic 1, config_id", [](auto& m) { add_quic(m).set_config_id(7); }},
        {"service 1, quic 1, server_id_bytes", [](auto& m) { add_quic(m).set_server_id_bytes(0); }},
        {"service 1, quic 1, server_id_bytes", [](auto& m) { add_quic(m).set_server_id_bytes(16); }
        },
        {"service 1, quic 1, nonce_bytes", [](auto& m) { add_quic(m).set_nonce_bytes(3); }},
        {"service 1, quic 1, nonce_bytes", [](auto& m) { add_quic(m).set_nonce_bytes(18); }},
        {"service 1, quic 1, key", [](auto& m) { add_quic(m).set_key("short"); }},
        {"service 1, quic 2",
         [](auto& m) {
             add_quic(m);
             add_quic(m);
         }},
        {"service 1, quic",
         [](auto& m) {
             for (std::size_t i = 0; i <= max_quic_configs; ++i) {
                 add_quic(m);
             }
         }},
    });
}

TEST(Codec, RefusesEveryWrongValueOfABackend) {
    expect_refused({
        {"service 1, forwarding", [](auto& m) { m.mutable_services(0)->clear_forwarding(); }},
        {"service 1, maglev_size", [](auto& m) { m.mutable_services(0)->set_maglev_size(65536); }},
        {"service web1",
         [](auto& m) { *m.mutable_services(1)->mutable_key() = m.services(0).key(); }},
        {"service 2, backend 1, port",
         [](auto& m) {
             auto& key = *m.mutable_services(1)->mutable_backends(0)->mutable_key();
             key.clear_port();
             key.set_as_sent(true);
         }},
        {"service 2, backend 1, port",
         [](auto& m) {
             m.mutable_services(1)->mutable_key()->set_first_port(0);
             m.mutable_services(1)->mutable_key()->set_last_port(65535);
         }},
        {"service 2, backend 1, port",
         [](auto& m) {
             m.mutable_services(1)->mutable_backends(0)->mutable_key()->set_as_sent(true);
         }},
        {"service 2, backend 1, quic_server_id",
         [](auto& m) {
             m.mutable_services(1)->mutable_backends(0)->set_quic_server_id("0123456789abcdef");
         }},
        {"service 2, backend 1, name",
         [](auto& m) { m.mutable_services(1)->mutable_backends(0)->clear_name(); }},
        {"service 2, backend 1, address",
         [](auto& m) { m.mutable_services(1)->mutable_backends(0)->mutable_key()->clear_address(); }
        },
        {"service 2, backend 2, port",
         [](auto& m) { m.mutable_services(1)->mutable_backends(1)->mutable_key()->set_port(0); }},
        {"service 2, backend 1, weight",
         [](auto& m) { m.mutable_services(1)->mutable_backends(0)->set_weight(65536); }},
        {"service 2, backend 1, admin",
         [](auto& m) { m.mutable_services(1)->mutable_backends(0)->clear_admin(); }},
        {"service 2, backend 1, health",
         [](auto& m) { m.mutable_services(1)->mutable_backends(0)->clear_health(); }},
        {"service web1, backend b0",
         [](auto& m) { *m.mutable_services(1)->add_backends() = m.services(1).backends(0); }},
        {"services",
         [](auto& m) {
             for (std::size_t i = 0; i <= max_services; ++i) {
                 m.add_services();
             }
         }},
        {"backends of all services",
         [](auto& m) {
             for (std::size_t i = 0; i < max_backends; ++i) {
                 m.mutable_services(0)->add_backends();
             }
         }},
    });
}

// What the spoilers above build on is itself good.
TEST(Codec, TakesGueAndQuic) {
    wire::ClientMessage message = make_valid_apply();
    auto& apply = *message.mutable_request()->mutable_apply_desired_state();
    make_gue(apply);
    add_quic(apply).set_key("0123456789abcdef");
    EXPECT_TRUE(decode(message));
}

TEST(Codec, RefusesWordsThatItDoesNotKnow) {
    wire::ClientMessage message = make_valid_apply();
    auto& service = *message.mutable_request()->mutable_apply_desired_state()->mutable_services(0);
    service.set_forwarding(static_cast<wire::Forwarding>(99));
    EXPECT_FALSE(decode(message));
}

TEST(Codec, RefusesBadHealthUpdates) {
    const ServiceKey service{*IpAddress::parse("198.51.100.10"), Protocol::tcp, 80};
    const HealthChange change{service, {*IpAddress::parse("10.0.1.11"), 80}, Health::down};
    const auto is_taken = [](UpdateHealth update) {
        const auto frame = frame_of(ClientMessage{Request{1, std::move(update)}});
        return decode_client_message(message_of(frame)).has_value();
    };
    EXPECT_TRUE(is_taken({1, {change}}));
    EXPECT_FALSE(is_taken({0, {change}})) << "sequence 0";
    EXPECT_FALSE(is_taken({1, {change, change}})) << "the same backend twice";
    EXPECT_FALSE(is_taken({1, {{service, {IpAddress{}, 80}, Health::up}}})) << "no address";
    EXPECT_FALSE(is_taken({1, std::vector<HealthChange>(max_backends + 1, change)})) << "too many";
}

TEST(Codec, RefusesQuestionsThatAreNone) {
    const auto refused = [](std::vector<std::vector<std::uint8_t>> frames) {
        const ClientMessage message{Request{1, ExplainPackets{.frames = std::move(frames)}}};
        return !decode_client_message(message_of(frame_of(message))).has_value();
    };
    using Frame = std::vector<std::uint8_t>;
    EXPECT_TRUE(refused({}));
    EXPECT_TRUE(refused({Frame{}}));
    EXPECT_TRUE(refused({Frame(ExplainPackets::max_frame_bytes + 1)}));
    EXPECT_TRUE(refused(std::vector(ExplainPackets::max_frames + 1, Frame(1))));
    EXPECT_FALSE(refused(std::vector(ExplainPackets::max_frames, Frame(1))));
}

TEST(Codec, RefusesMessagesThatAskForNothing) {
    EXPECT_FALSE(decode(wire::ClientMessage{}));
    wire::ClientMessage message;
    message.mutable_request()->set_id(1);
    EXPECT_FALSE(decode(message)) << "a request without a body";
    message.mutable_request()->mutable_get_status();
    EXPECT_TRUE(decode(message));
    message.mutable_request()->set_id(0);
    EXPECT_FALSE(decode(message)) << "request id 0";
}

TEST(Codec, RefusesBytesThatAreNoMessage) {
    const std::vector<std::uint8_t> garbage(64, 0xff);
    EXPECT_FALSE(decode_client_message(garbage));
    EXPECT_FALSE(decode_server_message(garbage));
}

TEST(Codec, RefusesOrTakesEveryTruncationWithoutHarm) {
    const auto frame = frame_of(ServerMessage{Reply{5, make_status()}});
    const auto message = message_of(frame);
    std::size_t refused = 0;
    for (std::size_t bytes = 0; bytes < message.size(); ++bytes) {
        refused += decode_server_message(message.first(bytes)) ? 0 : 1;
    }
    // The outermost field announces its length, so nothing shorter parses.
    EXPECT_EQ(refused, message.size());
}

TEST(Codec, RefusesToSendMoreThanAFrameHolds) {
    DesiredState state = RandomState(1).make_state(0, 0);
    state.services.resize(1);
    state.services[0].name = std::string(max_message_bytes, 'n');
    EXPECT_FALSE(encode_frame(ClientMessage{Request{1, ApplyDesiredState{state}}}));
}

// The largest lists fit, with all the services and backends that there can be.
TEST(Codec, HoldsAsManyPrefixesAsAllowedAndNoMore) {
    DesiredState state = RandomState(1).make_state(0, 0);
    state.access = {};
    std::array<std::uint8_t, 16> bytes{0x20, 0x01, 0x0d, 0xb8};
    for (std::uint32_t i = 0; i < max_access_prefixes; ++i) {
        std::memcpy(bytes.data() + 8, &i, sizeof i);
        state.access.deny.push_back({.address = IpAddress::from_ipv6(bytes), .host_bits = 0});
    }
    for (std::uint32_t i = 0; i < max_services; ++i) {
        ServiceSpec& service = state.services.emplace_back();
        service.name = std::string(max_name_bytes, 'n');
        bytes[4] = 1;
        std::memcpy(bytes.data() + 8, &i, sizeof i);
        service.key = {.vip = IpAddress::from_ipv6(bytes), .port = 65535};
        service.quic.resize(max_quic_configs);
        for (std::uint8_t id = 0; id < max_quic_configs; ++id) {
            service.quic[id] = {id, 4, 8, std::array<std::uint8_t, 16>{}};
        }
        for (std::uint32_t j = 0; j < (i + 1 < max_services ? 4 : 3); ++j) {
            bytes[4] = 2;
            std::memcpy(bytes.data() + 12, &j, sizeof j);
            service.backends.push_back({
                .name = std::string(max_name_bytes, 'b'),
                .key = {.address = IpAddress::from_ipv6(bytes), .port = 65535},
                .quic_server_id = std::vector<std::uint8_t>(max_quic_server_id_bytes, 1),
            });
        }
    }
    const ClientMessage sent = Request{1, ApplyDesiredState{state}};
    const auto got = decode_client_message(message_of(frame_of(sent)));
    ASSERT_TRUE(got) << to_string(got.error());
    EXPECT_EQ(*got, sent);

    state.services[0].access.allow.push_back(state.access.deny[0]);
    const ClientMessage more = Request{1, ApplyDesiredState{state}};
    const auto refused = decode_client_message(message_of(frame_of(more)));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().place, "service 1, access, allow");
}

TEST(Codec, ChecksHellos) {
    EXPECT_TRUE(check_hello({protocol_version, 1, "penstock-cp"}));
    EXPECT_FALSE(check_hello({protocol_version, 0, "penstock-cp"}));
    const auto refused = check_hello({protocol_version + 1, 1, "penstock-cp"});
    ASSERT_FALSE(refused);
    EXPECT_NE(refused.error().cause.find(std::to_string(protocol_version + 1)), std::string::npos);
}

} // namespace
} // namespace penstock
