// SPDX-License-Identifier: Apache-2.0
#include "controlplane/state/sealed_text.hpp"

#include <array>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <fmt/format.h>
#include <openssl/evp.h>

namespace penstock {

namespace json = boost::json;

namespace {

constexpr std::string_view marker = "# penstock-state ";
constexpr std::int64_t version = 1;

std::string digest_of(std::string_view text, std::string_view meta) {
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned size = 0;
    EVP_MD_CTX* context = EVP_MD_CTX_new();
    EVP_DigestInit_ex(context, EVP_sha256(), nullptr);
    EVP_DigestUpdate(context, text.data(), text.size());
    EVP_DigestUpdate(context, "\n", 1);
    EVP_DigestUpdate(context, meta.data(), meta.size());
    EVP_DigestFinal_ex(context, digest.data(), &size);
    EVP_MD_CTX_free(context);
    std::string hex;
    for (unsigned i = 0; i < size; ++i) {
        hex += fmt::format("{:02x}", digest[i]);
    }
    return hex;
}

/// Where the seal's line begins, or npos. It is the last line, and ends in a newline.
std::size_t find_seal(std::string_view content) {
    if (!content.ends_with('\n')) {
        return std::string_view::npos;
    }
    const std::size_t before =
        content.size() < 2 ? std::string_view::npos : content.rfind('\n', content.size() - 2);
    const std::size_t begin = before == std::string_view::npos ? 0 : before + 1;
    return content.substr(begin).starts_with(marker) ? begin : std::string_view::npos;
}

} // namespace

std::string seal(std::string_view text, const json::object& meta) {
    const json::object line{
        {"version", version},
        {"bytes", text.size()},
        {"sha256", digest_of(text, json::serialize(meta))},
        {"meta", meta},
    };
    return fmt::format(
        "{}{}{}{}\n",
        text,
        text.empty() || text.ends_with('\n') ? "" : "\n",
        marker,
        json::serialize(line)
    );
}

std::expected<SealedText, std::string> unseal(std::string_view content) {
    const std::size_t begin = find_seal(content);
    if (begin == std::string_view::npos) {
        // Its beginning without its end: the file was cut there.
        if (content.rfind(marker) != std::string_view::npos && !content.ends_with('\n')) {
            return std::unexpected("it ends within its last line");
        }
        return SealedText{.text = std::string(content), .meta = {}, .is_sealed = false};
    }
    json::error_code error;
    const json::value line =
        json::parse(content.substr(begin + marker.size()), error, {}, {.max_depth = 8});
    const json::object* object = error ? nullptr : line.if_object();
    const auto find = [object](std::string_view key) {
        return object == nullptr ? nullptr : object->if_contains(key);
    };
    const json::value* number = find("version");
    const json::value* bytes = find("bytes");
    const json::value* digest = find("sha256");
    const json::value* meta = find("meta");
    if (number == nullptr || !number->is_int64()) {
        return std::unexpected("its last line is damaged");
    }
    if (number->get_int64() != version) {
        return std::unexpected(
            fmt::format("it is of version {}, and this is version {}", number->get_int64(), version)
        );
    }
    if (bytes == nullptr || !bytes->is_int64() || digest == nullptr || !digest->is_string() ||
        meta == nullptr || !meta->is_object()) {
        return std::unexpected("its last line is damaged");
    }
    const std::int64_t size = bytes->get_int64();
    if (size < 0 || static_cast<std::uint64_t>(size) > begin ||
        begin - static_cast<std::uint64_t>(size) > 1) {
        return std::unexpected("it has not the length that its last line says");
    }
    const std::string_view text = content.substr(0, static_cast<std::size_t>(size));
    if (digest_of(text, json::serialize(*meta)) != std::string_view(digest->get_string())) {
        return std::unexpected("its checksum does not fit");
    }
    return SealedText{.text = std::string(text), .meta = meta->get_object(), .is_sealed = true};
}

} // namespace penstock
