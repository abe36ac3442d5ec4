// SPDX-License-Identifier: Apache-2.0
// The negative control of publish_test.cpp: frees values while workers may use them. Under
// ThreadSanitizer it must not end well; if it does, the test that says "no race" says nothing.
#include "tests/unit/core/publication_run.hpp"

int main() {
    penstock::test::run_publication(3, 2000, false);
    return 0;
}
