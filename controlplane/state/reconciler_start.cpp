// SPDX-License-Identifier: Apache-2.0
// Reconciler, the start: which configuration runs.
#include "controlplane/state/reconciler.hpp"

#include "controlplane/state/actor_json.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <utility>

namespace penstock {

std::expected<void, std::string> Reconciler::start() {
    for (const std::string& sentence : set_aside_) {
        events_.record(
            {.type = EventType::state_damaged,
             .severity = EventSeverity::critical,
             .reason = sentence}
        );
    }
    if (auto chosen = choose_configuration(); !chosen) {
        return chosen;
    }
    last_generation_ = std::max<std::uint64_t>(last_generation_, 1);
    rebuild_desired();
    desired_.generation = last_generation_;
    set_probe_targets();
    find_current_in_history();
    resume_trial();
    // A moment for the dataplane to tell the health it has: the first probes of a restarted
    // penstock-cp must not overrule it by being quicker.
    probe_start_timer_.expires_after(std::chrono::milliseconds(500));
    probe_start_timer_.async_wait([this](const boost::system::error_code& error) {
        if (!error) {
            begin_probing();
        }
    });
    link_.start();
    return {};
}

std::expected<void, std::string> Reconciler::choose_configuration() {
    if (loaded_.applied) {
        current_ = parse_saved("applied.toml", *loaded_.applied);
    }
    if (loaded_.pending) {
        candidate_ = parse_saved("pending.toml", *loaded_.pending);
    }
    loaded_ = {};
    if (!current_ && !candidate_) {
        return choose_from_file();
    }
    const Declaration& chosen = newest();
    report_reload(
        ReloadSource::start,
        ReloadResult::pending,
        fmt::format(
            "{}: {}",
            candidate_ ? "pending.toml" : "applied.toml",
            describe_size(chosen.configuration)
        )
    );
    return {};
}

DeclarationPtr Reconciler::parse_saved(std::string_view name, const SealedText& saved) {
    config::Diagnostics warnings;
    auto parsed = config::parse_configuration(saved.text, std::string(name), &warnings);
    if (parsed) {
        const auto* name_then = saved.meta.if_contains("name");
        const auto* actor = saved.meta.if_contains("actor");
        return std::make_shared<const Declaration>(Declaration{
            .text = saved.text,
            .configuration = std::move(*parsed),
            .notes = render_warnings(warnings),
            .name = name_then != nullptr && name_then->is_string()
                        ? std::string(name_then->get_string())
                        : std::string(name),
            .actor =
                actor != nullptr && actor->is_object() ? read_actor(actor->get_object()) : Actor{},
        });
    }
    const std::string& cause = parsed.error().front().cause;
    const auto sentence = directory_.set_aside(
        name,
        fmt::format(
            "line {}: {}; what else is known is used", parsed.error().front().place.line, cause
        )
    );
    set_aside_.push_back(sentence ? *sentence : to_string(sentence.error()));
    events_.record(
        {.type = EventType::state_damaged,
         .severity = EventSeverity::critical,
         .reason = set_aside_.back()}
    );
    return nullptr;
}

std::expected<void, std::string> Reconciler::choose_from_file() {
    auto read = read_declaration(config_file_);
    if (!read) {
        return std::unexpected(read.error());
    }
    if (auto saved = directory_.save_pending(read->text, make_meta(*read)); !saved) {
        return std::unexpected(to_string(saved.error()));
    }
    candidate_ = std::make_shared<const Declaration>(std::move(*read));
    report_reload(
        ReloadSource::start,
        ReloadResult::pending,
        fmt::format("{}: {}", config_file_, describe_size(candidate_->configuration))
    );
    return {};
}

} // namespace penstock
