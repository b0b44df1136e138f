#include "cssd/runtime/trusted_places.h"

#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/control/temporary_directory.h"

namespace css::runtime {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr uid_t kNobody = 65534;

class TrustedPlacesTest : public testing::Test {
protected:
    /// A directory of this mode and owner, with what is said about it.
    std::string make(const std::string& name,
                     mode_t mode,
                     uid_t owner = ::geteuid(),
                     gid_t group = 0) {
        const std::string path = base_.path() + "/" + name;
        EXPECT_TRUE(std::filesystem::create_directories(path));
        EXPECT_EQ(::chmod(path.c_str(), mode), 0);
        if (::geteuid() == 0) {
            EXPECT_EQ(::chown(path.c_str(), owner, group), 0);
        }
        return path;
    }
    static std::string refusal(const std::string& path) {
        TrustedPlaces places;
        const Status looked = places.directory("run_dir", path);
        return looked ? "" : looked.error().message;
    }
    [[nodiscard]] std::vector<std::string> doubts(const std::string& path) const {
        TrustedPlaces places;
        EXPECT_TRUE(places.directory("run_dir", path));
        return in_here(places.doubts());
    }
    /// Where this machine keeps temporary files is not the question.
    [[nodiscard]] std::vector<std::string> in_here(std::vector<std::string> lines) const {
        std::erase_if(lines, [this](const std::string& line) {
            return line.find(base_.path() + "/") == std::string::npos;
        });
        return lines;
    }

    TemporaryDirectory base_;
};

TEST_F(TrustedPlacesTest, OnesOwnAreTaken) {
    for (const mode_t mode : {0700U, 0750U, 0755U, 01755U, 02755U}) {
        const std::string path = make(std::to_string(mode), mode);
        EXPECT_EQ(refusal(path), "");
        EXPECT_THAT(doubts(path), IsEmpty());
    }
}

TEST_F(TrustedPlacesTest, AMissingOneIsMadeSoThatNobodyElseWritesToIt) {
    const std::string path = base_.path() + "/a/b";
    const mode_t former = ::umask(0022);
    EXPECT_EQ(refusal(path), "");
    ::umask(former);
    EXPECT_TRUE(std::filesystem::is_directory(path));
    EXPECT_EQ(refusal(path), "");
}

/// Sticky or not: sockets and logs of others' making could be there first.
TEST_F(TrustedPlacesTest, OneThatEverybodyMayWriteToIsRefused) {
    for (const mode_t mode : {0777U, 01777U, 0702U}) {
        const std::string path = make(std::to_string(mode), mode);
        EXPECT_THAT(refusal(path), HasSubstr("run_dir: everybody may change what is in " + path));
        EXPECT_THAT(refusal(path), HasSubstr("chmod go-w " + path));
    }
}

/// A log directory on a fresh tmpfs: worth a line.
TEST_F(TrustedPlacesTest, AStickyOneCanBeToldInstead) {
    TrustedPlaces places;
    const std::string path = make("sticky", 01777);
    EXPECT_TRUE(places.directory("log_dir", path, TrustedPlaces::Sticky::kTold));
    EXPECT_THAT(in_here(places.doubts()),
                ElementsAre(HasSubstr("log_dir: everybody may change what is in " + path)));
    EXPECT_FALSE(places.directory("log_dir", make("open", 0777), TrustedPlaces::Sticky::kTold));
}

TEST_F(TrustedPlacesTest, OneOfAnotherUserOrGroupIsRefused) {
    if (::geteuid() != 0) {
        GTEST_SKIP() << "needs root, to give files away";
    }
    const std::string theirs = make("theirs", 0755, kNobody);
    EXPECT_THAT(refusal(theirs), HasSubstr("run_dir: user 65534 may change what is in " + theirs));
    EXPECT_THAT(refusal(theirs), HasSubstr("chown 0 " + theirs));
    EXPECT_THAT(refusal(make("groups", 0775, 0, kNobody)), HasSubstr("group 65534 may change"));
    EXPECT_EQ(refusal(make("readers", 0755, 0, kNobody)), "");
    EXPECT_EQ(refusal(make("roots", 0775, 0, 0)), "");
}

TEST_F(TrustedPlacesTest, AFileInItsPlaceIsRefused) {
    const std::string path = base_.path() + "/file";
    std::ofstream{path} << "x";
    EXPECT_THAT(refusal(path), HasSubstr("run_dir: " + path));
    EXPECT_THAT(refusal(path + "/below"), HasSubstr("Not a directory"));
}

/// As /tmp: who may write there cannot move what is another's.
TEST_F(TrustedPlacesTest, ParentsMayBeStickyButNotOthers) {
    make("sticky", 01777);
    EXPECT_THAT(doubts(make("sticky/run", 0755)), IsEmpty());
    const std::string open = make("open", 0777);
    EXPECT_THAT(
        doubts(make("open/run", 0755)),
        ElementsAre(HasSubstr("run_dir: everybody may put something else in the place of what is "
                              "in " +
                              open)));
}

TEST_F(TrustedPlacesTest, AStickyParentOfAnotherUserIsTold) {
    if (::geteuid() != 0) {
        GTEST_SKIP() << "needs root, to give files away";
    }
    make("theirs", 01755, kNobody);
    EXPECT_THAT(doubts(make("theirs/run", 0755)), ElementsAre(HasSubstr("user 65534 may put")));
}

TEST_F(TrustedPlacesTest, ParentsBehindALinkAreLookedAt) {
    const std::string open = make("open", 0777);
    make("open/run", 0755);
    std::filesystem::create_directory_symlink(open + "/run", base_.path() + "/link");
    EXPECT_THAT(doubts(base_.path() + "/link"), ElementsAre(HasSubstr(open)));
}

TEST_F(TrustedPlacesTest, FilesThatOthersMayChangeAreTold) {
    const std::string path = base_.path() + "/cssd.conf";
    std::ofstream{path} << "x";
    ASSERT_EQ(::chmod(path.c_str(), 0644), 0);
    TrustedPlaces good;
    good.file("--config", path);
    good.file("nodes_file", base_.path() + "/missing");
    EXPECT_THAT(in_here(good.doubts()), IsEmpty());
    ASSERT_EQ(::chmod(path.c_str(), 0646), 0);
    TrustedPlaces bad;
    bad.file("--config", path);
    EXPECT_THAT(in_here(bad.doubts()),
                ElementsAre(HasSubstr("--config: everybody may change " + path + " (owner ")));
}

TEST_F(TrustedPlacesTest, OneLineForEachDirectoryAbove) {
    const std::string open = make("open", 0777);
    TrustedPlaces places;
    ASSERT_TRUE(places.directory("run_dir", open + "/run"));
    ASSERT_TRUE(places.directory("log_dir", open + "/log"));
    EXPECT_THAT(in_here(places.doubts()),
                ElementsAre(HasSubstr("log_dir, run_dir: everybody may put")));
}

}  // namespace
}  // namespace css::runtime
