// SPDX-License-Identifier: Apache-2.0
// Packing and parsing are glibc's (arpa/nameser.h): decades of hostile answers have hardened them.
#include "controlplane/health/dns_probe.hpp"

#include "controlplane/health/datagram_exchange.hpp"

#include <arpa/nameser.h>
#include <array>
#include <cstdlib>
#include <cstring>
#include <fmt/format.h>
#include <resolv.h>
#include <strings.h>
#include <utility>

namespace penstock {

namespace {

ns_type to_type(config::DnsRecord record) {
    return record == config::DnsRecord::a ? ns_t_a : ns_t_aaaa;
}

void append_number(std::string& out, unsigned value) {
    out += static_cast<char>(value >> 8U);
    out += static_cast<char>(value & 0xffU);
}

std::string_view without_dot(std::string_view name) {
    return name.ends_with('.') ? name.substr(0, name.size() - 1) : name;
}

bool is_same_question(const config::ProbeConfig& probe, ns_msg& message) {
    ns_rr question;
    if (ns_msg_count(message, ns_s_qd) != 1 || ns_parserr(&message, ns_s_qd, 0, &question) != 0) {
        return false;
    }
    const std::string asked(without_dot(probe.query));
    return ns_rr_type(question) == to_type(probe.record) &&
           ::strcasecmp(ns_rr_name(question), asked.c_str()) == 0;
}

std::optional<IpAddress> read_address(const ns_rr& record, config::DnsRecord kind) {
    if (ns_rr_type(record) != to_type(kind)) {
        return std::nullopt; // a CNAME on the way
    }
    if (kind == config::DnsRecord::a && ns_rr_rdlen(record) == 4) {
        std::array<std::uint8_t, 16> mapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
        std::memcpy(mapped.data() + 12, ns_rr_rdata(record), 4);
        return IpAddress::from_ipv6(mapped);
    }
    if (kind == config::DnsRecord::aaaa && ns_rr_rdlen(record) == 16) {
        std::array<std::uint8_t, 16> bytes{};
        std::memcpy(bytes.data(), ns_rr_rdata(record), bytes.size());
        return IpAddress::from_ipv6(bytes);
    }
    return std::nullopt;
}

ProbeResult judge_records(const config::ProbeConfig& probe, ns_msg& message) {
    std::string seen;
    const int count = ns_msg_count(message, ns_s_an);
    constexpr int most_looked_at = 64;
    constexpr std::size_t most_named = 3;
    std::size_t found = 0;
    for (int i = 0; i < count && i < most_looked_at; ++i) {
        ns_rr record;
        if (ns_parserr(&message, ns_s_an, i, &record) != 0) {
            return make_bad("dns answer is malformed");
        }
        const auto address = read_address(record, probe.record);
        if (!address) {
            continue;
        }
        if (*address == *probe.answer) {
            return make_good(fmt::format("dns NOERROR, {}", address->to_string()));
        }
        if (found++ < most_named) {
            seen += (seen.empty() ? "" : ", ") + address->to_string();
        }
    }
    return make_bad(fmt::format(
        "dns answer {}{} instead of {}",
        found == 0 ? "has no address" : seen,
        found > most_named ? ", …" : "",
        probe.answer->to_string()
    ));
}

} // namespace

std::string make_dns_query(const config::ProbeConfig& probe, std::uint16_t id) {
    std::array<unsigned char, NS_MAXCDNAME> name{};
    const int length = ns_name_compress(
        std::string(without_dot(probe.query)).c_str(), name.data(), name.size(), nullptr, nullptr
    );
    if (length < 0) {
        std::abort(); // the parser lets no such name through
    }
    std::string query;
    append_number(query, id);
    append_number(query, 0x0100); // recursion desired
    append_number(query, 1);
    query.append(6, '\0');
    query.append(reinterpret_cast<const char*>(name.data()), static_cast<std::size_t>(length));
    append_number(query, to_type(probe.record));
    append_number(query, ns_c_in);
    return query;
}

std::optional<ProbeResult>
judge_dns_answer(const config::ProbeConfig& probe, std::uint16_t id, std::string_view answer) {
    ns_msg message;
    const auto* bytes = reinterpret_cast<const unsigned char*>(answer.data());
    if (answer.size() < NS_HFIXEDSZ) {
        return make_bad(fmt::format("dns answer of {} bytes is malformed", answer.size()));
    }
    const unsigned answered_id = (static_cast<unsigned>(bytes[0]) << 8U) | bytes[1];
    if (answered_id != id) {
        return std::nullopt; // late, or somebody else's
    }
    if (ns_initparse(bytes, static_cast<int>(answer.size()), &message) != 0) {
        return make_bad("dns answer is malformed");
    }
    if (ns_msg_getflag(message, ns_f_qr) == 0) {
        return make_bad("dns answer is a query");
    }
    // First: a server that refuses may leave the question out.
    const auto rcode = static_cast<std::uint8_t>(ns_msg_getflag(message, ns_f_rcode));
    if (rcode != probe.rcode) {
        return make_bad(fmt::format("dns {}", config::describe_rcode(rcode)));
    }
    if (!is_same_question(probe, message)) {
        return make_bad("dns answer is to another question");
    }
    if (!probe.answer) {
        return make_good(fmt::format("dns {}", config::describe_rcode(rcode)));
    }
    return judge_records(probe, message);
}

void start_dns_probe(
    boost::asio::io_context& loop, const ProbeRequest& request, std::uint16_t id, ProbeDone done
) {
    const SocketAddress address(request.target);
    start_datagram_exchange(
        loop,
        request,
        {.what = "dns",
         .fd = open_probe_socket(address.family(), SOCK_DGRAM, 0, request.mark),
         .datagram = make_dns_query(*request.probe, id),
         .judge = [probe = request.probe,
                   id](std::string_view answer) { return judge_dns_answer(*probe, id, answer); }},
        std::move(done)
    );
}

} // namespace penstock
