// SPDX-License-Identifier: Apache-2.0
// Reconciler, the way back: the history, a configuration on trial, and rolling back.
#include "controlplane/state/reconciler.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <utility>

namespace penstock {

namespace {

constexpr std::chrono::seconds trial_retry{5};

ChangeError no_such_entry(std::string detail) {
    return {
        .kind = ChangeErrorKind::nothing_to_go_back_to,
        .detail = std::move(detail),
        .remedy = "penstock history lists what there is",
        .diagnostics = {},
    };
}

} // namespace

/// After a start: what runs is the newest of the history, or becomes it (a crash came between the two
/// writes, or there was no history yet).
void Reconciler::find_current_in_history() {
    if (!current_) {
        return;
    }
    if (const HistoryEntry* newest = history_.newest()) {
        const auto text = history_.read(newest->number);
        if (text && *text == current_->text) {
            current_number_ = newest->number;
            return;
        }
    }
    add_to_history(*current_, last_generation_);
}

void Reconciler::add_to_history(const Declaration& declaration, std::uint64_t generation) {
    std::size_t backends = 0;
    for (const config::ServiceConfig& service : declaration.configuration.services) {
        backends += service.spec.backends.size();
    }
    const auto number = history_.add(
        {.number = 0,
         .time = format_rfc3339(std::chrono::system_clock::now()),
         .generation = generation,
         .source = std::string(to_string(declaration.source)),
         .actor = declaration.actor,
         .name = declaration.name,
         .services = declaration.configuration.services.size(),
         .backends = backends,
         .bytes = 0},
        declaration.text
    );
    current_number_ = number.value_or(0);
    if (!number) {
        events_.record(
            {.type = EventType::config_not_saved,
             .severity = EventSeverity::warning,
             .reason = "it is in force, but not in the history: " + to_string(number.error())}
        );
    }
}

std::expected<void, ChangeError>
Reconciler::begin_trial(std::chrono::seconds window, const Actor& actor) {
    if (!current_ || current_number_ == 0) {
        return std::unexpected(no_such_entry(
            "no configuration has been in force that could come back; nothing was changed"
        ));
    }
    Confirmation confirmation{
        .back_to = current_number_,
        .window = window,
        .deadline = std::chrono::system_clock::now() + window,
        .actor = actor,
    };
    if (auto saved = directory_.save_confirmation(confirmation); !saved) {
        return std::unexpected(not_saved(saved.error(), "nothing was changed"));
    }
    events_.record(
        {.type = EventType::config_on_trial,
         .severity = EventSeverity::warning,
         .reason = fmt::format(
             "unless it is confirmed by {}, number {} of the history comes back",
             format_rfc3339(confirmation.deadline),
             confirmation.back_to
         ),
         .actor = actor}
    );
    confirmation_ = std::move(confirmation);
    watch_trial(window);
    return {};
}

/// Without a trial it does nothing.
void Reconciler::end_trial(std::string outcome) {
    if (!confirmation_) {
        return;
    }
    trial_timer_.cancel();
    confirmation_.reset();
    last_trial_ = std::move(outcome);
    if (auto removed = directory_.remove_confirmation(); !removed) {
        spdlog::error("{}", to_string(removed.error()));
    }
}

void Reconciler::watch_trial(std::chrono::milliseconds left) {
    trial_timer_.expires_after(left);
    trial_timer_.async_wait([this](const boost::system::error_code& error) {
        if (!error && confirmation_) {
            end_unconfirmed();
        }
    });
}

/// After a start: the time that passed meanwhile counts.
void Reconciler::resume_trial() {
    if (!confirmation_) {
        return;
    }
    const auto text = history_.read(confirmation_->back_to);
    if (text && *text == newest().text) {
        end_trial("what it would go back to runs already"
        ); // a crash came before or after the change
        return;
    }
    watch_trial(time_left(*confirmation_, std::chrono::system_clock::now()));
}

void Reconciler::end_unconfirmed() {
    const Confirmation trial = *confirmation_;
    events_.record(
        {.type = EventType::config_rolled_back,
         .severity = EventSeverity::critical,
         .to = std::to_string(trial.back_to),
         .reason = fmt::format(
             "nobody confirmed within {} s: number {} of the history comes back",
             trial.window.count(),
             trial.back_to
         ),
         .actor = trial.actor}
    );
    auto text = history_.read(trial.back_to);
    if (!text) {
        end_trial("what it should go back to is damaged");
        events_.record(
            {.type = EventType::state_damaged,
             .severity = EventSeverity::critical,
             .reason = to_string(text.error()) + "; the configuration that was on trial stays"}
        );
        return;
    }
    apply_configuration(
        {.text = std::move(*text),
         .name = fmt::format("history {}", trial.back_to),
         .source = ReloadSource::not_confirmed,
         .actor = trial.actor,
         .confirm_within = std::nullopt},
        [this](const ChangeResult& result) {
            if (!result && confirmation_) {
                watch_trial(trial_retry); // the disk is full, or the like: until it works
            }
        }
    );
}

void Reconciler::confirm(const Actor& actor, ChangeDone done) {
    if (!confirmation_) {
        done(std::unexpected(ChangeError{
            .kind = ChangeErrorKind::nothing_to_confirm,
            .detail = last_trial_.empty() ? std::string("no configuration is on trial")
                                          : "no configuration is on trial any more: " + last_trial_,
            .remedy = "penstock status says what runs",
            .diagnostics = {},
        }));
        return;
    }
    if (auto removed = directory_.remove_confirmation(); !removed) {
        done(std::unexpected(not_saved(removed.error(), "the trial goes on")));
        return;
    }
    end_trial(fmt::format("{} confirmed it", to_string(actor)));
    events_.record(
        {.type = EventType::config_confirmed,
         .reason = "the configuration that was on trial stays",
         .actor = actor}
    );
    ChangeReply reply = make_reply(desired_.generation, true);
    reply.notes.emplace_back("the configuration stays");
    done(std::move(reply));
}

void Reconciler::roll_back(
    std::optional<std::uint64_t> number, const Actor& actor, ChangeDone done
) {
    const auto& entries = history_.entries();
    if (!number && confirmation_) {
        number = confirmation_->back_to;
    }
    if (!number) {
        const auto current = std::ranges::find(entries, current_number_, &HistoryEntry::number);
        if (current == entries.end() || current == entries.begin()) {
            done(std::unexpected(no_such_entry("the history has none before the present one")));
            return;
        }
        number = std::prev(current)->number;
    }
    if (history_.find(*number) == nullptr) {
        done(std::unexpected(no_such_entry(fmt::format("the history has no number {}", *number))));
        return;
    }
    auto text = history_.read(*number);
    if (!text) {
        done(std::unexpected(no_such_entry(to_string(text.error()))));
        return;
    }
    events_.record(
        {.type = EventType::config_rolled_back,
         .severity = EventSeverity::warning,
         .to = std::to_string(*number),
         .reason = fmt::format("number {} of the history is asked for", *number),
         .actor = actor}
    );
    apply_configuration(
        {.text = std::move(*text),
         .name = fmt::format("history {}", *number),
         .source = ReloadSource::rollback,
         .actor = actor,
         .confirm_within = std::nullopt},
        std::move(done)
    );
}

} // namespace penstock
