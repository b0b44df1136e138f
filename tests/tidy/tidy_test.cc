#include <filesystem>
#include <fstream>
#include <iterator>

#include <gtest/gtest.h>

#include "tests/tidy/rules.h"

namespace css::tidy {
namespace {

namespace fs = std::filesystem;

std::vector<fs::path> sources() {
    std::vector<fs::path> found;
    for (const char* folder : {"cssd", "voting", "netbeat", "kill_block", "tools", "tests"}) {
        for (const auto& entry :
             fs::recursive_directory_iterator{fs::path{CSS_SOURCE_DIR} / folder}) {
            const std::string extension = entry.path().extension().string();
            if (extension == ".cc" || extension == ".h" || extension == ".c") {
                found.push_back(entry.path());
            }
        }
    }
    return found;
}

TEST(Tidy, EverySourceFileKeepsTheRules) {
    const auto files = sources();
    ASSERT_GT(files.size(), 100U);
    for (const fs::path& file : files) {
        std::ifstream stream{file, std::ios::binary};
        const std::string text{std::istreambuf_iterator<char>{stream}, {}};
        for (const Finding& finding : check(fs::relative(file, CSS_SOURCE_DIR).string(), text)) {
            ADD_FAILURE() << finding.path << ':' << finding.line << ": " << finding.what;
        }
    }
}

std::size_t count(const std::string& path, const std::string& text) {
    return check(path, text).size();
}

TEST(Tidy, RulesFindWhatTheyForbid) {
    const std::string clock = "auto t = std::chrono::steady_clock::now();\n";
    EXPECT_EQ(count("cssd/core/a.cc", clock), 1U);
    EXPECT_EQ(count("cssd/runtime/a.cc", clock), 0U);
    EXPECT_EQ(count("cssd/core/a.cc", "// no steady_clock here\n"), 0U);
    EXPECT_EQ(count("cssd/runtime/a.cc",
                    "    ass"
                    "ert(x);\n"),
              1U);
    EXPECT_EQ(count("cssd/runtime/a.cc",
                    "    static_ass"
                    "ert(x);\n"),
              0U);
    EXPECT_EQ(count("voting/quorum/a.h", "#pragma once\n"), 0U);
    EXPECT_EQ(count("voting/quorum/a.h", "int x;\n"), 1U);
    EXPECT_EQ(count("tools/a.cc", std::string(101, 'x') + "\n"), 1U);
    EXPECT_EQ(count("tools/a.cc",
                    "x = 1;  // FIX"
                    "ME later\n"),
              1U);
    EXPECT_EQ(count("tools/a.cc", "int x;"), 1U);
    EXPECT_EQ(count("tools/a.cc", "#include \"b.h\"\n#include \"tools/a.h\"\n"), 1U);
    EXPECT_EQ(count("tools/a.cc", "#include \"tools/a.h\"\n#include \"b.h\"\n"), 0U);
}

}  // namespace
}  // namespace css::tidy
