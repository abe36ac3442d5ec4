// SPDX-License-Identifier: Apache-2.0
// Built into penstock-dp when it is built with sanitizers, and only then: what is known of
// libraries that are not ours.
//
// net_af_xdp (DPDK 22.11) never closes the BPF object that it loads for a port, nor frees its umem.
// It does so once a port, at the end of the process. Full stacks are needed to tell that from a
// leak of ours through the same libraries.

extern "C" const char* __asan_default_options() {
    return "fast_unwind_on_malloc=0";
}

extern "C" const char* __lsan_default_suppressions() {
    return "leak:librte_net_af_xdp\n";
}

extern "C" const char* __lsan_default_options() {
    return "print_suppressions=0";
}
