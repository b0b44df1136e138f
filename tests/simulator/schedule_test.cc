#include "tests/simulator/schedule.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/simulator/options.h"
#include "tests/simulator/run.h"

namespace css::sim {
namespace {

std::string refusal(const std::string& text) {
    const Result<Options> run = read_schedule(text);
    return run ? "accepted" : run.error().message;
}

/// A schedule with its line that begins with `key` replaced.
std::string with(const std::string& key, const std::string& line) {
    std::string text = write_schedule(draw_options(4, {}));
    const std::size_t begin = text.find("\n" + key + " ") + 1;
    return text.replace(begin, text.find('\n', begin) - begin, line);
}

TEST(Schedule, IsTheSameRunAsText) {
    for (std::uint64_t seed = 1; seed <= 200; ++seed) {
        const Options drawn = draw_options(seed, {});
        const Result<Options> read = read_schedule(write_schedule(drawn));
        ASSERT_TRUE(read) << read.error().message;
        EXPECT_EQ(write_schedule(*read), write_schedule(drawn));
        EXPECT_EQ(read->schedule, drawn.schedule);
        EXPECT_EQ(read->palette, drawn.palette);
    }
    const Options drawn = draw_options(4, {});
    Counters counters;
    EXPECT_EQ(run_seed(*read_schedule(write_schedule(drawn)), counters, TraceMode::kOff).hash,
              run_seed(drawn, counters, TraceMode::kOff).hash);
}

TEST(Schedule, RefusesWhatItCannotRun) {
    using testing::HasSubstr;
    EXPECT_THAT(refusal(with("seed", "seed twelve")), HasSubstr(": 'seed twelve'"));
    EXPECT_THAT(refusal(with("stop-max", "stop-max 2.5")), HasSubstr("line "));
    EXPECT_THAT(refusal(with("fence", "fence softly")), HasSubstr("'fence softly'"));
    EXPECT_THAT(refusal(with("fault", "fault 1.000000000 cut-pair")), HasSubstr("fault AT KIND"));
    EXPECT_THAT(refusal(with("parameters", "parameters 30000 20000 3000")),
                HasSubstr("consistent"));
    EXPECT_THAT(refusal(with("weights", "weights 1")), HasSubstr("as many `weights`"));
    EXPECT_THAT(refusal(with("files", "files 2")), HasSubstr("odd count"));
    EXPECT_THAT(refusal(with("fault",
                             "fault 1.000000000 crash-host machines 9 1 file 1 for 1.000000000 "
                             "salt 1")),
                HasSubstr("not there"));
    EXPECT_THAT(refusal(""), HasSubstr("numbers"));
}

}  // namespace
}  // namespace css::sim
