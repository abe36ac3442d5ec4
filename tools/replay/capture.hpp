// SPDX-License-Identifier: Apache-2.0
// Captures: pcap (µs and ns, both byte orders) and pcapng in, pcap with nanoseconds out; Ethernet
// only. libpcap reads and writes them; what it cannot say, the place of a broken packet, is added
// here.
//
// Thread rule: one owner. Bounded: one packet at a time, of at most max_captured_bytes.
#pragma once

#include "dataplane/api/refusal.hpp"
#include "tools/replay/output_file.hpp"

#include <cstdint>
#include <cstdio>
#include <expected>
#include <memory>
#include <optional>
#include <span>
#include <string>

typedef struct pcap pcap_t;               // as <pcap/pcap.h> has it
typedef struct pcap_dumper pcap_dumper_t; // likewise

namespace penstock::replay {

inline constexpr std::uint64_t ns_per_s = 1'000'000'000;

/// As libpcap bounds it.
inline constexpr std::uint32_t max_captured_bytes = 262144;

/// One packet of a capture.
struct CapturedPacket {
    std::uint64_t index = 0;   ///< in the file, from 1, as Wireshark and tshark number them
    std::uint64_t time_ns = 0; ///< since the epoch
    std::uint32_t length = 0; ///< of the frame on the wire; more than `bytes` if the capture cut it
    std::span<const std::uint8_t> bytes; ///< valid until the next read
};

class CaptureReader {
public:
    /// Opens `path` ("-": standard input). An error names the file, and the byte where it is broken.
    [[nodiscard]] static std::expected<CaptureReader, Refusal> open(const std::string& path);

    /// As above; `stream` is closed with the reader, or now if it is no capture. `name` is for
    /// errors.
    [[nodiscard]] static std::expected<CaptureReader, Refusal>
    take(std::FILE* stream, std::string name);

    /// The next packet, or nothing at the end. An error names the packet and the byte offset at
    /// which its record begins; the reader is at its end then.
    [[nodiscard]] std::expected<std::optional<CapturedPacket>, Refusal> next();

private:
    struct Close {
        void operator()(pcap_t* capture) const;
    };

    CaptureReader(std::string name, std::unique_ptr<pcap_t, Close> capture)
        : name_(std::move(name)), capture_(std::move(capture)) {}

    std::string name_;
    std::unique_ptr<pcap_t, Close> capture_;
    std::uint64_t index_ = 0;
};

class CaptureWriter {
public:
    [[nodiscard]] static std::expected<CaptureWriter, Refusal> create(const std::string& path);

    /// `bytes` of a frame that is `length` bytes long.
    void write(std::uint64_t time_ns, std::span<const std::uint8_t> bytes, std::uint32_t length);

    /// Whether all of it reached the file, which is in its place only then.
    [[nodiscard]] std::expected<void, Refusal> finish();

private:
    struct Close {
        void operator()(pcap_dumper_t* dump) const;
    };

    CaptureWriter(std::unique_ptr<OutputFile> file, std::unique_ptr<pcap_dumper_t, Close> dump)
        : file_(std::move(file)), dump_(std::move(dump)) {}

    std::unique_ptr<OutputFile> file_; // destroyed after the dump is closed
    std::unique_ptr<pcap_dumper_t, Close> dump_;
};

} // namespace penstock::replay
