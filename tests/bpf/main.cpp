// SPDX-License-Identifier: Apache-2.0
// Loading XDP programs and making network namespaces needs root. Without it the tests fail: a
// skipped test would look like a passed one.
#include <cstdio>
#include <gtest/gtest.h>
#include <unistd.h>

int main(int argc, char** argv) {
    testing::InitGoogleTest(&argc, argv);
    if (::geteuid() != 0) {
        std::fputs("FAILED: tests of XDP programs need root: run them with sudo\n", stderr);
        return 1;
    }
    return RUN_ALL_TESTS();
}
