// SPDX-License-Identifier: Apache-2.0
#include "controlplane/health/http_probe.hpp"

#include "controlplane/health/grpc_message.hpp"
#include "controlplane/health/http_judgement.hpp"

#include <array>
#include <cctype>
#include <fmt/format.h>
#include <string>
#include <string_view>
#include <utility>

namespace penstock {

namespace {

using config::ProbeConfig;
using config::ProbeType;

constexpr std::size_t max_probe_header_bytes = max_probe_body_bytes;
constexpr long ca_cache_s = 60;

struct Transfer final : CurlTransfer {
    HttpAnswer answer;
    ProbeConfigPtr probe;
    CurlList headers;
    CurlList connect_to;
    std::string request_body;
    std::array<char, CURL_ERROR_SIZE> error{};
    ProbeDone done;

    void finish(CURLcode code) override;
};

void Transfer::finish(CURLcode code) {
    CURL* handle = easy.get();
    const auto get = [handle](CURLINFO what, auto value) {
        curl_easy_getinfo(handle, what, &value);
        return value;
    };
    answer.code = code;
    answer.error = error.data();
    answer.socket_errno = socket_errno;
    answer.system_errno = static_cast<int>(get(CURLINFO_OS_ERRNO, 0L));
    answer.status = get(CURLINFO_RESPONSE_CODE, 0L);
    answer.is_http2 = get(CURLINFO_HTTP_VERSION, 0L) == CURL_HTTP_VERSION_2_0;
    answer.is_connected = get(CURLINFO_LOCAL_PORT, 0L) != 0;
    answer.is_secured = get(CURLINFO_APPCONNECT_TIME_T, curl_off_t{0}) > 0;
    done(judge_http_answer(*probe, answer));
}

std::size_t take_body(char* data, std::size_t size, std::size_t count, void* context) {
    auto& transfer = *static_cast<Transfer*>(context);
    HttpAnswer& answer = transfer.answer;
    const std::size_t length = size * count;
    answer.body_bytes += length;
    const bool is_looked_into =
        !transfer.probe->body.empty() || transfer.probe->type == ProbeType::grpc;
    if (is_looked_into) {
        answer.body.append(data, std::min(length, max_probe_body_bytes - answer.body.size()));
    }
    if (answer.body_bytes > max_probe_body_bytes) {
        answer.is_body_cut = true;
        return 0;
    }
    return length;
}

/// The value of a header line if it is the header `name` (in lower case); nothing else.
std::optional<std::string_view> find_value(std::string_view line, std::string_view name) {
    if (line.size() <= name.size() || line[name.size()] != ':') {
        return std::nullopt;
    }
    for (std::size_t i = 0; i < name.size(); ++i) {
        if (std::tolower(static_cast<unsigned char>(line[i])) != name[i]) {
            return std::nullopt;
        }
    }
    line.remove_prefix(name.size() + 1);
    const std::size_t begin = line.find_first_not_of(" \t");
    const std::size_t end = line.find_last_not_of(" \t\r\n");
    return begin == std::string_view::npos || end < begin ? std::string_view{}
                                                          : line.substr(begin, end - begin + 1);
}

/// A line of the headers, or of the trailers.
std::size_t take_header(char* data, std::size_t size, std::size_t count, void* context) {
    HttpAnswer& answer = static_cast<Transfer*>(context)->answer;
    const std::size_t length = size * count;
    answer.header_bytes += length;
    if (answer.header_bytes > max_probe_header_bytes) {
        answer.is_header_cut = true;
        return 0;
    }
    const std::string_view line(data, length);
    if (const auto location = find_value(line, "location"); location && answer.location.empty()) {
        answer.location = *location;
    } else if (const auto status = find_value(line, "grpc-status")) {
        answer.grpc_status = *status;
    } else if (const auto message = find_value(line, "grpc-message")) {
        answer.grpc_message = *message;
    }
    return length;
}

std::string bracket(const IpAddress& address) {
    return address.is_ipv4() ? address.to_string() : "[" + address.to_string() + "]";
}

/// Without a port: "www.example.org:8080" names "www.example.org" in a certificate.
std::string_view without_port(std::string_view host) {
    if (host.starts_with('[')) {
        return host.substr(0, host.find(']') + 1);
    }
    return host.substr(0, host.find(':'));
}

void set_method(Transfer& transfer) {
    CURL* easy = transfer.easy.get();
    const ProbeConfig& probe = *transfer.probe;
    if (probe.type == ProbeType::grpc || probe.method == "POST" || probe.method == "PUT") {
        set_option(easy, CURLOPT_POST, 1L);
        set_option(easy, CURLOPT_POSTFIELDSIZE, static_cast<long>(transfer.request_body.size()));
        set_option(easy, CURLOPT_POSTFIELDS, transfer.request_body.c_str());
    }
    if (probe.method == "HEAD") {
        set_option(easy, CURLOPT_NOBODY, 1L);
    } else if (probe.method == "PUT" || probe.method == "OPTIONS") {
        set_option(easy, CURLOPT_CUSTOMREQUEST, probe.method.c_str());
    }
}

void set_headers(Transfer& transfer) {
    const ProbeConfig& probe = *transfer.probe;
    const bool is_http2 = probe.http2 || probe.type == ProbeType::grpc;
    append_to(transfer.headers, fmt::format("Host: {}", probe.host).c_str());
    append_to(transfer.headers, "Expect:");
    if (!is_http2) {
        append_to(transfer.headers, "Connection: close");
    }
    if (probe.type == ProbeType::grpc) {
        append_to(transfer.headers, "Content-Type: application/grpc");
        append_to(transfer.headers, "TE: trailers");
    }
    for (const config::HttpHeader& header : probe.headers) {
        append_to(transfer.headers, fmt::format("{}: {}", header.name, header.value).c_str());
    }
    set_option(transfer.easy.get(), CURLOPT_HTTPHEADER, transfer.headers.get());
    set_option(transfer.easy.get(), CURLOPT_USERAGENT, "penstock-probe/" PENSTOCK_VERSION);
}

/// The URL carries the name that TLS checks; where to connect is said apart, so no name is looked
/// up.
void set_place(Transfer& transfer, const BackendKey& target, bool is_secure) {
    CURL* easy = transfer.easy.get();
    const ProbeConfig& probe = *transfer.probe;
    const std::string_view name = !is_secure                ? std::string_view{}
                                  : !probe.tls_name.empty() ? std::string_view(probe.tls_name)
                                                            : without_port(probe.host);
    const std::string path =
        probe.type == ProbeType::grpc ? "/grpc.health.v1.Health/Check" : probe.path;
    const std::string address = bracket(target.address);
    set_option(
        easy,
        CURLOPT_URL,
        fmt::format(
            "{}://{}:{}{}",
            is_secure ? "https" : "http",
            name.empty() ? address : std::string(name),
            target.port,
            path
        )
            .c_str()
    );
    append_to(transfer.connect_to, fmt::format("::{}:{}", address, target.port).c_str());
    set_option(easy, CURLOPT_CONNECT_TO, transfer.connect_to.get());
    set_option(easy, CURLOPT_PATH_AS_IS, 1L);
    set_option(easy, CURLOPT_PROTOCOLS_STR, is_secure ? "https" : "http");
}

void set_tls(CURL* easy, const ProbeConfig& probe) {
    set_option(easy, CURLOPT_SSL_VERIFYPEER, probe.tls_verify ? 1L : 0L);
    set_option(easy, CURLOPT_SSL_VERIFYHOST, probe.tls_verify ? 2L : 0L);
    set_option(easy, CURLOPT_SSLVERSION, long{CURL_SSLVERSION_TLSv1_2});
    set_option(easy, CURLOPT_CA_CACHE_TIMEOUT, ca_cache_s);
    if (!probe.tls_ca.empty()) {
        set_option(easy, CURLOPT_CAINFO, probe.tls_ca.c_str());
        set_option(easy, CURLOPT_CAPATH, static_cast<const char*>(nullptr));
    }
}

} // namespace

void HttpProber::start(const ProbeRequest& request, ProbeDone done) {
    auto transfer = std::make_unique<Transfer>();
    transfer->mark = request.mark;
    transfer->probe = request.probe;
    transfer->done = std::move(done);
    CURL* easy = transfer->easy.get();
    const ProbeConfig& probe = *request.probe;
    const bool is_grpc = probe.type == ProbeType::grpc;
    const bool is_secure = probe.type == ProbeType::https || probe.tls;
    if (is_grpc) {
        transfer->request_body = encode_grpc_request(probe.grpc_service);
    }
    set_place(*transfer, request.target, is_secure);
    set_method(*transfer);
    set_headers(*transfer);
    if (is_secure) {
        set_tls(easy, probe);
    }
    const bool is_http2 = is_grpc || probe.http2;
    set_option(
        easy,
        CURLOPT_HTTP_VERSION,
        long{
            !is_http2   ? CURL_HTTP_VERSION_1_1
            : is_secure ? CURL_HTTP_VERSION_2TLS
                        : CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE
        }
    );
    set_option(easy, CURLOPT_TIMEOUT_MS, static_cast<long>(request.timeout().count()));
    set_option(easy, CURLOPT_ERRORBUFFER, transfer->error.data());
    set_option(easy, CURLOPT_WRITEFUNCTION, &take_body);
    set_option(easy, CURLOPT_WRITEDATA, transfer.get());
    set_option(easy, CURLOPT_HEADERFUNCTION, &take_header);
    set_option(easy, CURLOPT_HEADERDATA, transfer.get());
    transfers_.start(std::move(transfer));
}

} // namespace penstock
