// SPDX-License-Identifier: Apache-2.0
// What DPDK, its drivers and libbpf print, kept away from the operator's terminal: our log shows it
// at level debug, and a failure quotes its end.
//
// Two ways lead here: DPDK's own log stream, for as long as the process lives, and descriptor 2,
// while DPDK starts, because some of it is printed before and beside that stream.
//
// Thread rule: lines may come from any thread; the functions below are called on the main one.
#pragma once

#include <string>

namespace penstock {

/// Takes over DPDK's log stream; before rte_eal_init(). Aborts if there is no memory for a FILE.
void capture_dpdk_log();

/// The last few lines that complain, joined by "; ", newest last; empty if nothing was said.
[[nodiscard]] std::string last_dpdk_complaint();

/// Forgets what was said, so that the next complaint is about the next thing.
void forget_dpdk_log();

/// While it lives, descriptor 2 is a file in memory. Should the process abort meanwhile, the
/// contents go to the real one. At most one at a time.
class StderrCapture {
public:
    StderrCapture();
    ~StderrCapture();
    StderrCapture(const StderrCapture&) = delete;
    StderrCapture& operator=(const StderrCapture&) = delete;
};

} // namespace penstock
