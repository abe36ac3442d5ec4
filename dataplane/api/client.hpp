// SPDX-License-Identifier: Apache-2.0
// A blocking client of penstock-dp's control socket, for tools and tests. penstock-cp has its own
// loop and uses FrameDecoder and the codec itself.
//
// Thread rule: belongs to one thread. Every call ends by its timeout. After an error other than a
// Refused the connection is closed and the client of no more use.
#pragma once

#include "dataplane/api/framing.hpp"
#include "dataplane/api/messages.hpp"
#include "dataplane/api/refusal.hpp"

#include <chrono>
#include <cstdint>
#include <expected>
#include <span>
#include <string>
#include <variant>
#include <vector>

namespace penstock {

class DataplaneClient {
public:
    /// Connects and exchanges hellos. `program` is how we name ourselves.
    [[nodiscard]] static std::expected<DataplaneClient, Refusal> connect(
        const std::string& socket_path,
        const std::string& program,
        std::chrono::milliseconds timeout
    );

    DataplaneClient(DataplaneClient&& other) noexcept;
    DataplaneClient& operator=(DataplaneClient&& other) noexcept;
    ~DataplaneClient();

    /// Returns when the state is live on every worker. The inner alternative is the dataplane's own
    /// answer.
    [[nodiscard]] std::expected<std::variant<Applied, Refused>, Refusal>
    apply(const DesiredState& state, std::chrono::milliseconds timeout);

    /// Sends with the next sequence of this connection.
    [[nodiscard]] std::expected<std::variant<Applied, Refused>, Refusal>
    update_health(std::vector<HealthChange> changes, std::chrono::milliseconds timeout);

    [[nodiscard]] std::expected<Status, Refusal> get_status(std::chrono::milliseconds timeout);

    /// The dataplane's hello.
    [[nodiscard]] const Hello& server() const { return server_; }

private:
    using Clock = std::chrono::steady_clock;

    explicit DataplaneClient(int fd) : fd_(fd) {}

    [[nodiscard]] std::expected<Reply, Refusal>
    exchange(Request request, Clock::time_point deadline);
    [[nodiscard]] std::expected<void, Refusal>
    send(std::span<const std::uint8_t> bytes, Clock::time_point deadline);
    [[nodiscard]] std::expected<ServerMessage, Refusal> receive(Clock::time_point deadline);
    void close();

    int fd_ = -1;
    std::uint64_t next_id_ = 1;
    std::uint64_t next_sequence_ = 1;
    FrameDecoder decoder_;
    Hello server_;
};

} // namespace penstock
