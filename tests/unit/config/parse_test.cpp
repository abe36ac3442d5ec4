// SPDX-License-Identifier: Apache-2.0
// What the parser accepts, its defaults and its limits; the words of its refusals are in
// tests/golden/check.
#include "controlplane/config/parse.hpp"

#include "dataplane/core/identity.hpp"
#include "tests/unit/config/sample.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <chrono>

namespace penstock::config {
namespace {

using testing::head;
using testing::refuse;
using testing::replace;
using testing::service;

std::string backends(std::size_t count) {
    std::string text = "backend = [\n";
    for (std::size_t i = 0; i < count; ++i) {
        text += fmt::format(
            "{{ name = \"b{}\", address = \"10.{}.{}.1\", weight = 100 }},\n",
            i,
            1 + i / 256,
            i % 256
        );
    }
    return text + "]\n";
}

std::string service_of(std::size_t count) {
    return service.substr(0, service.find("backend")) + backends(count);
}

TEST(Parse, the_defaults_are_those_of_the_reference) {
    const auto result = parse_configuration(head + service, "t.toml");
    ASSERT_TRUE(result) << render(result.error());
    EXPECT_EQ(result->node.name, "lb-a");
    EXPECT_EQ(result->dataplane.workers, std::vector<std::uint16_t>{1});
    EXPECT_EQ(result->dataplane.idle, IdleMode::automatic);
    EXPECT_EQ(result->dataplane.hugepages, HugepageMode::automatic);
    EXPECT_EQ(result->dataplane.memory_mb, 256U);
    EXPECT_EQ(result->dataplane.flows_per_worker, 1048576U);
    EXPECT_EQ(result->dataplane.nat_flows_per_worker, 65536U);
    EXPECT_FALSE(result->dataplane.main_core || result->tunnel_sources.ipv4);
    EXPECT_EQ(result->flow_timeouts, FlowTimeouts{});
    const ServiceConfig& web = result->services.at(0);
    EXPECT_EQ(web.spec.maglev_size, default_maglev_size);
    EXPECT_EQ(web.probe, ProbeConfig{});
    EXPECT_EQ(web.spec.backends.at(0).weight, 100);
    EXPECT_EQ(web.spec.backends.at(0).admin, AdminState::ready);
    EXPECT_EQ(web.spec.backends.at(0).health, Health::unknown);
    EXPECT_EQ(web.spec.backends.at(0).key.port, 80);
}

TEST(Parse, values_carry_their_places) {
    const auto result = parse_configuration(head + service, "t.toml");
    ASSERT_TRUE(result);
    const Place& port = result->dataplane.ports.at(0).place;
    EXPECT_EQ(port, (Place{"t.toml", 7, 13, 6}));
    EXPECT_EQ(
        static_cast<const Place&>(result->dataplane.worker_places.at(0)),
        (Place{"t.toml", 4, 12, 1})
    );
    EXPECT_EQ(result->services.at(0).place.line, 8U);
    EXPECT_EQ(result->dataplane.memory_mb_place.line, 0U);
}

TEST(Parse, a_service_without_probes_trusts_its_backends) {
    const auto result = parse_configuration(
        head + replace(service, "backend", "probe = { type = \"none\" }\nbackend"), "t"
    );
    ASSERT_TRUE(result) << render(result.error());
    EXPECT_EQ(result->services.at(0).spec.backends.at(0).health, Health::up);
}

TEST(Parse, a_byte_order_mark_and_carriage_returns_are_no_fault) {
    EXPECT_TRUE(parse_configuration("\xef\xbb\xbf" + head + service, "t.toml"));
    std::string crlf;
    for (const char character : head + service) {
        crlf += character == '\n' ? std::string("\r\n") : std::string(1, character);
    }
    EXPECT_TRUE(parse_configuration(crlf, "t.toml"));
}

TEST(Parse, a_file_without_services_is_a_declaration_of_none) {
    const auto result = parse_configuration(head, "t.toml");
    ASSERT_TRUE(result);
    EXPECT_TRUE(result->services.empty());
}

TEST(Parse, one_vip_and_port_may_serve_both_protocols) {
    const std::string udp = replace(
        replace(service, "\"tcp\"", "\"udp\"\nprobe = { type = \"none\" }"), "\"web\"", "\"quic\""
    );
    EXPECT_TRUE(parse_configuration(head + service + udp, "t.toml"));
}

TEST(Parse, warns_of_a_service_that_takes_no_flows) {
    for (const char* policy : {"weight = 0", "state = \"drain\"", "state = \"disabled\""}) {
        Diagnostics warnings;
        const std::string text =
            head + replace(service, "\"10.0.1.11\"", fmt::format("\"10.0.1.11\", {}", policy));
        ASSERT_TRUE(parse_configuration(text, "t.toml", &warnings)) << policy;
        ASSERT_EQ(warnings.size(), 1U);
        EXPECT_EQ(warnings[0].severity, Severity::warning);
        EXPECT_EQ(warnings[0].place.line, 14U);
    }
    Diagnostics warnings;
    ASSERT_TRUE(parse_configuration(head + service, "t.toml", &warnings));
    EXPECT_TRUE(warnings.empty());
}

TEST(Parse, every_error_is_listed_in_order_of_place) {
    const auto found = refuse(
        replace(head, "[1]", "[1, 1]") + replace(replace(service, "80", "0"), "\"ipip\"", "\"nat\"")
    );
    ASSERT_EQ(found.size(), 3U);
    EXPECT_EQ(found[0].place.line, 4U);
    EXPECT_EQ(found[1].place.line, 12U);
    EXPECT_EQ(found[2].place.line, 13U);
}

TEST(Parse, a_flood_of_errors_is_counted_not_listed) {
    std::string text = head;
    for (int i = 0; i < 20000; ++i) {
        text += fmt::format("[x{}]\n", i);
    }
    const auto found = refuse(text);
    ASSERT_EQ(found.size(), max_diagnostics);
    EXPECT_NE(found.back().remedy.find("19900 more are not listed"), std::string::npos);
}

TEST(Parse, limits_are_exact) {
    const auto workers = [](std::size_t count) {
        std::string list = "[0";
        for (std::size_t i = 1; i < count; ++i) {
            list += fmt::format(", {}", i);
        }
        return replace(head, "[1]", list + "]");
    };
    EXPECT_TRUE(parse_configuration(workers(max_workers), "t"));
    EXPECT_EQ(refuse(workers(max_workers + 1)).size(), 1U);
    const auto ports = [](std::size_t count) {
        std::string text = head;
        for (std::size_t i = 1; i < count; ++i) {
            text +=
                fmt::format("[[dataplane.port]]\nname = \"p{0}\"\ninterface = \"e{0}\"\n", i + 1);
        }
        return text;
    };
    EXPECT_TRUE(parse_configuration(ports(max_ports), "t"));
    EXPECT_EQ(refuse(ports(max_ports + 1)).size(), 1U);
    EXPECT_TRUE(parse_configuration(head + service_of(max_backends - 1), "t"));
    EXPECT_EQ(refuse(head + service_of(max_backends)).size(), 1U);
    const auto services = [](std::size_t count) {
        std::string text = head;
        for (std::size_t i = 0; i < count; ++i) {
            text += replace(
                replace(service, "\"web\"", fmt::format("\"s{}\"", i)),
                "port = 80",
                fmt::format("port = {}", i + 1)
            );
        }
        return text;
    };
    EXPECT_TRUE(parse_configuration(services(max_services), "t"));
    EXPECT_EQ(refuse(services(max_services + 1)).size(), 1U);
}

TEST(Parse, every_weighted_backend_has_a_slot) {
    const std::string small = "maglev_size = 16381\n";
    const auto with = [&](std::size_t count) {
        return head + replace(service_of(count), "backend", small + "backend");
    };
    EXPECT_TRUE(parse_configuration(with(16381), "t"));
    const auto found = refuse(with(16382));
    ASSERT_EQ(found.size(), 1U);
    EXPECT_NE(found[0].cause.find("maglev_size is 16381"), std::string::npos);
}

TEST(Parse, numbers_are_taken_up_to_their_bounds) {
    const auto weight = [](std::string_view value) {
        return head +
               replace(service, "\"10.0.1.11\"", fmt::format("\"10.0.1.11\", weight = {}", value));
    };
    EXPECT_TRUE(parse_configuration(weight("0"), "t"));
    EXPECT_TRUE(parse_configuration(weight("65535"), "t"));
    for (const char* bad : {"65536", "-1", "1.0", "\"1\"", "true", "inf", "9223372036854775807"}) {
        EXPECT_EQ(refuse(weight(bad)).size(), 1U) << bad;
    }
    const auto timeout = [](std::string_view value) {
        return head + fmt::format("[flow]\nudp = \"{}\"\n", value);
    };
    EXPECT_TRUE(parse_configuration(timeout("1s"), "t"));
    EXPECT_TRUE(parse_configuration(timeout("7440s"), "t"));
    EXPECT_TRUE(parse_configuration(timeout("124m"), "t"));
    for (const char* bad :
         {"7441s",
          "125m",
          "0s",
          "-1s",
          "+1s",
          " 1s",
          "1s ",
          "1",
          "s",
          "",
          "1d",
          "1.5s",
          "99999999999999999999s",
          "9223372036854775807h"}) {
        EXPECT_EQ(refuse(timeout(bad)).size(), 1U) << bad;
    }
}

TEST(Parse, an_oversized_text_is_refused_by_its_size) {
    const auto found = refuse(std::string(max_file_bytes + 1, 'x'));
    ASSERT_EQ(found.size(), 1U);
    EXPECT_NE(found[0].cause.find("at most 8388608"), std::string::npos);
}

TEST(Parse, ten_thousand_backends_take_no_time_to_speak_of) {
    const std::string text = head + service_of(10000);
    const auto begin = std::chrono::steady_clock::now();
    const auto result = parse_configuration(text, "t.toml");
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
    ASSERT_TRUE(result) << render(result.error());
    EXPECT_EQ(result->services.at(0).spec.backends.size(), 10000U);
    RecordProperty("milliseconds", static_cast<int>(took.count() * 1000));
    EXPECT_LT(
        took.count(), 10.0
    ); // generous: sanitizers, -O0 and a shared core; a release takes far less
}

// Hostile shapes: the work stays in proportion to the text.
TEST(Parse, hostile_texts_are_refused_in_bounded_time) {
    const std::size_t size = 1U << 18U;
    const auto repeat = [size](std::string_view piece) {
        std::string text;
        while (text.size() < size) {
            text += piece;
        }
        return text;
    };
    for (const std::string& text :
         {repeat("["),
          repeat("a."),
          repeat("{a="),
          repeat("[[a]]\n"),
          repeat("\""),
          repeat("'''\n"),
          repeat("#"),
          "a = [" + repeat("1,"),
          head + "[[service]]\nbackend = [" + repeat("{},") + "]\n",
          head + "service = [" + repeat("{},") + "]\n",
          repeat("\\"),
          repeat("\xef\xbb\xbf")}) {
        EXPECT_FALSE(refuse(text).empty()) << text.substr(0, 40);
    }
}

} // namespace
} // namespace penstock::config
