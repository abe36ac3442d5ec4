// SPDX-License-Identifier: Apache-2.0
#include "controlplane/health/http_probe.hpp"

#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cerrno>
#include <cstdlib>
#include <curl/curl.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <system_error>
#include <unordered_map>
#include <utility>

namespace penstock {

namespace {

namespace asio = boost::asio;

/// curl says "out of memory" and "bad function argument" through the same type as "refused": what
/// is checked here is our own use of it, so a failure is a broken invariant.
template <typename Value>
void set(CURL* easy, CURLoption option, Value value) {
    if (curl_easy_setopt(easy, option, value) != CURLE_OK) {
        std::abort();
    }
}

struct EasyDeleter {
    void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
};

struct ListDeleter {
    void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};

struct Transfer {
    std::unique_ptr<CURL, EasyDeleter> easy;
    std::unique_ptr<curl_slist, ListDeleter> headers;
    HttpProbeRequest request;
    ProbeDone done;
    int socket_errno = 0; ///< why there is no socket; 0: there is one
    std::size_t body_bytes = 0;
    bool body_too_long = false;
};

std::size_t count_body(char*, std::size_t size, std::size_t count, void* context) {
    auto& transfer = *static_cast<Transfer*>(context);
    transfer.body_bytes += size * count;
    if (transfer.body_bytes > max_probe_body_bytes) {
        transfer.body_too_long = true; // the status is known by now: enough seen
        return 0;
    }
    return size * count;
}

/// curl's own call loses errno, and a host without descriptors would look like a dead backend.
curl_socket_t open_socket(void* context, curlsocktype, curl_sockaddr* address) {
    auto& transfer = *static_cast<Transfer*>(context);
    const int fd = ::socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
    if (fd < 0) {
        transfer.socket_errno = errno;
        return CURL_SOCKET_BAD;
    }
    return fd;
}

/// Close by RST: the response has been read, and TIME_WAIT of thousands of probes helps nobody.
int forbid_time_wait(void*, curl_socket_t socket, curlsocktype) {
    const linger value{.l_onoff = 1, .l_linger = 0};
    return ::setsockopt(socket, SOL_SOCKET, SO_LINGER, &value, sizeof(value)) == 0
               ? CURL_SOCKOPT_OK
               : CURL_SOCKOPT_ERROR;
}

ProbeResult describe(const Transfer& transfer, CURLcode code) {
    const HttpProbeRequest& request = transfer.request;
    long status = 0;
    curl_easy_getinfo(transfer.easy.get(), CURLINFO_RESPONSE_CODE, &status);
    if (code == CURLE_OK || (code == CURLE_WRITE_ERROR && transfer.body_too_long)) {
        const bool good =
            status >= request.expect_status_min && status <= request.expect_status_max;
        return {
            .outcome = good ? ProbeOutcome::good : ProbeOutcome::bad,
            .detail = fmt::format("http {}", status),
        };
    }
    if (transfer.socket_errno != 0) {
        return {
            .outcome = ProbeOutcome::inconclusive,
            .detail = fmt::format(
                "this host: {}", std::generic_category().message(transfer.socket_errno)
            ),
        };
    }
    long system_errno = 0;
    curl_easy_getinfo(transfer.easy.get(), CURLINFO_OS_ERRNO, &system_errno);
    const auto bad = [](std::string text) {
        return ProbeResult{.outcome = ProbeOutcome::bad, .detail = std::move(text)};
    };
    switch (code) {
    case CURLE_OPERATION_TIMEDOUT:
        return bad(fmt::format("http timeout after {} ms", request.timeout.count()));
    case CURLE_COULDNT_CONNECT:
        return system_errno != 0 ? describe_connect_error(static_cast<int>(system_errno))
                                 : bad("tcp connect failed");
    case CURLE_GOT_NOTHING:
        return bad("http: connection closed without a response");
    case CURLE_OUT_OF_MEMORY:
    case CURLE_FAILED_INIT:
        return {
            .outcome = ProbeOutcome::inconclusive,
            .detail = fmt::format("this host: {}", curl_easy_strerror(code)),
        };
    default:
        return bad(fmt::format("http: {}", curl_easy_strerror(code)));
    }
}

std::string make_url(const HttpProbeRequest& request) {
    const std::string address = request.backend.address.to_string();
    const bool v4 = request.backend.address.is_ipv4();
    return fmt::format(
        "http://{}{}{}:{}{}",
        v4 ? "" : "[",
        address,
        v4 ? "" : "]",
        request.backend.port,
        request.path
    );
}

} // namespace

/// The glue that curl asks for: it tells which sockets and which moment it waits for, we tell it
/// when they have come (multi_socket_action).
class HttpProber::Multi {
public:
    explicit Multi(asio::io_context& loop) : loop_(loop), timer_(loop), handle_(curl_multi_init()) {
        if (handle_ == nullptr) {
            std::abort(); // out of memory before the first probe
        }
        curl_multi_setopt(handle_, CURLMOPT_SOCKETFUNCTION, &Multi::on_socket_wish);
        curl_multi_setopt(handle_, CURLMOPT_SOCKETDATA, this);
        curl_multi_setopt(handle_, CURLMOPT_TIMERFUNCTION, &Multi::on_timer_wish);
        curl_multi_setopt(handle_, CURLMOPT_TIMERDATA, this);
    }

    Multi(const Multi&) = delete;
    Multi& operator=(const Multi&) = delete;

    ~Multi() {
        for (auto& [easy, transfer] : transfers_) {
            curl_multi_remove_handle(handle_, easy);
        }
        transfers_.clear();
        curl_multi_cleanup(handle_);
    }

    void start(const HttpProbeRequest& request, ProbeDone done) {
        auto transfer = std::make_unique<Transfer>();
        transfer->easy.reset(curl_easy_init());
        transfer->request = request;
        transfer->done = std::move(done);
        if (!transfer->easy) {
            std::abort(); // out of memory
        }
        prepare(*transfer);
        CURL* easy = transfer->easy.get();
        transfers_.emplace(easy, std::move(transfer));
        if (curl_multi_add_handle(handle_, easy) != CURLM_OK) {
            std::abort();
        }
    }

private:
    struct Watched {
        asio::posix::stream_descriptor descriptor;
        int wish = CURL_POLL_NONE;
        bool reading = false;
        bool writing = false;

        Watched(asio::io_context& loop, int fd) : descriptor(loop, fd) {}
    };

    static void prepare(Transfer& transfer) {
        CURL* easy = transfer.easy.get();
        const HttpProbeRequest& request = transfer.request;
        curl_slist* headers =
            curl_slist_append(nullptr, fmt::format("Host: {}", request.host).c_str());
        headers = curl_slist_append(headers, "Connection: close");
        transfer.headers.reset(headers);
        set(easy, CURLOPT_URL, make_url(request).c_str());
        set(easy, CURLOPT_HTTPHEADER, headers);
        set(easy, CURLOPT_USERAGENT, "penstock-probe/" PENSTOCK_VERSION);
        set(easy, CURLOPT_PROTOCOLS_STR, "http");
        set(easy, CURLOPT_PROXY, "");
        set(easy, CURLOPT_NOSIGNAL, 1L);
        set(easy, CURLOPT_PATH_AS_IS, 1L);
        set(easy, CURLOPT_FOLLOWLOCATION, 0L);
        set(easy, CURLOPT_FRESH_CONNECT, 1L);
        set(easy, CURLOPT_FORBID_REUSE, 1L);
        set(easy, CURLOPT_TIMEOUT_MS, static_cast<long>(request.timeout.count()));
        set(easy, CURLOPT_WRITEFUNCTION, &count_body);
        set(easy, CURLOPT_WRITEDATA, &transfer);
        set(easy, CURLOPT_OPENSOCKETFUNCTION, &open_socket);
        set(easy, CURLOPT_OPENSOCKETDATA, &transfer);
        set(easy, CURLOPT_SOCKOPTFUNCTION, &forbid_time_wait);
    }

    // curl calls these two from within its own functions: they must not call back into it.
    static int on_socket_wish(CURL*, curl_socket_t fd, int wish, void* self, void*) {
        static_cast<Multi*>(self)->watch(fd, wish);
        return 0;
    }

    static int on_timer_wish(CURLM*, long delay_ms, void* self) {
        static_cast<Multi*>(self)->set_timer(delay_ms);
        return 0;
    }

    void watch(curl_socket_t fd, int wish) {
        if (wish == CURL_POLL_REMOVE) {
            const auto found = watched_.find(fd);
            if (found != watched_.end()) {
                found->second->descriptor.release(); // curl closes it; waiters end as aborted
                watched_.erase(found);
            }
            return;
        }
        auto& entry = watched_[fd];
        if (!entry) {
            entry = std::make_shared<Watched>(loop_, fd);
        }
        entry->wish = wish;
        arm(fd, entry);
    }

    void arm(curl_socket_t fd, const std::shared_ptr<Watched>& entry) {
        const auto wait = [&](bool Watched::* waiting, auto direction, int event) {
            if ((entry->wish & event) == 0 || (*entry).*waiting) {
                return;
            }
            (*entry).*waiting = true;
            const int selected = event == CURL_POLL_IN ? CURL_CSELECT_IN : CURL_CSELECT_OUT;
            entry->descriptor.async_wait(
                direction,
                [this, fd, entry, waiting, event, selected](const boost::system::error_code& error
                ) {
                    (*entry).*waiting = false;
                    if (error == asio::error::operation_aborted) {
                        return;
                    }
                    if ((entry->wish & event) != 0) {
                        drive(fd, error ? CURL_CSELECT_ERR : selected);
                    }
                    const auto found = watched_.find(fd);
                    if (found != watched_.end() && found->second == entry) {
                        arm(fd, entry);
                    }
                }
            );
        };
        wait(&Watched::reading, asio::posix::stream_descriptor::wait_read, CURL_POLL_IN);
        wait(&Watched::writing, asio::posix::stream_descriptor::wait_write, CURL_POLL_OUT);
    }

    void set_timer(long delay_ms) {
        if (delay_ms < 0) {
            timer_.cancel();
            return;
        }
        timer_.expires_after(std::chrono::milliseconds(delay_ms));
        timer_.async_wait([this](const boost::system::error_code& error) {
            if (!error) {
                drive(CURL_SOCKET_TIMEOUT, 0);
            }
        });
    }

    void drive(curl_socket_t fd, int events) {
        int running = 0;
        curl_multi_socket_action(handle_, fd, events, &running);
        int left = 0;
        while (const CURLMsg* message = curl_multi_info_read(handle_, &left)) {
            if (message->msg == CURLMSG_DONE) {
                finish(message->easy_handle, message->data.result);
            }
        }
    }

    void finish(CURL* easy, CURLcode code) {
        const auto found = transfers_.find(easy);
        if (found == transfers_.end()) {
            std::abort(); // curl reports a transfer that we never gave it
        }
        const std::unique_ptr<Transfer> transfer = std::move(found->second);
        transfers_.erase(found);
        const ProbeResult result = describe(*transfer, code);
        curl_multi_remove_handle(handle_, easy);
        transfer->done(result);
    }

    asio::io_context& loop_;
    asio::steady_timer timer_;
    CURLM* handle_;
    std::unordered_map<CURL*, std::unique_ptr<Transfer>> transfers_;
    std::unordered_map<curl_socket_t, std::shared_ptr<Watched>> watched_;
};

HttpProber::HttpProber(asio::io_context& loop) : multi_(std::make_unique<Multi>(loop)) {}

HttpProber::~HttpProber() = default;

void HttpProber::start(const HttpProbeRequest& request, ProbeDone done) {
    multi_->start(request, std::move(done));
}

} // namespace penstock
