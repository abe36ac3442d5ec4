// SPDX-License-Identifier: Apache-2.0
#include "controlplane/health/script_probe.hpp"

#include "controlplane/health/child_script.hpp"

#include <array>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <fmt/format.h>
#include <set>
#include <utility>

namespace penstock {

namespace {

namespace asio = boost::asio;

// Of the output; more is not shown anyway.
constexpr std::size_t kept_output = 256;

ScriptCommand make_command(const ProbeRequest& request) {
    const BackendRef& ref = request.ref;
    return {
        .words = request.probe->command,
        .environment =
            {
                "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                "LC_ALL=C.UTF-8",
                "PENSTOCK_ADDRESS=" + ref.backend.address.to_string(),
                fmt::format("PENSTOCK_PORT={}", ref.backend.port),
                "PENSTOCK_VIP=" + ref.service.vip.to_string(),
                fmt::format("PENSTOCK_VIP_PORT={}", ref.service.port),
                fmt::format("PENSTOCK_PROTOCOL={}", to_string(ref.service.protocol)),
                fmt::format("PENSTOCK_TIMEOUT_MS={}", request.timeout().count()),
            },
        .user = request.probe->user,
    };
}

} // namespace

struct ScriptProber::Runs {
    asio::io_context& loop;
    std::set<std::shared_ptr<Run>> running;
};

class ScriptProber::Run : public std::enable_shared_from_this<ScriptProber::Run> {
public:
    Run(asio::io_context& loop, const ChildScript& child, std::weak_ptr<Runs> runs, ProbeDone done)
        : child_(child),
          ended_(loop, child.pidfd),
          output_(loop, child.output),
          timer_(loop),
          runs_(std::move(runs)),
          done_(std::move(done)) {}

    void start(std::chrono::milliseconds timeout) {
        timer_.expires_after(timeout);
        timer_.async_wait([self = shared_from_this(), timeout](const auto& error) {
            if (!error) {
                self->cut(fmt::format("script timeout {}", format_timeout(timeout)));
            }
        });
        // A grandchild may hold the pipe open: no read may wait for it.
        output_.non_blocking(true);
        ended_.async_wait(
            asio::posix::stream_descriptor::wait_read,
            [self = shared_from_this()](const auto& error) {
                if (!error) {
                    self->take_end();
                }
            }
        );
        read();
    }

    void kill() {
        done_ = nullptr;
        close();
    }

private:
    void read() {
        output_.async_read_some(
            asio::buffer(buffer_),
            [self = shared_from_this()](const boost::system::error_code& error, std::size_t size) {
                if (!error && self->done_ && self->keep(size)) {
                    self->read();
                }
            }
        );
    }

    /// False once it was too much.
    bool keep(std::size_t size) {
        output_size_ += size;
        const std::size_t room = kept_output - std::min(kept_output, kept_.size());
        kept_.append(buffer_.data(), std::min(size, room));
        if (output_size_ <= max_script_output) {
            return true;
        }
        cut(fmt::format("script cut: more than {} KiB of output", max_script_output >> 10U));
        return false;
    }

    /// What it wrote last may still be in the pipe.
    void take_end() {
        boost::system::error_code error;
        while (done_) {
            const std::size_t size = output_.read_some(asio::buffer(buffer_), error);
            if (error || !keep(size)) {
                break;
            }
        }
        if (!done_) {
            return;
        }
        ProbeDone done = std::exchange(done_, nullptr);
        done(describe(close()));
    }

    void cut(std::string detail) {
        if (done_) {
            ProbeDone done = std::exchange(done_, nullptr);
            close();
            done(make_bad(detail + describe_output()));
        }
    }

    int close() {
        const auto self = shared_from_this();
        if (const auto runs = runs_.lock()) {
            runs->running.erase(self);
        }
        timer_.cancel();
        const int status = end_child_script(child_);
        boost::system::error_code ignored;
        ended_.close(ignored);
        output_.close(ignored);
        return status;
    }

    ProbeResult describe(int status) const {
        if (status == 0) {
            return make_good("script exit 0");
        }
        if (status == exit_not_executed && kept_ == "cannot be executed") {
            return make_inconclusive("the script cannot be executed as its user");
        }
        return make_bad(
            (status > 0 ? fmt::format("script exit {}", status)
                        : fmt::format("script ended by signal {}", -status)) +
            describe_output()
        );
    }

    std::string describe_output() const {
        const std::string_view line = std::string_view(kept_).substr(0, kept_.find('\n'));
        return line.empty() ? "" : ": " + quote_untrusted(line);
    }

    ChildScript child_;
    asio::posix::stream_descriptor ended_;
    asio::posix::stream_descriptor output_;
    asio::steady_timer timer_;
    std::weak_ptr<Runs> runs_;
    ProbeDone done_;
    std::array<char, 4096> buffer_;
    std::string kept_;
    std::size_t output_size_ = 0;
};

ScriptProber::ScriptProber(asio::io_context& loop)
    : runs_(std::make_shared<Runs>(Runs{.loop = loop, .running = {}})) {}

ScriptProber::~ScriptProber() {
    const auto running = std::exchange(runs_->running, {});
    for (const auto& run : running) {
        run->kill();
    }
}

void ScriptProber::start(const ProbeRequest& request, ProbeDone done) {
    const auto refuse = [&](std::string cause) {
        asio::post(runs_->loop, [done = std::move(done), cause = std::move(cause)]() mutable {
            done(make_inconclusive(cause));
        });
    };
    if (runs_->running.size() >= max_scripts_running) {
        return refuse(fmt::format("{} scripts are running already", max_scripts_running));
    }
    const auto child = start_child_script(make_command(request));
    if (!child) {
        return refuse(child.error());
    }
    auto run = std::make_shared<Run>(runs_->loop, *child, runs_, std::move(done));
    runs_->running.insert(run);
    run->start(request.timeout());
}

} // namespace penstock
