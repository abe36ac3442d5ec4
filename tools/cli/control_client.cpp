// SPDX-License-Identifier: Apache-2.0
// This file is long because every way in which a transfer can fail has words of its own.
#include "tools/cli/control_client.hpp"

#include "controlplane/config/read_file.hpp"
#include "tools/cli/output.hpp"

#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <curl/curl.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <memory>
#include <new>
#include <sys/un.h>
#include <system_error>

namespace penstock::cli {
namespace {

constexpr std::string_view start_remedy =
    "is penstock-cp running? systemctl status penstock-cp. Another socket: --socket PATH";
constexpr double progress_after_s = 1;
constexpr std::size_t max_token_bytes = 4096;

struct EasyDeleter {
    void operator()(CURL* handle) const { curl_easy_cleanup(handle); }
};

struct ListDeleter {
    void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};

// What the callbacks of one transfer share.
struct Transfer {
    CURL* handle = nullptr;
    std::array<char, CURL_ERROR_SIZE> error{}; ///< in libcurl's words
    Output* output = nullptr;
    std::string_view what;
    std::string body;
    bool too_long = false;
    std::int64_t shown_s = 0;
};

std::size_t receive(char* data, std::size_t size, std::size_t count, void* user) {
    auto& transfer = *static_cast<Transfer*>(user);
    if (transfer.body.size() + size * count > max_reply_bytes) {
        transfer.too_long = true;
        return 0; // ends the transfer
    }
    transfer.body.append(data, size * count);
    return size * count;
}

int show_progress(void* user, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
    auto& transfer = *static_cast<Transfer*>(user);
    curl_off_t elapsed_us = 0;
    curl_easy_getinfo(transfer.handle, CURLINFO_TOTAL_TIME_T, &elapsed_us);
    const std::int64_t elapsed_s = elapsed_us / 1000000;
    if (static_cast<double>(elapsed_s) >= progress_after_s && elapsed_s > transfer.shown_s) {
        transfer.shown_s = elapsed_s;
        transfer.output->print_progress(fmt::format("{}: {} s", transfer.what, elapsed_s));
    }
    return 0;
}

Failure unreachable(const std::string& socket, std::string_view reason, std::string_view remedy) {
    std::string lower(reason); // strerror begins with a capital
    if (!lower.empty() && lower[0] >= 'A' && lower[0] <= 'Z')
        lower[0] = static_cast<char>(lower[0] - 'A' + 'a');
    return {
        .code = ExitCode::unreachable,
        .cause = fmt::format("cannot reach the control plane at {}: {}", socket, lower),
        .remedy = std::string(remedy)
    };
}

Failure connect_failure(const std::string& socket, int error) {
    switch (error) {
    case EACCES:
    case EPERM:
        return unreachable(
            socket,
            std::generic_category().message(error),
            "run it as root or as a member of the socket's group: ls -l " + socket
        );
    case ECONNREFUSED:
        return unreachable(
            socket,
            "nobody listens on the socket",
            "penstock-cp has ended without removing it: systemctl status penstock-cp"
        );
    case ENOENT:
        return unreachable(socket, "no such file", start_remedy);
    default:
        return unreachable(
            socket,
            error == 0 ? std::string("connection failed") : std::generic_category().message(error),
            start_remedy
        );
    }
}

Failure network_failure(CURLcode code, const Transfer& transfer, const std::string& url) {
    std::string_view remedy = "is penstock-cp running there, with [api] in its configuration?";
    switch (code) {
    case CURLE_PEER_FAILED_VERIFICATION:
        remedy =
            "--cacert FILE names the authority of the server's certificate, which must name the "
            "host of --api";
        break;
    case CURLE_SSL_CACERT_BADFILE:
        remedy = "--cacert FILE: authorities in PEM";
        break;
    case CURLE_SSL_CERTPROBLEM:
        remedy = "--cert FILE and --key FILE: a certificate and its own key, in PEM";
        break;
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR:
    case CURLE_GOT_NOTHING:
        remedy = "is it penstock-cp that listens there? A certificate of --cert must be of its "
                 "client_ca; too many connections are closed without a word";
        break;
    default:
        break;
    }
    const std::string_view words = transfer.error.data();
    return unreachable(url, words.empty() ? curl_easy_strerror(code) : words, remedy);
}

Failure transfer_failure(
    CURLcode code,
    CURL* handle,
    const Transfer& transfer,
    const Endpoint& endpoint,
    double timeout_s
) {
    const std::string& socket = endpoint.name();
    if (transfer.too_long) {
        return {
            .code = ExitCode::refused,
            .cause = fmt::format(
                "the reply of {} is longer than {} MiB", socket, max_reply_bytes >> 20U
            ),
            .remedy = "is it penstock-cp that listens there?"
        };
    }
    if (endpoint.is_network() && code != CURLE_OPERATION_TIMEDOUT)
        return network_failure(code, transfer, socket);
    switch (code) {
    case CURLE_COULDNT_CONNECT: {
        long error = 0;
        curl_easy_getinfo(handle, CURLINFO_OS_ERRNO, &error);
        return connect_failure(socket, static_cast<int>(error));
    }
    case CURLE_OPERATION_TIMEDOUT:
        return {
            .code = ExitCode::timed_out,
            .cause = fmt::format(
                "no answer from the control plane at {} within {:g} s", socket, timeout_s
            ),
            .remedy = "penstock-cp is busy or hangs: journalctl -u penstock-cp. Wait longer: "
                      "--timeout SECONDS"
        };
    case CURLE_GOT_NOTHING:
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR:
    case CURLE_PARTIAL_FILE:
        return unreachable(
            socket,
            "the connection ended before the reply",
            "penstock-cp ended or restarted meanwhile: journalctl -u penstock-cp, then try again"
        );
    default:
        return {
            .code = ExitCode::refused,
            .cause = fmt::format("talking to {} failed: {}", socket, curl_easy_strerror(code)),
            .remedy = "is it penstock-cp that listens there?"
        };
    }
}

std::string text_of(const boost::json::object& problem, std::string_view name) {
    const auto* value = problem.if_contains(name);
    const auto* text = value == nullptr ? nullptr : value->if_string();
    return text == nullptr ? std::string{} : std::string(*text);
}

Failure refusal(long status, const boost::json::value& document, const std::string& socket) {
    const auto* problem = document.if_object();
    const std::string detail = problem == nullptr ? std::string{} : text_of(*problem, "detail");
    if (detail.empty()) {
        return {
            .code = ExitCode::refused,
            .cause = fmt::format("{} answered with HTTP status {} and no reason", socket, status),
            .remedy = "is it penstock-cp that listens there?"
        };
    }
    return {
        .code = ExitCode::refused,
        .cause = detail,
        .remedy = text_of(*problem, "remedy"),
        .problem = boost::json::serialize(document)
    };
}

} // namespace

ControlClient::ControlClient(Endpoint endpoint, double timeout_s, Output& output)
    : endpoint_(std::move(endpoint)), timeout_s_(timeout_s), output_(output) {}

std::expected<boost::json::value, Failure> ControlClient::get(std::string_view path) {
    return send(
        {.path = std::string(path),
         .body = {},
         .content_type = {},
         .what = "waiting for the control plane"}
    );
}

std::expected<boost::json::value, Failure> ControlClient::post(
    std::string_view path,
    std::string_view body,
    std::string_view content_type,
    std::string_view what
) {
    return send(
        {.path = std::string(path),
         .body = body,
         .content_type = content_type,
         .what = what,
         .method = "POST"}
    );
}

std::expected<boost::json::value, Failure> ControlClient::change(
    std::string_view method, std::string_view path, std::string_view body, std::string_view what
) {
    return send(
        {.path = std::string(path),
         .body = body,
         .content_type = body.empty() ? "" : "application/json",
         .what = what,
         .method = std::string(method)}
    );
}

std::expected<std::string, Failure> ControlClient::get_text(std::string_view path) {
    return exchange(
        {.path = std::string(path),
         .body = {},
         .content_type = {},
         .what = "waiting for the control plane"}
    );
}

std::expected<boost::json::value, Failure> ControlClient::send(const Request& request) {
    const auto body = exchange(request);
    if (!body)
        return std::unexpected(body.error());
    boost::json::error_code error;
    boost::json::value document = boost::json::parse(*body, error);
    if (error) {
        return std::unexpected(Failure{
            .code = ExitCode::refused,
            .cause =
                fmt::format("the reply of {} is not JSON: {}", endpoint_.name(), error.message()),
            .remedy = "is it penstock-cp that listens there?"
        });
    }
    return document;
}

namespace {

using Headers = std::unique_ptr<curl_slist, ListDeleter>;

void add_header(Headers& headers, const std::string& line) {
    curl_slist* longer = curl_slist_append(headers.get(), line.c_str());
    if (longer == nullptr)
        throw std::bad_alloc();
    static_cast<void>(headers.release());
    headers.reset(longer);
}

std::expected<std::string, Failure> read_token(const std::string& path) {
    auto text = config::read_file(path, max_token_bytes);
    if (!text)
        return std::unexpected(Failure{
            .code = ExitCode::refused,
            .cause = fmt::format("{}: {}", path, text.error().cause),
            .remedy = text.error().remedy
        });
    const std::size_t begin = std::min(text->find_first_not_of(" \t\r\n"), text->size());
    std::string token = text->substr(begin, text->find_first_of(" \t\r\n", begin) - begin);
    if (token.empty())
        return std::unexpected(Failure{
            .code = ExitCode::refused,
            .cause = fmt::format("{} has no token", path),
            .remedy = "penstock token create NAME --role ROLE > " + path
        });
    return token;
}

/// Whom to ask, and how to prove who asks.
std::expected<void, Failure>
set_endpoint(CURL* handle, const Endpoint& endpoint, const std::string& path, Headers& headers) {
    const bool is_network = endpoint.is_network();
    const std::string url = (is_network ? endpoint.url : "http://penstock") + path;
    curl_easy_setopt(handle, CURLOPT_URL, url.c_str());
    curl_easy_setopt(handle, CURLOPT_PROTOCOLS_STR, is_network ? "https" : "http");
    curl_easy_setopt(handle, CURLOPT_PROXY, ""); // http_proxy is for other programs
    if (!is_network) {
        curl_easy_setopt(handle, CURLOPT_UNIX_SOCKET_PATH, endpoint.socket.c_str());
        return {};
    }
    curl_easy_setopt(handle, CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_3));
    curl_easy_setopt(handle, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
    if (!endpoint.ca.empty()) {
        curl_easy_setopt(handle, CURLOPT_CAINFO, endpoint.ca.c_str());
        curl_easy_setopt(handle, CURLOPT_CAPATH, nullptr);
    }
    if (!endpoint.cert.empty()) {
        curl_easy_setopt(handle, CURLOPT_SSLCERT, endpoint.cert.c_str());
        curl_easy_setopt(handle, CURLOPT_SSLKEY, endpoint.key.c_str());
    }
    if (!endpoint.token_file.empty()) {
        const auto token = read_token(endpoint.token_file);
        if (!token)
            return std::unexpected(token.error());
        add_header(headers, "Authorization: Bearer " + *token);
    }
    return {};
}

} // namespace

std::expected<std::string, Failure> ControlClient::exchange(const Request& request) {
    // libcurl would call this a failure to resolve.
    if (!endpoint_.is_network() && endpoint_.socket.size() >= sizeof(sockaddr_un{}.sun_path))
        return std::unexpected(unreachable(
            endpoint_.socket, "the path of a socket has at most 107 characters", start_remedy
        ));
    const std::unique_ptr<CURL, EasyDeleter> handle(curl_easy_init());
    if (handle == nullptr)
        throw std::bad_alloc();
    Transfer transfer{.handle = handle.get(), .output = &output_, .what = request.what, .body = {}};
    Headers headers;
    if (auto set = set_endpoint(handle.get(), endpoint_, request.path, headers); !set)
        return std::unexpected(std::move(set.error()));

    curl_easy_setopt(handle.get(), CURLOPT_ERRORBUFFER, transfer.error.data());
    curl_easy_setopt(handle.get(), CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(handle.get(), CURLOPT_TIMEOUT_MS, static_cast<long>(timeout_s_ * 1000 + 1));
    curl_easy_setopt(handle.get(), CURLOPT_WRITEFUNCTION, receive);
    curl_easy_setopt(handle.get(), CURLOPT_WRITEDATA, &transfer);
    curl_easy_setopt(handle.get(), CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(handle.get(), CURLOPT_XFERINFOFUNCTION, show_progress);
    curl_easy_setopt(handle.get(), CURLOPT_XFERINFODATA, &transfer);
    if (request.method != "GET") {
        curl_easy_setopt(handle.get(), CURLOPT_POST, 1L);
        curl_easy_setopt(handle.get(), CURLOPT_CUSTOMREQUEST, request.method.c_str());
        // Its size follows, so no NUL is needed.
        // NOLINTNEXTLINE(bugprone-suspicious-stringview-data-usage)
        curl_easy_setopt(
            handle.get(), CURLOPT_POSTFIELDS, request.body.empty() ? "" : request.body.data()
        );
        curl_easy_setopt(
            handle.get(), CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size())
        );
        // "Expect:" stays away: on a local socket asking first only costs a round trip, or a
        // second.
        add_header(headers, "Expect:");
        add_header(
            headers,
            request.content_type.empty() ? std::string("Content-Type:")
                                         : fmt::format("Content-Type: {}", request.content_type)
        );
    }
    curl_easy_setopt(handle.get(), CURLOPT_HTTPHEADER, headers.get());

    const CURLcode code = curl_easy_perform(handle.get());
    if (code != CURLE_OK)
        return std::unexpected(transfer_failure(code, handle.get(), transfer, endpoint_, timeout_s_)
        );
    long status = 0;
    curl_easy_getinfo(handle.get(), CURLINFO_RESPONSE_CODE, &status);
    if (status >= 200 && status <= 299)
        return std::move(transfer.body);
    boost::json::error_code error;
    const boost::json::value problem = boost::json::parse(transfer.body, error);
    return std::unexpected(refusal(status, error ? boost::json::value{} : problem, endpoint_.name())
    );
}

std::string escape_segment(std::string_view text) {
    std::string escaped;
    for (const char c : text) {
        const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                           (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.' || c == '~';
        if (plain)
            escaped += c;
        else
            escaped += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
    // libcurl, like every client, takes these two as directions and not as names.
    if (escaped == ".")
        return "%2E";
    if (escaped == "..")
        return "%2E%2E";
    return escaped;
}

} // namespace penstock::cli
