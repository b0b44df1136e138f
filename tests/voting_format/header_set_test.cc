#include <functional>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/voting_format/samples.h"
#include "voting/format/format.h"
#include "voting/format/header.h"

/// Which configured files belong together (compare_headers): a truth table.
namespace css::voting {
namespace {

using testing::HasSubstr;

std::vector<HeaderAt> good_set(std::size_t count = 3) {
    NewSet set = samples::new_set(512);
    set.files.clear();
    for (std::size_t i = 0; i < count; ++i) {
        set.files.push_back({samples::bytes16(static_cast<std::uint8_t>(0x40 + 8 * i))});
    }
    std::vector<HeaderAt> files;
    for (const Header& header : headers_of(set)) {
        files.push_back(
            {"/dev/v" + std::to_string(files.size() + 1), SectorVerdict::kValid, header});
    }
    return files;
}

/// The set of `files` with one more file added, as generation 2 writes it into every header.
void add_generation(Header& header) {
    header.generation += 1;
    header.table[9] = {{samples::bytes16(0xC0)}, true};
}

struct Case {
    const char* name;
    std::function<void(std::vector<HeaderAt>&)> change;
    std::vector<std::string> reason;  ///< Parts of the error; none: accepted.
    std::string usable = "";          ///< Of an accepted set, one character a file: place or '-'.
};

// A label that gtest can print.
void PrintTo(const Case& c, std::ostream* out) {
    *out << c.name;
}

const Case kCases[] = {
    {"AllGood", [](auto&) {}, {}, "012"},
    {"OtherOrder", [](auto& f) { std::swap(f[0], f[2]); }, {}, "210"},
    {"OneFile", [](auto& f) { f = good_set(1); }, {}, "0"},
    {"FifteenFiles", [](auto& f) { f = good_set(15); }, {}, "0123456789abcde"},
    {"NoFile", [](auto& f) { f.clear(); }, {"0 voting files", "odd count from 1 to 15"}},
    {"TwoFiles", [](auto& f) { f.pop_back(); }, {"2 voting files", "odd count from 1 to 15"}},
    {"SeventeenFiles",
     [](auto& f) {
         f = good_set(15);
         f.push_back(f[0]);
         f.push_back(f[1]);
     },
     {"17 voting files", "odd count from 1 to 15"}},
    {"OneNotRead", [](auto& f) { f[1].verdict = SectorVerdict::kNotRead; }, {}, "0-2"},
    {"TwoDamaged",
     [](auto& f) {
         f[1].verdict = SectorVerdict::kBadChecksum;
         f[2].verdict = SectorVerdict::kBadMagic;
     },
     {},
     "0--"},
    {"NoneReadable",
     [](auto& f) {
         for (HeaderAt& at : f) {
             at.verdict = SectorVerdict::kBadMagic;
         }
     },
     {"/dev/v1", "bad magic", "votefile create"}},
    {"ForeignName",
     [](auto& f) {
         f[2].header.cluster_name = "borea";
         f[2].header.cluster = {samples::bytes16(0x99)};
     },
     {"/dev/v3", "'borea'", "'atlas'"}},
    {"AllForeign",
     [](auto& f) {
         for (HeaderAt& at : f) {
             at.header.cluster_name = "borea";
         }
     },
     {"/dev/v1", "'borea'", "'atlas'"}},
    {"MixedGuidFirst",
     [](auto& f) { f[0].header.cluster = {samples::bytes16(0x99)}; },
     {"/dev/v1 belongs to another cluster", "999a9b", "/dev/v2 has GUID 101112"}},
    {"MixedGuidLast",
     [](auto& f) { f[2].header.cluster = {samples::bytes16(0x99)}; },
     {"/dev/v3 belongs to another cluster"}},
    {"OtherSectorSize",
     [](auto& f) { f[1].header.sector_size = 4096; },
     {"/dev/v2", "4096", "/dev/v1 has 512"}},
    {"SameFileTwice",
     [](auto& f) { f[2].header.file = f[0].header.file; },
     {"/dev/v3", "/dev/v1", "each file once"}},
    {"CopyOfAnotherGeneration",
     [](auto& f) {
         f[2].header = f[0].header;
         add_generation(f[2].header);
     },
     {"/dev/v3", "/dev/v1", "each file once"}},
    {"OtherParameters",
     [](auto& f) { f[1].header.parameters.misscount = std::chrono::seconds{31}; },
     {"/dev/v2", "/dev/v1", "generation 1"}},
    {"OtherTable",
     [](auto& f) {
         f[2].header.table[7] = {{samples::bytes16(1)}, true};
     },
     {"/dev/v3", "contradict"}},
    {"OtherFilesInForce",
     [](auto& f) { f[0].header.files = FileSet{0b001}; },
     {"/dev/v2 and /dev/v1 contradict"}},
    {"OtherSlotsMax", [](auto& f) { f[1].header.slots_max = 8; }, {"/dev/v2", "contradict"}},
    {"AllNewGeneration",
     [](auto& f) {
         for (HeaderAt& at : f) {
             add_generation(at.header);
         }
     },
     {},
     "012"},
    {"OneNewer", [](auto& f) { add_generation(f[1].header); }, {}, "012"},
    {"TwoNewer",
     [](auto& f) {
         add_generation(f[0].header);
         add_generation(f[2].header);
     },
     {},
     "012"},
    {"ThreeGenerations",
     [](auto& f) {
         add_generation(f[1].header);
         add_generation(f[2].header);
         add_generation(f[2].header);
     },
     {},
     "012"},
    {"OneNewerWithoutTheThird",
     [](auto& f) {
         add_generation(f[1].header);
         f[1].header.table[2].in_use = false;
         f[1].header.files = FileSet{0b001};
     },
     {},
     "01-"},
    {"NewerOneHasAnotherFileThere",
     [](auto& f) {
         add_generation(f[0].header);
         f[0].header.table[2].uid = {samples::bytes16(0xE0)};
     },
     {},
     "01-"},
    {"NewerOneNotReadable",
     [](auto& f) {
         add_generation(f[1].header);
         f[1].verdict = SectorVerdict::kNotRead;
     },
     {},
     "0-2"},
    {"TakenOutOfTheSet",
     [](auto& f) {
         for (HeaderAt& at : f) {
             at.header.table[2].in_use = false;
             at.header.files = FileSet{0b001};
         }
     },
     {},
     "01-"},
    {"WipedAndFormattedAgain",
     [](auto& f) { f[1].header.file = {samples::bytes16(0xD0)}; },
     {},
     "0-2"},
};

class CompareHeaders : public testing::TestWithParam<Case> {};
INSTANTIATE_TEST_SUITE_P(Table, CompareHeaders, testing::ValuesIn(kCases), [](const auto& row) {
    return row.param.name;
});

TEST_P(CompareHeaders, Row) {
    std::vector<HeaderAt> files = good_set();
    GetParam().change(files);
    const Result<HeaderSet> set = compare_headers("atlas", files);
    if (!GetParam().reason.empty()) {
        ASSERT_FALSE(set.has_value());
        for (const std::string& part : GetParam().reason) {
            EXPECT_THAT(set.error().message, HasSubstr(part));
        }
        EXPECT_EQ(set.error().message.find('\n'), std::string::npos);
        return;
    }
    ASSERT_TRUE(set.has_value()) << set.error().message;
    std::string usable;
    for (std::size_t i = 0; i < files.size(); ++i) {
        const HeaderSet::File& file = set->files[i];
        usable += file.index ? "0123456789abcde"[file.index->index()] : '-';
        if (file.index) {
            EXPECT_EQ(file.reason, "");
        } else {
            EXPECT_THAT(file.reason, HasSubstr(files[i].path));
        }
    }
    EXPECT_EQ(usable, GetParam().usable);
}

TEST(MatchHeaders, TakesAnyPartOfASet) {
    std::vector<HeaderAt> files = good_set();
    files.erase(files.begin());
    const Result<HeaderSet> set = match_headers("atlas", files);
    ASSERT_TRUE(set.has_value());
    EXPECT_EQ(set->files[1].index, FileIndex::from_index(2));
    EXPECT_EQ(set->newest.files.count(), 3U);
}

}  // namespace
}  // namespace css::voting
