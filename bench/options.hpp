// SPDX-License-Identifier: Apache-2.0
// The command line that the benchmarks share, and the file of rows that each can write.
//
// Thread rule: the main thread.
#pragma once

#include <boost/json/array.hpp>
#include <expected>
#include <string>
#include <vector>

namespace penstock::bench {

struct Options {
    bool quick = false;         ///< fewer packets a round; noisier
    std::string json;           ///< file for the rows; empty: none
    std::string only;           ///< cases whose name holds this text; empty: all
    std::vector<unsigned> cpus; ///< where the benchmark's threads run
};

/// Reads them. `about` is what --help says first; `cpus` is how many CPUs the benchmark uses, the
/// highest-numbered ones unless --cpus says otherwise. Without a value the program ends with the
/// code returned: 0 after --help, 2 for a wrong command line, which has been said on standard
/// error.
[[nodiscard]] std::expected<Options, int>
read_options(int argc, char** argv, const std::string& about, unsigned cpus);

/// Writes the rows as one JSON array, if --json was given. False: it could not; said on standard
/// error.
[[nodiscard]] bool write_rows(const Options& options, const boost::json::array& rows);

} // namespace penstock::bench
