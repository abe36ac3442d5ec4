// SPDX-License-Identifier: Apache-2.0
#include "controlplane/health/curl_transfer.hpp"

#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <sys/socket.h>
#include <unistd.h>
#include <unordered_map>
#include <utility>

namespace penstock {

namespace {

namespace asio = boost::asio;

/// curl's own call loses errno, and a host without descriptors would look like a dead backend.
curl_socket_t open_socket(void* context, curlsocktype, curl_sockaddr* address) {
    auto& transfer = *static_cast<CurlTransfer*>(context);
    const int fd = ::socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
    if (fd < 0) {
        transfer.socket_errno = errno;
        return CURL_SOCKET_BAD;
    }
    const std::uint32_t mark = transfer.mark;
    if (mark != 0 && ::setsockopt(fd, SOL_SOCKET, SO_MARK, &mark, sizeof(mark)) != 0) {
        transfer.socket_errno = errno;
        ::close(fd);
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

void set_shared_options(CurlTransfer& transfer) {
    CURL* easy = transfer.easy.get();
    set_option(easy, CURLOPT_PROXY, "");
    set_option(easy, CURLOPT_NOSIGNAL, 1L);
    set_option(easy, CURLOPT_FOLLOWLOCATION, 0L);
    set_option(easy, CURLOPT_FRESH_CONNECT, 1L);
    set_option(easy, CURLOPT_FORBID_REUSE, 1L);
    set_option(easy, CURLOPT_OPENSOCKETFUNCTION, &open_socket);
    set_option(easy, CURLOPT_OPENSOCKETDATA, &transfer);
    set_option(easy, CURLOPT_SOCKOPTFUNCTION, &forbid_time_wait);
}

} // namespace

CurlTransfer::CurlTransfer() : easy(curl_easy_init()) {
    if (!easy) {
        std::abort(); // out of memory
    }
}

void append_to(CurlList& list, const char* text) {
    curl_slist* longer = curl_slist_append(list.get(), text);
    if (longer == nullptr) {
        std::abort(); // out of memory
    }
    (void)list.release(); // it is the tail of the longer one, or the same
    list.reset(longer);
}

/// The glue that curl asks for: it tells which sockets and which moment it waits for, we tell it
/// when they have come (multi_socket_action).
class CurlTransfers::Multi {
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

    void start(std::unique_ptr<CurlTransfer> transfer) {
        CURL* easy = transfer->easy.get();
        set_shared_options(*transfer);
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
        const std::unique_ptr<CurlTransfer> transfer = std::move(found->second);
        transfers_.erase(found);
        curl_multi_remove_handle(handle_, easy);
        transfer->finish(code);
    }

    asio::io_context& loop_;
    asio::steady_timer timer_;
    CURLM* handle_;
    std::unordered_map<CURL*, std::unique_ptr<CurlTransfer>> transfers_;
    std::unordered_map<curl_socket_t, std::shared_ptr<Watched>> watched_;
};

CurlTransfers::CurlTransfers(asio::io_context& loop) : multi_(std::make_unique<Multi>(loop)) {}

CurlTransfers::~CurlTransfers() = default;

void CurlTransfers::start(std::unique_ptr<CurlTransfer> transfer) {
    multi_->start(std::move(transfer));
}

} // namespace penstock
