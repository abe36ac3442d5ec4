// SPDX-License-Identifier: Apache-2.0
#include "controlplane/health/http_judgement.hpp"

#include "controlplane/health/grpc_message.hpp"

#include <chrono>
#include <fmt/format.h>

namespace penstock {

namespace {

using config::ProbeConfig;
using config::ProbeType;

bool is_secure(const ProbeConfig& probe) {
    return probe.type == ProbeType::https || probe.tls;
}

std::string_view word_of(const ProbeConfig& probe) {
    return probe.type == ProbeType::grpc ? "grpc" : "http";
}

ProbeResult judge_http(const ProbeConfig& probe, const HttpAnswer& answer) {
    if (probe.http2 && !answer.is_http2) {
        return make_bad(fmt::format("http {} by HTTP/1, not by HTTP/2", answer.status));
    }
    std::string detail = fmt::format("http {}", answer.status);
    if (!answer.location.empty() && answer.status >= 300 && answer.status <= 399) {
        detail += " to " + quote_untrusted(answer.location);
    }
    if (answer.status < probe.expect_status_min || answer.status > probe.expect_status_max) {
        return make_bad(std::move(detail));
    }
    const bool found = probe.body.empty() || answer.body.find(probe.body) != std::string::npos;
    if (!found) {
        detail += ", the body lacks " + quote_untrusted(probe.body, 32);
    }
    if (answer.is_body_cut) {
        detail += ", cut after 64 KiB of body";
    }
    return found ? make_good(std::move(detail)) : make_bad(std::move(detail));
}

ProbeResult judge_grpc(const ProbeConfig& probe, const HttpAnswer& answer) {
    constexpr std::string_view not_found = "5";
    constexpr std::string_view unimplemented = "12";
    if (answer.is_body_cut) {
        return make_bad("grpc: cut after 64 KiB of body");
    }
    if (answer.status != 200) {
        return make_bad(fmt::format("grpc: http {}", answer.status));
    }
    if (answer.grpc_status.empty()) {
        return make_bad("grpc: an answer without a grpc-status");
    }
    if (answer.grpc_status == not_found) {
        return make_bad(fmt::format("grpc: the server knows no service '{}'", probe.grpc_service));
    }
    if (answer.grpc_status == unimplemented) {
        return make_bad("grpc: the server has no health service");
    }
    if (answer.grpc_status != "0") {
        return make_bad(fmt::format(
            "grpc status {} {}",
            quote_untrusted(answer.grpc_status, 8),
            quote_untrusted(answer.grpc_message)
        ));
    }
    std::string status = decode_grpc_response(answer.body);
    const bool good = status == "SERVING";
    std::string detail = "grpc " + std::move(status);
    return good ? make_good(std::move(detail)) : make_bad(std::move(detail));
}

ProbeResult describe_timeout(const ProbeConfig& probe, const HttpAnswer& answer) {
    const std::string timeout = format_timeout(std::chrono::milliseconds(probe.timeout_ms));
    if (!answer.is_connected) {
        return make_bad(fmt::format("tcp connect timeout {}", timeout));
    }
    if (is_secure(probe) && !answer.is_secured) {
        return make_bad(fmt::format("tls handshake timeout {}", timeout));
    }
    if (answer.header_bytes == 0) {
        return make_bad(
            fmt::format("{} timeout {}: connected, no response", word_of(probe), timeout)
        );
    }
    return make_bad(fmt::format(
        "{} timeout {}: cut after {} bytes of headers, {} of body",
        word_of(probe),
        timeout,
        answer.header_bytes,
        answer.body_bytes
    ));
}

ProbeResult describe_transport_error(const ProbeConfig& probe, const HttpAnswer& answer) {
    const std::string word(word_of(probe));
    switch (answer.code) {
    case CURLE_COULDNT_CONNECT:
        return answer.system_errno != 0 ? describe_socket_error("tcp connect", answer.system_errno)
                                        : make_bad("tcp connect failed");
    case CURLE_GOT_NOTHING:
        return make_bad(word + ": connection closed without a response");
    case CURLE_PARTIAL_FILE:
        return make_bad(word + ": connection closed before the end of the body");
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
        return make_bad(fmt::format(
            "{}: connection {}", word, answer.is_connected ? "broken by the server" : "failed"
        ));
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_INVALIDCERTSTATUS:
        return make_bad("tls: " + quote_untrusted(answer.error, 160));
    case CURLE_SSL_CACERT_BADFILE:
        return make_inconclusive(fmt::format("tls_ca {} cannot be read", probe.tls_ca));
    case CURLE_OUT_OF_MEMORY:
        // What curl also says of a line above 100 KiB; out of memory for good, nothing connects.
        return answer.is_connected ? make_bad(word + ": cut in a header line that does not end")
                                   : make_inconclusive(curl_easy_strerror(answer.code));
    case CURLE_FAILED_INIT:
        return make_inconclusive(curl_easy_strerror(answer.code));
    default:
        return make_bad(fmt::format(
            "{}: {}",
            word,
            answer.error.empty() ? curl_easy_strerror(answer.code)
                                 : quote_untrusted(answer.error, 160)
        ));
    }
}

} // namespace

ProbeResult judge_http_answer(const ProbeConfig& probe, const HttpAnswer& answer) {
    // Of a body that is cut the status is known: enough seen.
    if (answer.code == CURLE_OK || (answer.code == CURLE_WRITE_ERROR && answer.is_body_cut)) {
        return probe.type == ProbeType::grpc ? judge_grpc(probe, answer)
                                             : judge_http(probe, answer);
    }
    if (answer.is_header_cut) {
        return make_bad(fmt::format("{}: cut after 64 KiB of headers", word_of(probe)));
    }
    if (answer.socket_errno != 0) {
        return describe_socket_error("socket", answer.socket_errno);
    }
    if (answer.code == CURLE_OPERATION_TIMEDOUT) {
        return describe_timeout(probe, answer);
    }
    return describe_transport_error(probe, answer);
}

} // namespace penstock
