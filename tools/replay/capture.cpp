// SPDX-License-Identifier: Apache-2.0
#include "tools/replay/capture.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <fmt/format.h>
#include <pcap/pcap.h>
#include <system_error>

namespace penstock::replay {
namespace {

constexpr const char* capture_remedy =
    "give a pcap or pcapng file as tcpdump, tshark or dumpcap write it";

using Format = std::unique_ptr<pcap_t, decltype(&pcap_close)>;

std::string message_of(int error_number) {
    return std::generic_category().message(error_number);
}

// A broken file may hold any numbers: what is no time is the epoch.
std::uint64_t time_of(const pcap_pkthdr& header) {
    constexpr std::int64_t last_s = std::int64_t{1} << 33U;
    const std::int64_t seconds = std::clamp<std::int64_t>(header.ts.tv_sec, 0, last_s);
    const std::int64_t rest = std::max<std::int64_t>(header.ts.tv_usec, 0); // nanoseconds, as asked
    return static_cast<std::uint64_t>(seconds) * ns_per_s + static_cast<std::uint64_t>(rest);
}

std::string link_type_name(int link_type) {
    const char* const name = pcap_datalink_val_to_name(link_type);
    return name == nullptr ? fmt::format("link type {}", link_type) : std::string(name);
}

} // namespace

void CaptureReader::Close::operator()(pcap_t* capture) const {
    pcap_close(capture); // closes the FILE too
}

std::expected<CaptureReader, Refusal> CaptureReader::open(const std::string& path) {
    if (path == "-") {
        return take(stdin, "<stdin>");
    }
    std::FILE* const stream = std::fopen(path.c_str(), "rbe");
    if (stream == nullptr) {
        return std::unexpected(
            Refusal{path, "cannot be opened: " + message_of(errno), capture_remedy}
        );
    }
    return take(stream, path);
}

std::expected<CaptureReader, Refusal> CaptureReader::take(std::FILE* stream, std::string name) {
    std::array<char, PCAP_ERRBUF_SIZE> error{};
    std::unique_ptr<pcap_t, Close> capture(
        pcap_fopen_offline_with_tstamp_precision(stream, PCAP_TSTAMP_PRECISION_NANO, error.data())
    );
    if (!capture) {
        std::fclose(stream);
        return std::unexpected(
            Refusal{name, fmt::format("no capture, at byte 0: {}", error.data()), capture_remedy}
        );
    }
    if (const int link_type = pcap_datalink(capture.get()); link_type != DLT_EN10MB) {
        return std::unexpected(Refusal{
            name,
            fmt::format("holds frames of {}, not of Ethernet", link_type_name(link_type)),
            "capture on an Ethernet interface (not on \"any\")"
        });
    }
    return CaptureReader(std::move(name), std::move(capture));
}

std::expected<std::optional<CapturedPacket>, Refusal> CaptureReader::next() {
    const long offset = std::ftell(pcap_file(capture_.get())); // -1 of a pipe
    pcap_pkthdr* header = nullptr;
    const unsigned char* data = nullptr;
    const int result = pcap_next_ex(capture_.get(), &header, &data);
    ++index_;
    const auto broken = [&](const std::string& cause) {
        const std::string place =
            offset < 0 ? fmt::format("{}, packet {}", name_, index_)
                       : fmt::format("{}, packet {}, at byte {}", name_, index_, offset);
        return std::unexpected(Refusal{place, cause, capture_remedy});
    };
    if (result == PCAP_ERROR_BREAK) {
        return std::nullopt;
    }
    if (result != 1) {
        return broken(pcap_geterr(capture_.get()));
    }
    if (header->caplen > max_captured_bytes || header->len > max_captured_bytes) {
        return broken(fmt::format(
            "a frame of {} bytes; none is longer than {}",
            std::max(header->caplen, header->len),
            max_captured_bytes
        ));
    }
    return CapturedPacket{
        .index = index_,
        .time_ns = time_of(*header),
        .length = std::max(header->len, header->caplen),
        .bytes = {data, header->caplen},
    };
}

void CaptureWriter::Close::operator()(pcap_dumper_t* dump) const {
    pcap_dump_close(dump);
}

std::expected<CaptureWriter, Refusal> CaptureWriter::create(const std::string& path) {
    auto file = std::make_unique<OutputFile>(path);
    const Format format(
        pcap_open_dead_with_tstamp_precision(
            DLT_EN10MB, static_cast<int>(max_captured_bytes), PCAP_TSTAMP_PRECISION_NANO
        ),
        &pcap_close
    );
    std::FILE* const stream = std::fopen(file->working_path().c_str(), "wbe");
    if (stream == nullptr) {
        return std::unexpected(
            Refusal{path, "cannot be written: " + message_of(errno), "choose another file"}
        );
    }
    std::unique_ptr<pcap_dumper_t, Close> dump(pcap_dump_fopen(format.get(), stream));
    if (!dump) { // libpcap has closed the stream
        return std::unexpected(
            Refusal{path, fmt::format("cannot be written: {}", pcap_geterr(format.get())), ""}
        );
    }
    return CaptureWriter(std::move(file), std::move(dump));
}

void CaptureWriter::write(
    std::uint64_t time_ns, std::span<const std::uint8_t> bytes, std::uint32_t length
) {
    pcap_pkthdr header{};
    header.ts.tv_sec = static_cast<decltype(header.ts.tv_sec)>(time_ns / ns_per_s);
    header.ts.tv_usec = static_cast<decltype(header.ts.tv_usec)>(time_ns % ns_per_s);
    header.caplen = static_cast<bpf_u_int32>(bytes.size());
    header.len = length;
    pcap_dump(reinterpret_cast<unsigned char*>(dump_.get()), &header, bytes.data());
}

std::expected<void, Refusal> CaptureWriter::finish() {
    const bool is_written =
        pcap_dump_flush(dump_.get()) == 0 && std::ferror(pcap_dump_file(dump_.get())) == 0;
    const int error_number = errno;
    dump_.reset();
    if (!is_written) {
        return std::unexpected(Refusal{
            file_->path(), "cannot be written: " + message_of(error_number), "make room for it"
        });
    }
    return file_->commit();
}

} // namespace penstock::replay
