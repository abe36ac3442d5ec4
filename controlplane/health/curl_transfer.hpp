// SPDX-License-Identifier: Apache-2.0
// One transfer of libcurl's, by its multi interface on our loop: a fresh connection each, no proxy,
// no redirect, no name looked up, no more read than asked for.
//
// Thread rule: the loop's thread. The transfers must outlive the loop's last run and be destroyed
// before it.
#pragma once

#include <boost/asio/io_context.hpp>
#include <cstdint>
#include <cstdlib>
#include <curl/curl.h>
#include <memory>

namespace penstock {

struct CurlDeleter {
    void operator()(CURL* easy) const { curl_easy_cleanup(easy); }

    void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};

using CurlEasy = std::unique_ptr<CURL, CurlDeleter>;
using CurlList = std::unique_ptr<curl_slist, CurlDeleter>;

/// curl says "out of memory" and "bad function argument" through the same type as "refused": what
/// is checked here is our own use of it, so a failure is a broken invariant.
template <typename Value>
void set_option(CURL* easy, CURLoption option, Value value) {
    if (curl_easy_setopt(easy, option, value) != CURLE_OK) {
        std::abort();
    }
}

void append_to(CurlList& list, const char* text);

/// What the transfers share; derive from it what a probe needs.
struct CurlTransfer {
    CurlEasy easy;
    std::uint32_t mark = 0; ///< SO_MARK
    int socket_errno = 0;   ///< why there is no socket; 0: there is one

    CurlTransfer();
    CurlTransfer(const CurlTransfer&) = delete;
    CurlTransfer& operator=(const CurlTransfer&) = delete;
    virtual ~CurlTransfer() = default;

    /// Called once, when it has ended.
    virtual void finish(CURLcode code) = 0;
};

class CurlTransfers {
public:
    explicit CurlTransfers(boost::asio::io_context& loop);
    CurlTransfers(const CurlTransfers&) = delete;
    CurlTransfers& operator=(const CurlTransfers&) = delete;
    /// Ends running transfers without a call.
    ~CurlTransfers();

    /// Sets the options that all share and runs it; finish() is never called from within this call.
    void start(std::unique_ptr<CurlTransfer> transfer);

private:
    class Multi;
    std::unique_ptr<Multi> multi_;
};

} // namespace penstock
