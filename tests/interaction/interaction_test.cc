#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include <gtest/gtest.h>

#include "tests/interaction/script.h"

// Every *.txt beside this file is a story: commands, a line of dashes, what the cluster said.
// CSS_REWRITE=1 writes what it says now; the reviewer reads the difference.

namespace css::interaction {
namespace {

class Story : public ::testing::TestWithParam<std::filesystem::path> {};

TEST_P(Story, SaysWhatIsWritten) {
    std::ifstream in(GetParam());
    ASSERT_TRUE(in) << GetParam();
    std::stringstream text;
    text << in.rdbuf();
    const std::string told = retell(text.str());
    if (std::getenv("CSS_REWRITE") != nullptr) {
        std::ofstream(GetParam()) << told;
        return;
    }
    EXPECT_EQ(text.str(), told);
}

std::vector<std::filesystem::path> stories() {
    std::vector<std::filesystem::path> found;
    for (const auto& e : std::filesystem::directory_iterator(CSS_STORIES)) {
        if (e.path().extension() == ".txt" && e.path().filename() != "CMakeLists.txt") {
            found.push_back(e.path());
        }
    }
    std::sort(found.begin(), found.end());
    return found;
}

INSTANTIATE_TEST_SUITE_P(Interaction, Story, ::testing::ValuesIn(stories()), [](const auto& i) {
    return i.param.stem().string();
});

}  // namespace
}  // namespace css::interaction
