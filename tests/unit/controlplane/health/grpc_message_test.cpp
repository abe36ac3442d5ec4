// SPDX-License-Identifier: Apache-2.0
#include "controlplane/health/grpc_message.hpp"

#include <gtest/gtest.h>

namespace penstock {
namespace {

using namespace std::string_literals;

TEST(GrpcMessage, FramesTheRequest) {
    EXPECT_EQ(encode_grpc_request(""), "\0\0\0\0\0"s);
    EXPECT_EQ(encode_grpc_request("web"), "\0\0\0\0\x05\x0a\x03web"s);
}

TEST(GrpcMessage, ReadsTheStatus) {
    EXPECT_EQ(decode_grpc_response("\0\0\0\0\x02\x08\x01"s), "SERVING");
    EXPECT_EQ(decode_grpc_response("\0\0\0\0\x02\x08\x02"s), "NOT_SERVING");
    EXPECT_EQ(decode_grpc_response("\0\0\0\0\0"s), "UNKNOWN");
}

TEST(GrpcMessage, TakesNoOtherBytesForAStatus) {
    for (const std::string& body :
         {""s,
          "\0\0\0\0"s,
          "\x01\0\0\0\x02\x08\x01"s,
          "\0\0\0\0\x03\x08\x01"s,
          "\0\xff\xff\xff\xff\x08\x01"s,
          "\0\0\0\0\x02\x08\x63"s,
          "\0\0\0\0\x02\xff\xff"s}) {
        EXPECT_EQ(decode_grpc_response(body), "malformed");
    }
}

} // namespace
} // namespace penstock
