// SPDX-License-Identifier: Apache-2.0
// The command table, services, backends and overrides.
#include "tools/cli/command.hpp"
#include "tools/cli/run.hpp"

#include <array>

namespace penstock::cli {
namespace {

constexpr std::array<Argument, 1> service_argument{{{"NAME", true, "a service's name"}}};
constexpr std::array<Argument, 1> service_filter_argument{{
    {"SERVICE", false, "only the backends of this service"},
}};
constexpr std::array<Argument, 1> backend_arguments{{
    {"SERVICE/BACKEND",
     true,
     "a backend, by the names of its service and its own; several at once",
     true},
}};
constexpr std::array<Argument, 2> weight_arguments{{
    {"SERVICE/BACKEND", true, "a backend, by the names of its service and its own"},
    {"WEIGHT", true, "0 to 65535; 0 gives it no new flows"},
}};
constexpr std::array<Argument, 1> some_backends_argument{{
    {"SERVICE/BACKEND", false, "only the overrides of these; without any: all", true},
}};
constexpr std::array<Argument, 1> new_file_argument{{
    {"FILE", true, "a file that does not exist yet, or - for standard output"},
}};
constexpr std::array<Option, 2> drain_options{{
    {"wait", OptionKind::flag, "", "wait until no flow is left, at most --timeout"},
    {"force", OptionKind::flag, "", "also the last backend that takes new flows"},
}};
constexpr std::array<Option, 1> force_options{{
    {"force", OptionKind::flag, "", "also the last backend that takes new flows"},
}};
constexpr std::array<Example, 2> service_list_examples{{
    {"penstock service list", "every service, worst news in the last column"},
    {"penstock service list --no-header | cut -f1", "only the names"},
}};
constexpr std::array<Example, 2> service_show_examples{{
    {"penstock service show web", "one service with its probe and backends"},
    {"penstock service show web --json | jq .backends", "its backends for a script"},
}};
constexpr std::array<Example, 2> backend_list_examples{{
    {"penstock backend list", "every backend of every service"},
    {"penstock backend list web --json | jq -r '.backends[] | select(.health != \"up\") | .name'",
     "names of the backends of web that are not up"},
}};
constexpr std::array<Example, 3> backend_drain_examples{{
    {"penstock backend drain web/web-2 --wait --timeout 60s",
     "before maintenance: until its flows have ended"},
    {"penstock backend drain web/web-2 dns/dns-2", "several at once"},
    {"penstock backend list web", "watch FLOWS of web-2 fall to 0"},
}};
constexpr std::array<Example, 1> backend_enable_examples{{
    {"penstock backend enable web/web-2",
     "after maintenance: new flows again, if its probes are good"},
}};
constexpr std::array<Example, 1> backend_maint_examples{{
    {"penstock backend maint web/web-2", "a broken server: nothing more goes to it from now on"},
}};
constexpr std::array<Example, 1> backend_disable_examples{{
    {"penstock backend disable web/web-2", "a broken server: nothing more goes to it from now on"},
}};
constexpr std::array<Example, 1> backend_weight_examples{{
    {"penstock backend weight web/web-1 50", "half of what a backend of weight 100 gets"},
}};
constexpr std::array<Example, 1> override_list_examples{{
    {"penstock override list", "what runs otherwise than the file says"},
}};
constexpr std::array<Example, 2> override_save_examples{{
    {"penstock override save new.toml", "the configuration with the overrides written in"},
    {"penstock override save - | diff penstock.toml -", "what they would change in the file"},
}};
constexpr std::array<Example, 2> override_clear_examples{{
    {"penstock override clear web/web-1", "back to what the configuration says"},
    {"penstock override clear", "all of them"},
}};

constexpr std::array<Command, 11> backend_rows{{
    {.words = "service list",
     .arguments = {},
     .options = watch_options,
     .summary = "list the services",
     .details = "BACKENDS is how many take new flows, of how many there are.",
     .json = "The document of GET /v1/services (docs/reference/api.md).",
     .examples = service_list_examples,
     .run = run_service_list},
    {.words = "service show",
     .arguments = service_argument,
     .options = watch_options,
     .summary = "show one service with its probe and backends",
     .details = "",
     .json = "The document of GET /v1/services/{service} (docs/reference/api.md).",
     .examples = service_show_examples,
     .run = run_service_show},
    {.words = "backend list",
     .arguments = service_filter_argument,
     .options = watch_options,
     .summary = "list the backends",
     .details = "SHARE is the part of new flows that a backend gets. REASON says why its health is "
                "what it is, SINCE "
                "since when.",
     .json = "The document of GET /v1/backends (docs/reference/api.md).",
     .examples = backend_list_examples,
     .run = run_backend_list},
    {.words = "backend drain",
     .arguments = backend_arguments,
     .options = drain_options,
     .summary = "let a backend keep its flows, but give it no new ones",
     .details =
         "The override survives reloads and restarts; penstock backend enable ends it. A "
         "SYN on a flow "
         "that the backend still has goes to another backend, so that port reuse does not "
         "hold a drain. "
         "With --wait the flows that are left are shown, with their rate and an estimate; "
         "--timeout (60 s unless given) then bounds the wait, and what is not drained by then "
         "is exit code 4. The last backend of a service that takes new flows needs --force.",
     .json = "The control plane's reply of each backend, one a line: result (live or pending), "
             "generation, "
             "live_generation, changed, detail, notes (docs/reference/api.md); with --wait one "
             "line more: {backends: "
             "[{service, name, flows}], waited_s, done}.",
     .examples = backend_drain_examples,
     .changes = true,
     .run = run_backend_drain},
    {.words = "backend enable",
     .arguments = backend_arguments,
     .options = {},
     .summary = "end a drain or maintenance: the backend is ready again",
     .details = "",
     .json = change_json,
     .examples = backend_enable_examples,
     .changes = true,
     .run = run_backend_enable},
    {.words = "backend maint",
     .arguments = backend_arguments,
     .options = force_options,
     .summary = "take everything from a backend at once, its flows too",
     .details = "Connections that the backend had break: their packets go to other backends. To "
                "let them end, "
                "use penstock backend drain. The admin state is then called disabled. The override "
                "survives reloads and restarts; penstock "
                "backend enable ends "
                "it.",
     .json = change_json,
     .examples = backend_maint_examples,
     .changes = true,
     .run = run_backend_maint},
    {.words = "backend disable",
     .arguments = backend_arguments,
     .options = force_options,
     .summary = "the same as backend maint",
     .details = "The older name of it.",
     .json = change_json,
     .examples = backend_disable_examples,
     .changes = true,
     .run = run_backend_maint},
    {.words = "backend weight",
     .arguments = weight_arguments,
     .options = force_options,
     .summary = "give a backend another share of new flows",
     .details =
         "An override: it survives reloads and restarts, and ends with penstock override clear. "
         "Flows that are there stay where they are.",
     .json = change_json,
     .examples = backend_weight_examples,
     .changes = true,
     .run = run_backend_weight},
    {.words = "override list",
     .arguments = {},
     .options = {},
     .summary = "list what was said about backends at run time",
     .details = "Overrides stand above the configuration, are kept apart from it, survive reloads "
                "and restarts, and "
                "end when their backend leaves the configuration.",
     .json = "The document of GET /v1/overrides (docs/reference/api.md).",
     .examples = override_list_examples,
     .run = run_override_list},
    {.words = "override save",
     .arguments = new_file_argument,
     .options = {},
     .summary = "write the configuration with the overrides in it",
     .details = "Only weight and state of the backends change, comments stay. Apply the file, and "
                "the overrides say "
                "nothing more than it does; then clear them.",
     .json = "Nothing else: the file is TOML.",
     .examples = override_save_examples,
     .run = run_override_save},
    {.words = "override clear",
     .arguments = some_backends_argument,
     .options = {},
     .summary = "take overrides away: the configuration counts again",
     .details = "",
     .json = change_json,
     .examples = override_clear_examples,
     .changes = true,
     .run = run_override_clear},
}};

} // namespace

std::span<const Command> backend_commands() {
    return backend_rows;
}

} // namespace penstock::cli
