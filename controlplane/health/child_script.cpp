// SPDX-License-Identifier: Apache-2.0
#include "controlplane/health/child_script.hpp"

#include <array>
#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <fmt/format.h>
#include <grp.h>
#include <optional>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <system_error>
#include <unistd.h>

namespace penstock {

namespace {

struct Identity {
    uid_t user;
    gid_t group;
    bool is_ours; ///< nothing to change, which an unprivileged process may not anyway
};

std::string describe_errno(std::string_view what) {
    return fmt::format("{}: {}", what, std::generic_category().message(errno));
}

std::expected<Identity, std::string> find_identity(const std::string& user) {
    constexpr std::size_t record_size = 16384;
    std::vector<char> buffer(record_size);
    passwd entry{};
    passwd* found = nullptr;
    if (::getpwnam_r(user.c_str(), &entry, buffer.data(), buffer.size(), &found) != 0 ||
        found == nullptr) {
        return std::unexpected(fmt::format("there is no user '{}' to run the script as", user));
    }
    return Identity{
        .user = entry.pw_uid,
        .group = entry.pw_gid,
        .is_ours = entry.pw_uid == ::geteuid() && entry.pw_gid == ::getegid(),
    };
}

std::vector<char*> to_pointers(const std::vector<std::string>& words) {
    std::vector<char*> pointers;
    for (const std::string& word : words) {
        pointers.push_back(const_cast<char*>(word.c_str()));
    }
    pointers.push_back(nullptr);
    return pointers;
}

/// In the child: no allocation, no lock, no return.
[[noreturn]] void
become_script(const Identity& identity, int output, char* const* words, char* const* environment) {
    ::setpgid(0, 0);
    const int input = ::open("/dev/null", O_RDONLY);
    const bool wired = input >= 0 && ::dup2(input, STDIN_FILENO) >= 0 &&
                       ::dup2(output, STDOUT_FILENO) >= 0 && ::dup2(output, STDERR_FILENO) >= 0;
    ::syscall(SYS_close_range, 3U, ~0U, 0U);
    sigset_t none;
    ::sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    ::signal(SIGPIPE, SIG_DFL);
    const rlimit no_core{.rlim_cur = 0, .rlim_max = 0};
    ::setrlimit(RLIMIT_CORE, &no_core);
    // Supplementary groups first: once the user is another, they cannot be given up any more.
    const bool changed =
        identity.is_ours || (::setgroups(0, nullptr) == 0 &&
                             ::setresgid(identity.group, identity.group, identity.group) == 0 &&
                             ::setresuid(identity.user, identity.user, identity.user) == 0);
    // After the change of user, which would undo it.
    const bool confined =
        ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && ::prctl(PR_SET_PDEATHSIG, SIGKILL) == 0;
    if (wired && changed && confined && ::chdir("/") == 0) {
        ::execve(words[0], words, environment);
    }
    constexpr std::string_view message = "cannot be executed";
    [[maybe_unused]] const ssize_t told = ::write(STDERR_FILENO, message.data(), message.size());
    ::_exit(exit_not_executed);
}

} // namespace

std::expected<ChildScript, std::string> start_child_script(const ScriptCommand& command) {
    const auto identity = find_identity(command.user);
    if (!identity) {
        return std::unexpected(identity.error());
    }
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
        return std::unexpected(describe_errno("pipe"));
    }
    const std::vector<char*> words = to_pointers(command.words);
    const std::vector<char*> environment = to_pointers(command.environment);
    const pid_t pid = ::fork();
    if (pid == 0) {
        become_script(*identity, ends[1], words.data(), environment.data());
    }
    const int fork_errno = errno;
    ::close(ends[1]);
    if (pid < 0) {
        ::close(ends[0]);
        errno = fork_errno;
        return std::unexpected(describe_errno("fork"));
    }
    ::setpgid(pid, pid); // as the child does: whoever comes first
    ::fcntl(ends[0], F_SETFL, O_NONBLOCK);
    const int pidfd = static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
    const ChildScript child{.pid = pid, .pidfd = pidfd, .output = ends[0]};
    if (pidfd < 0) {
        const std::string why = describe_errno("pidfd_open");
        (void)end_child_script(child);
        ::close(ends[0]);
        return std::unexpected(why);
    }
    return child;
}

int end_child_script(const ChildScript& child) {
    // The zombie still holds its number, so no other group can have it.
    ::kill(-child.pid, SIGKILL);
    siginfo_t info{};
    int waited = 0;
    do {
        waited = ::waitid(P_PID, static_cast<id_t>(child.pid), &info, WEXITED);
    } while (waited != 0 && errno == EINTR);
    return info.si_code == CLD_EXITED ? info.si_status : -info.si_status;
}

} // namespace penstock
