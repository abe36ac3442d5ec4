// SPDX-License-Identifier: Apache-2.0
// A program that a test started: ended by pid when the test ends, however it ends.
#pragma once

#include <csignal>
#include <fcntl.h>
#include <stdexcept>
#include <string>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

namespace penstock {

class ChildProcess {
public:
    /// Output goes to `log_path`. The child dies with its parent.
    ChildProcess(const std::vector<std::string>& command, const std::string& log_path) {
        pid_ = ::fork();
        if (pid_ < 0) {
            throw std::runtime_error("cannot fork");
        }
        if (pid_ > 0) {
            return;
        }
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        const int log = ::open(log_path.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
        ::dup2(log, STDOUT_FILENO);
        ::dup2(log, STDERR_FILENO);
        std::vector<char*> arguments;
        for (const std::string& word : command) {
            arguments.push_back(const_cast<char*>(word.c_str()));
        }
        arguments.push_back(nullptr);
        ::execvp(arguments.front(), arguments.data());
        ::_exit(127);
    }

    ChildProcess(const ChildProcess&) = delete;
    ChildProcess& operator=(const ChildProcess&) = delete;

    ~ChildProcess() {
        if (pid_ > 0) {
            end(SIGKILL);
        }
    }

    void send(int signal) const { ::kill(pid_, signal); }

    /// The status that waitpid() gives.
    int wait() {
        int status = 0;
        ::waitpid(pid_, &status, 0);
        pid_ = -1;
        return status;
    }

    int end(int signal) {
        send(signal);
        return wait();
    }

private:
    pid_t pid_ = -1;
};

} // namespace penstock
