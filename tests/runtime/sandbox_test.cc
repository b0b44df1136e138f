#include "cssd/runtime/sandbox.h"

#include <array>
#include <cerrno>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "cssd/base/unique_fd.h"

namespace css::runtime {
namespace {

using config::Sandbox;
using testing::HasSubstr;
using testing::IsEmpty;

class SandboxTest : public testing::Test {
protected:
    void SetUp() override {
#ifdef CSS_SANITIZED
        GTEST_SKIP() << "a build with sanitizers gives nothing up";
#endif
    }
    /// In a thread of its own, which takes all that it gave up with it.
    template <class Body>
    static GivenUp after(Sandbox sandbox, const Body& body) {
        GivenUp given_up;
        std::thread{[&] {
            given_up = give_up_privileges(sandbox);
            body();
        }}.join();
        return given_up;
    }
};

/// Its exit code, or the errno that says why it was not started.
int run_true() {
    const pid_t child = ::fork();
    if (child == 0) {
        std::array<char, 6> shell{"/bin/"};
        std::array<char*, 2> words{shell.data(), nullptr};
        ::execv("/bin/true", words.data());
        ::_exit(errno);
    }
    int status = 0;
    return ::waitpid(child, &status, 0) == child && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

int errno_of_socket(int family, int type) {
    errno = 0;
    const UniqueFd socket{::socket(family, type | SOCK_CLOEXEC, 0)};
    return socket.is_open() ? 0 : errno;
}

TEST_F(SandboxTest, NoProgramNoMountNoOtherSocket) {
    ASSERT_EQ(run_true(), 0);
    for (const Sandbox sandbox : {Sandbox::kOn, Sandbox::kStrict}) {
        const GivenUp given_up = after(sandbox, [] {
            EXPECT_EQ(run_true(), EPERM);
            EXPECT_EQ(::mount("none", "/", "tmpfs", 0, ""), -1);
            EXPECT_EQ(errno, EPERM);
            EXPECT_EQ(errno_of_socket(AF_NETLINK, SOCK_RAW), EAFNOSUPPORT);
            EXPECT_EQ(errno_of_socket(AF_PACKET, SOCK_RAW), EAFNOSUPPORT);
            EXPECT_EQ(errno_of_socket(AF_ALG, SOCK_SEQPACKET), EAFNOSUPPORT);
            EXPECT_EQ(errno_of_socket(AF_INET, SOCK_DGRAM), 0);
            EXPECT_EQ(errno_of_socket(AF_UNIX, SOCK_STREAM), 0);
            EXPECT_EQ(::prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 1);
        });
        EXPECT_THAT(given_up.refused, IsEmpty());
        EXPECT_THAT(given_up.what, HasSubstr("refused are 6"));
    }
    EXPECT_EQ(run_true(), 0);
    EXPECT_EQ(::prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 0);
}

/// A call that nobody thought of must not stop a node.
TEST_F(SandboxTest, UnlistedCallsAreLetThroughUnlessStrict) {
    const auto errno_of_unlisted = [] {
        std::array<char, 16> value{};
        EXPECT_EQ(::getxattr("/nonexistent", "user.x", value.data(), value.size()), -1);
        return errno;
    };
    after(Sandbox::kOn, [&] { EXPECT_EQ(errno_of_unlisted(), ENOENT); });
    after(Sandbox::kStrict, [&] { EXPECT_EQ(errno_of_unlisted(), ENOSYS); });
}

TEST_F(SandboxTest, OffGivesNothingUp) {
    const GivenUp given_up = after(Sandbox::kOff, [] {
        EXPECT_EQ(run_true(), 0);
        EXPECT_EQ(::prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 0);
    });
    EXPECT_THAT(given_up.what, HasSubstr("sandbox = off"));
}

/// Where the kernel, or what runs the daemon, has no filters: told, and on.
TEST_F(SandboxTest, WhatIsRefusedIsTold) {
    after(Sandbox::kStrict, [] {  // Knows neither capset(2) nor seccomp(2).
        const GivenUp again = give_up_privileges(Sandbox::kOn);
        EXPECT_THAT(
            again.refused,
            testing::ElementsAre("capabilities cannot be given up: Function not implemented",
                                 "no filter of system calls: Function not implemented"));
        EXPECT_THAT(again.what, HasSubstr("system calls: all"));
    });
}

}  // namespace
}  // namespace css::runtime
