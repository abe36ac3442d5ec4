// SPDX-License-Identifier: Apache-2.0
#include "bench/options.hpp"

#include <boost/json.hpp>
#include <boost/program_options.hpp>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iostream>
#include <sched.h>
#include <sstream>

namespace penstock::bench {
namespace {

// The CPUs that this process may use, the highest first: the lowest one serves interrupts.
std::vector<unsigned> allowed_cpus() {
    cpu_set_t set;
    std::vector<unsigned> cpus;
    if (::sched_getaffinity(0, sizeof set, &set) == 0) {
        for (unsigned cpu = CPU_SETSIZE; cpu-- > 0;) {
            if (CPU_ISSET(cpu, &set)) {
                cpus.push_back(cpu);
            }
        }
    }
    return cpus;
}

std::vector<unsigned> parse_cpus(const std::string& text) {
    std::vector<unsigned> cpus;
    std::istringstream words(text);
    for (std::string word; std::getline(words, word, ',');) {
        std::size_t read = 0;
        try {
            cpus.push_back(static_cast<unsigned>(std::stoul(word, &read)));
        } catch (const std::exception&) {
            read = 0;
        }
        if (read != word.size() || read == 0) {
            throw boost::program_options::error("--cpus is a list like 0,1, not " + text);
        }
    }
    return cpus;
}

} // namespace

std::expected<Options, int>
read_options(int argc, char** argv, const std::string& about, unsigned cpus) {
    namespace po = boost::program_options;
    Options options;
    std::string cpu_list;
    po::options_description description("Options");
    description.add_options()(
        "quick", po::bool_switch(&options.quick), "fewer packets a round; the figures are noisier"
    )("json", po::value(&options.json)->value_name("FILE"), "write the rows to this file")(
        "only", po::value(&options.only)->value_name("TEXT"), "only cases whose name holds TEXT"
    )("cpus",
      po::value(&cpu_list)->value_name("LIST"),
      "CPUs to run on, as many as the benchmark needs")("help,h", "this text");
    try {
        po::variables_map values;
        const po::positional_options_description none;
        po::store(
            po::command_line_parser(argc, argv).options(description).positional(none).run(), values
        );
        po::notify(values);
        if (values.contains("help")) {
            std::cout << about << '\n' << description;
            return std::unexpected(0);
        }
        options.cpus = cpu_list.empty() ? allowed_cpus() : parse_cpus(cpu_list);
        if (options.cpus.size() < cpus) {
            throw po::error(
                "this needs " + std::to_string(cpus) + " CPUs, there are " +
                std::to_string(options.cpus.size())
            );
        }
        options.cpus.resize(cpus);
    } catch (const po::error& error) {
        std::fprintf(stderr, "bench: %s; --help tells more\n", error.what());
        return std::unexpected(2);
    }
    return options;
}

bool write_rows(const Options& options, const boost::json::array& rows) {
    if (options.json.empty()) {
        return true;
    }
    std::ofstream file(options.json);
    file << boost::json::serialize(rows) << '\n';
    file.close();
    if (!file) {
        std::fprintf(
            stderr, "bench: cannot write %s: %s\n", options.json.c_str(), std::strerror(errno)
        );
        return false;
    }
    return true;
}

} // namespace penstock::bench
