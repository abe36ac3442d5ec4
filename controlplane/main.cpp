// SPDX-License-Identifier: Apache-2.0
// penstock-cp: wiring only. One loop on one thread; every part below lives on it.
#include "controlplane/api/api.hpp"
#include "controlplane/api/network_api.hpp"
#include "controlplane/api/server.hpp"
#include "controlplane/events/event_file.hpp"
#include "controlplane/events/event_log.hpp"
#include "controlplane/logging.hpp"
#include "controlplane/options.hpp"
#include "controlplane/state/reconciler.hpp"
#include "controlplane/state/state_directory.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <csignal>
#include <cstdio>
#include <curl/curl.h>
#include <expected>
#include <filesystem>
#include <fmt/format.h>
#include <random>
#include <spdlog/spdlog.h>
#include <sys/resource.h>

namespace {

using namespace penstock;

constexpr int exit_failure = 1;
constexpr int exit_usage = 2;

Instance make_instance() {
    std::random_device random;
    return {
        .id = fmt::format("{:08x}{:08x}", random(), random()),
        .started = std::chrono::system_clock::now(),
        .started_steady = std::chrono::steady_clock::now(),
    };
}

/// Ten thousand probes need a descriptor each for a moment.
void raise_descriptor_limit() {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        if (::setrlimit(RLIMIT_NOFILE, &limit) != 0) {
            spdlog::warn("the limit of open files stays at its soft value");
        }
    }
}

int refuse_start(const std::string& reason) {
    stop_logging();
    fmt::print(stderr, "penstock-cp: {}{}", reason, reason.ends_with('\n') ? "" : "\n");
    return exit_failure;
}

void reload_on_hangup(boost::asio::signal_set& hangup, Reconciler& reconciler) {
    hangup.async_wait([&hangup, &reconciler](const boost::system::error_code& error, int) {
        if (!error) {
            reconciler.reload_file(ReloadSource::sighup);
            reload_on_hangup(hangup, reconciler);
        }
    });
}

void end_on_signal(
    boost::asio::io_context& loop,
    boost::asio::signal_set& end,
    Reconciler& reconciler,
    EventLog& events
) {
    end.async_wait([&](const boost::system::error_code& error, int signal) {
        if (!error) {
            events.record(
                {.type = EventType::stopping,
                 .reason = fmt::format("by signal {}; packets flow on", signal)}
            );
            reconciler.stop();
            loop.stop();
        }
    });
}

/// Looks at the configuration file of a first start, then makes the runtime directory. In this order: a bad
/// file leaves nothing behind, no directory, no lock, no key.
std::expected<void, std::string>
prepare_start(const Options& options, const std::filesystem::path& runtime) {
    if (!StateDirectory::has_configuration(options.state_directory)) {
        if (auto read = read_declaration(options.config_file); !read) {
            return std::unexpected(read.error());
        }
    }
    std::error_code made;
    std::filesystem::create_directories(runtime, made);
    if (made) {
        return std::unexpected(fmt::format(
            "{}: the runtime directory cannot be made: {}; make it writable, or choose another "
            "with --runtime-dir",
            runtime.native(),
            made.message()
        ));
    }
    return {};
}

/// What does not work at a start is a problem of the status and tried again: health and control.sock must not
/// hang on a certificate. Later it refuses the change.
void join_network(NetworkApi& network, Api& api, Reconciler& reconciler) {
    api.set_network([&network] { return network.view(); });
    reconciler.set_surroundings(
        {.check = [&network](const config::Configuration& wanted
                  ) { return network.check(wanted.api); },
         .follow = [&network](const config::Configuration& wanted) { network.set(wanted.api); }}
    );
}

int run(const Options& options) {
    raise_descriptor_limit();
    boost::asio::io_context loop(1);
    boost::asio::signal_set hangup(loop, SIGHUP);
    boost::asio::signal_set end(loop, SIGTERM, SIGINT);
    const std::filesystem::path runtime(options.runtime_directory);
    auto peers = PeerRegistry::make(options.role_groups);
    if (!peers) {
        return refuse_start(to_string(peers.error()));
    }
    if (auto ready = prepare_start(options, runtime); !ready) {
        return refuse_start(ready.error());
    }
    auto directory = StateDirectory::open(options.state_directory);
    if (!directory) {
        return refuse_start(to_string(directory.error()));
    }
    auto loaded = directory->load();
    if (!loaded) {
        return refuse_start(to_string(loaded.error()));
    }

    auto audit = AuditLog::open(options.state_directory + "/audit.log");
    if (!audit) {
        return refuse_start(to_string(audit.error()));
    }
    EventLog events;
    const Instance instance = make_instance();
    if (auto kept =
            keep_events(events, options.state_directory + "/events.log", instance.id.substr(0, 8));
        !kept) {
        return refuse_start(to_string(kept.error()));
    }
    Reconciler reconciler(
        loop,
        *directory,
        events,
        {.config_file = options.config_file,
         .dataplane_socket = runtime / "dataplane.sock",
         .loaded = std::move(*loaded)}
    );
    Api api(loop, reconciler, events, instance, runtime / "dataplane.stats", std::move(*audit));
    // Listening comes last: who can connect finds a configuration.
    if (auto started = reconciler.start(); !started) {
        return refuse_start(started.error());
    }
    const HttpHandler handler = [&api](HttpRequest request, Respond respond) {
        api.handle(std::move(request), std::move(respond));
    };
    auto server = ApiServer::listen(loop, runtime / "control.sock", std::move(*peers), handler);
    if (!server) {
        return refuse_start(to_string(server.error()));
    }
    NetworkApi network(loop, events, handler, [&api](const AuditEntry& entry) {
        api.audit(entry);
    });
    join_network(network, api, reconciler);

    events.record(
        {.type = EventType::started,
         .reason = fmt::format("penstock-cp {}, pid {}", PENSTOCK_VERSION, ::getpid())}
    );
    reload_on_hangup(hangup, reconciler);
    end_on_signal(loop, end, reconciler, events);
    loop.run();
    return 0;
}

} // namespace

int main(int argc, char** argv) {
    const auto parsed = parse_options(argc, argv);
    if (!parsed) {
        fmt::print(stderr, "{}\n", parsed.error());
        return exit_usage;
    }
    if (const auto* print = std::get_if<PrintAndExit>(&*parsed)) {
        fmt::print("{}", print->text);
        return 0;
    }
    std::signal(SIGPIPE, SIG_IGN);
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        fmt::print(stderr, "penstock-cp: libcurl cannot be initialised\n");
        return exit_failure;
    }
    const Options& options = std::get<Options>(*parsed);
    start_logging(options.log_level, options.json_log);
    const int code = run(options);
    stop_logging();
    curl_global_cleanup();
    return code;
}
