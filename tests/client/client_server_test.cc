#include "cssd/client/server/client_server.h"

#include <condition_variable>
#include <filesystem>
#include <mutex>
#include <optional>
#include <vector>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "cssd/client/css.h"
#include "cssd/client/lease_page_writer.h"
#include "tests/client/cgroup.h"
#include "tests/guardian/harness.h"

namespace css::testing {
namespace {

using client::CgroupKind;

/// The daemon's client socket in this process. Everybody is enlisted, and what was asked of the
/// guardians is written down.
class Server {
public:
    Server() : directory_("/tmp/css-client-server-" + std::to_string(getpid())) {
        std::filesystem::create_directories(directory_);
        client::ClientServerOptions options;
        options.run_dir = directory_;
        options.page_fd = page_.reader_fd();
        options.enlist = [this](std::uint64_t client, int) { hold(client); };
        options.enlist_cgroup = [this](std::uint64_t client, int, CgroupKind kind) {
            {
                const std::lock_guard lock{mutex_};
                cgroups_.push_back(kind);
            }
            hold(client);
        };
        options.dismiss = [this](std::uint64_t) {
            {
                const std::lock_guard lock{mutex_};
                ++dismissed_;
            }
            changed_.notify_all();
        };
        server_ = client::ClientServer::start(std::move(options)).value();
    }
    ~Server() {
        server_.reset();
        std::filesystem::remove_all(directory_);
    }
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;
    Server(Server&&) = delete;
    Server& operator=(Server&&) = delete;

    css_t* connect() {
        css_t* css = nullptr;
        EXPECT_EQ(css_connect(directory_.c_str(), &css), 0);
        return css;
    }
    client::ClientServer& operator*() { return *server_; }
    std::vector<CgroupKind> cgroups() {
        const std::lock_guard lock{mutex_};
        return cgroups_;
    }
    bool dismisses(int count, Duration patience = kPatience) {
        std::unique_lock lock{mutex_};
        return changed_.wait_for(lock, patience, [&] { return dismissed_ >= count; });
    }

private:
    void hold(std::uint64_t client) { server_->enlisted(client, true); }

    std::string directory_;
    client::LeasePageWriter page_ = client::LeasePageWriter::create().value();
    std::mutex mutex_;
    std::condition_variable changed_;
    std::vector<CgroupKind> cgroups_;
    int dismissed_ = 0;
    std::unique_ptr<client::ClientServer> server_;
};

class Cgroups : public ::testing::TestWithParam<CgroupKind> {
protected:
    void SetUp() override {
        if (!cgroup_) {
            GTEST_SKIP() << "SKIPPED, NOT TESTED: no cgroups of this kind can be made here";
        }
    }
    static int open_directory(const std::string& path) {
        return open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
    }

    const std::optional<TestCgroup> cgroup_ = TestCgroup::make(GetParam());
    Server server_;
};

TEST_P(Cgroups, IsAClientUntilItIsEmptyAndNobodyIsConnected) {
    const UniqueFd directory{open_directory(cgroup_->path())};
    Process program = Process::sleeper();
    cgroup_->add(program.pid(), "below");
    css_t* css = server_.connect();
    ASSERT_EQ(css_register_cgroup(css, directory.get()), 0);
    EXPECT_EQ(server_.cgroups(), std::vector{GetParam()});
    EXPECT_EQ(css_register_self(css), -EALREADY);
    EXPECT_EQ((*server_).registered(), 1U);
    css_disconnect(css);
    EXPECT_FALSE(server_.dismisses(1, milliseconds{2500}));  // Longer than it takes to look twice.
    EXPECT_EQ((*server_).registered(), 1U);
    program.signal(SIGKILL);
    program.wait();
    EXPECT_TRUE(server_.dismisses(1));
    EXPECT_EQ((*server_).registered(), 0U);
}

TEST_P(Cgroups, IsTakenBack) {
    const UniqueFd directory{open_directory(cgroup_->path())};
    css_t* css = server_.connect();
    ASSERT_EQ(css_register_cgroup(css, directory.get()), 0);
    ASSERT_EQ(css_unregister_self(css), 0);
    EXPECT_TRUE(server_.dismisses(1));
    ASSERT_EQ(css_register_self(css), 0);
    css_disconnect(css);
}

TEST_P(Cgroups, ACleanLeaveAsksEveryProcessInItToEnd) {
    const UniqueFd directory{open_directory(cgroup_->path())};
    Process program = Process::sleeper();
    cgroup_->add(program.pid(), "below");
    css_t* css = server_.connect();
    ASSERT_EQ(css_register_cgroup(css, directory.get()), 0);
    (*server_).ask_to_end();
    EXPECT_EQ(WTERMSIG(program.wait()), SIGTERM);
    css_disconnect(css);
}

TEST_P(Cgroups, WhatIsNoneOrHoldsTheDaemonIsRefused) {
    css_t* css = server_.connect();
    EXPECT_EQ(css_register_cgroup(css, -1), -EBADF);
    const UniqueFd root{open_directory(cgroup_->root())};
    EXPECT_EQ(css_register_cgroup(css, root.get()), -EINVAL);
    const UniqueFd elsewhere{open_directory("/tmp")};
    EXPECT_EQ(css_register_cgroup(css, elsewhere.get()), -EINVAL);
    const UniqueFd file{open((cgroup_->path() + "/cgroup.procs").c_str(), O_RDONLY | O_CLOEXEC)};
    EXPECT_EQ(css_register_cgroup(css, file.get()), -EINVAL);

    const UniqueFd directory{open_directory(cgroup_->path())};
    cgroup_->add(getpid(), "below");
    EXPECT_EQ(css_register_cgroup(css, directory.get()), -EINVAL);
    cgroup_->release(getpid());
    EXPECT_EQ(css_register_cgroup(css, directory.get()), 0);
    css_disconnect(css);
}

TEST_P(Cgroups, OfAnotherUserIsRefused) {
    const UniqueFd directory{open_directory(cgroup_->path())};
    const client::CgroupOwner somebody{getpid(), 65534};
    const auto refused = client::inspect_cgroup(directory.get(), somebody);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::kNotPermitted);
    ASSERT_EQ(chown((cgroup_->path() + "/cgroup.procs").c_str(), 65534, 65534), 0);
    EXPECT_TRUE(client::inspect_cgroup(directory.get(), somebody));
}

INSTANTIATE_TEST_SUITE_P(ClientServer,
                         Cgroups,
                         ::testing::Values(CgroupKind::kV2, CgroupKind::kV1Freezer),
                         [](const auto& kind) {
                             return kind.param == CgroupKind::kV2 ? "V2" : "V1Freezer";
                         });

}  // namespace
}  // namespace css::testing
