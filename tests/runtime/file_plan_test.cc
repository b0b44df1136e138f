#include "cssd/runtime/file_plan.h"

#include <gtest/gtest.h>

/// Which file has which place, by headers, hints and the newest record (PROTOCOL 3 and 7).
namespace css::runtime {
namespace {

using voting::Header;

FileUid uid(unsigned number) {
    FileUid file;
    file.bytes.fill(static_cast<std::byte>(number));
    return file;
}

/// A file of a set of three, whose FUIDs are uid(1) to uid(3), at "/v1" to "/v3".
FileSeen seen(unsigned number) {
    FileSeen file;
    file.at.path = "/v" + std::to_string(number);
    file.at.verdict = SectorVerdict::kValid;
    Header& h = file.at.header;
    h.cluster.bytes.fill(std::byte{0xC1});
    h.cluster_name = "atlas";
    h.file = uid(number);
    for (unsigned i = 0; i < 3; ++i) {
        h.table[i] = {uid(i + 1), true};
        h.files.insert(FileIndex::from_index(i));
    }
    return file;
}

std::vector<FileSeen> first_set() {
    return {seen(1), seen(2), seen(3)};
}

/// From three files to `files`, at the places 0 to 4, of which some exist: uid(n) at place n - 1.
Record record(FileSet files, FileSet next, std::uint64_t generation) {
    Record r;
    r.incarnation = Incarnation{9};
    r.files = files;
    r.files_next = next;
    r.files_generation = generation;
    for (const FileIndex f : files | next) {
        r.file_tags[f] = voting::tag_of(uid(static_cast<unsigned>(f.index()) + 1));
    }
    return r;
}

FilePlan plan(const std::vector<FileSeen>& files, const Record* newest = nullptr) {
    const Result<FilePlan> plan = plan_files("atlas", files, newest);
    EXPECT_TRUE(plan) << plan.error().message;
    return *plan;
}

/// `012` for the places of the files, `-` for none.
std::string places(const FilePlan& plan) {
    std::string text;
    for (const FilePlan::Place& place : plan.of) {
        text += place.index ? std::to_string(place.index->index()) : "-";
    }
    return text;
}

TEST(FilePlan, TheHeadersSayWhichPlace) {
    const FilePlan p = plan(first_set());
    EXPECT_EQ(places(p), "012");
    EXPECT_TRUE(p.missing.empty());
}

TEST(FilePlan, AFileThatNoPathIsKnownForIsMissing) {
    std::vector<FileSeen> files = first_set();
    files.pop_back();
    const FilePlan p = plan(files);
    ASSERT_EQ(p.missing.size(), 1U);
    EXPECT_EQ(p.missing[0].file, uid(3));
    EXPECT_EQ(p.missing[0].path, "");
}

TEST(FilePlan, ALostPathOfTheConfigurationIsNotLookedForElsewhere) {
    std::vector<FileSeen> files = first_set();
    files[0].hints[2] = {uid(3), "/another/way/to/v3"};
    files[2].at.verdict = SectorVerdict::kNotRead;
    EXPECT_TRUE(plan(files).missing.empty());
    files[2].configured = false;  // A learned one may have another path by now.
    EXPECT_EQ(plan(files).missing.size(), 1U);
}

TEST(FilePlan, AHintSaysWhereItIs) {
    std::vector<FileSeen> files = first_set();
    files.pop_back();
    files[0].hints[2] = {uid(3), "/elsewhere"};
    const FilePlan p = plan(files);
    ASSERT_EQ(p.missing.size(), 1U);
    EXPECT_EQ(p.missing[0].path, "/elsewhere");
}

TEST(FilePlan, AHintForAnotherFileSaysNothing) {
    std::vector<FileSeen> files = first_set();
    files.pop_back();
    files[0].hints[2] = {uid(8), "/former"};
    EXPECT_EQ(plan(files).missing.at(0).path, "");
}

TEST(FilePlan, AFileThatIsOfferedHasAPlaceBeforeAnyRecordNamesIt) {
    std::vector<FileSeen> files = first_set();
    files[0].hints[3] = {uid(4), "/v4"};
    const FilePlan before = plan(files);
    ASSERT_EQ(before.missing.size(), 1U);
    EXPECT_EQ(before.missing[0].path, "/v4");
    FileSeen offered = seen(4);
    offered.configured = false;
    files.push_back(offered);
    EXPECT_EQ(places(plan(files)), "0123");
}

TEST(FilePlan, OfTwoOffersForOnePlaceMostFilesDecide) {
    std::vector<FileSeen> files = first_set();
    files[0].hints[3] = {uid(5), "/v5"};
    files[1].hints[3] = {uid(4), "/v4"};
    files[2].hints[3] = {uid(4), "/v4"};
    EXPECT_EQ(plan(files).missing.at(0).path, "/v4");
}

TEST(FilePlan, TheRecordComesBeforeTheHeaders) {
    std::vector<FileSeen> files = first_set();
    FileSeen added = seen(4);
    added.configured = false;
    files.push_back(added);
    EXPECT_EQ(places(plan(files)), "012-");
    const Record joint = record(FileSet{0b0111}, FileSet{0b1011}, 2);
    EXPECT_EQ(places(plan(files, &joint)), "0123");
    const Record alone = record(FileSet{0b1011}, FileSet{}, 3);
    files[2].place = FileIndex::from_index(2);
    const FilePlan p = plan(files, &alone);
    EXPECT_EQ(places(p), "01-3");
    EXPECT_TRUE(p.of[2].retired);
    EXPECT_TRUE(p.in_force.reached_by(FileSet{0b1001}));
}

TEST(FilePlan, AnotherFileAtAPlaceOfTheRecordHasNone) {
    std::vector<FileSeen> files = first_set();
    Record r = record(FileSet{0b0111}, FileSet{}, 1);
    r.file_tags[FileIndex::from_index(2)] = FileTag{12345};
    const FilePlan p = plan(files, &r);
    EXPECT_EQ(places(p), "01-");
    ASSERT_EQ(p.missing.size(), 1U);
    EXPECT_EQ(p.missing[0].tag, FileTag{12345});
}

TEST(FilePlan, HeadersThatAreNewerThanTheRecordAreBelieved) {
    std::vector<FileSeen> files = first_set();
    Header& newer = files[0].at.header;
    newer.generation = 3;
    newer.table[2] = {};
    newer.table[3] = {uid(4), true};
    newer.files = FileSet{0b1011};
    files[0].hints[3] = {uid(4), "/v4"};
    const Record old = record(FileSet{0b0111}, FileSet{}, 1);
    const FilePlan p = plan(files, &old);
    EXPECT_EQ(places(p), "012") << "the record still needs the third";
    EXPECT_EQ(p.missing.at(0).path, "/v4");
}

TEST(FilePlan, ALearnedPathToAKnownFileIsLeftAlone) {
    std::vector<FileSeen> files = first_set();
    FileSeen twice = seen(2);
    twice.at.path = "/by-another-name";
    twice.configured = false;
    files.push_back(twice);
    const FilePlan p = plan(files);
    EXPECT_EQ(places(p), "012-");
    EXPECT_NE(p.of[3].reason.find("the same voting file as /v2"), std::string::npos);
}

TEST(FilePlan, HintsOnFilesWithAnOldHeaderDoNotCount) {
    std::vector<FileSeen> files = first_set();
    for (std::size_t i = 0; i < 2; ++i) {
        files[i].at.header.generation = 2;
        files[i].at.header.table[2] = {};
        files[i].at.header.files = FileSet{0b001};
    }
    files[2].hints[2] = {uid(3), "/v3"};  // It left the set and was not told.
    const FilePlan p = plan(files);
    EXPECT_EQ(places(p), "01-");
    EXPECT_TRUE(p.missing.empty());
}

// ------------------------------------------------------------------------- headers to be written

core::HeaderOrder order(FileSet files, FileSet in_use) {
    core::HeaderOrder o;
    o.generation = 2;
    o.files = files;
    o.in_use = in_use;
    for (const FileIndex f : in_use) {
        o.tags[f] = voting::tag_of(uid(static_cast<unsigned>(f.index()) + 1));
    }
    return o;
}

TEST(FilePlan, AnOrderedHeaderNamesEveryFileWhole) {
    std::vector<FileSeen> files = first_set();
    files.push_back(seen(4));
    files[0].hints[4] = {uid(5), "/v5"};
    const auto region = region_of(order(FileSet{0b11011}, FileSet{0b11111}), files, plan(files));
    ASSERT_TRUE(region);
    EXPECT_EQ(region->header.generation, 2U);
    EXPECT_EQ(region->header.files, FileSet{0b11011});
    for (unsigned i = 0; i < 5; ++i) {
        EXPECT_EQ(region->header.table[i], (voting::TableEntry{uid(i + 1), true}));
    }
    EXPECT_EQ(region->hints[3], (voting::PathHint{uid(4), "/v4"}));
    EXPECT_EQ(region->hints[4], voting::PathHint{}) << "it stands there already";
}

TEST(FilePlan, AnOrderedHeaderWithAnUnknownTagIsNotMade) {
    const std::vector<FileSeen> files = first_set();
    EXPECT_FALSE(region_of(order(FileSet{0b1011}, FileSet{0b1111}), files, plan(files)));
}

TEST(FilePlan, HintsThatGotLostAreLacking) {
    std::vector<FileSeen> files = first_set();
    files.push_back(seen(4));  // In no set.
    for (std::size_t i = 0; i < files.size(); ++i) {
        files[i].place = FileIndex::from_index(i);
        files[i].at.header.generation = 2;
    }
    files[0].hints[0] = {uid(1), "/elsewhere"};
    files[0].hints[1] = {uid(9), "/v2"};
    files[2].place.reset();  // Not open.
    const Record newest = record(FileSet{0b111}, {}, 2);
    voting::PathHints lacking;
    lacking[1] = {uid(2), "/v2"};
    EXPECT_EQ(hints_lacking(files[0], files, newest), lacking);
    files[0].at.header.generation = 3;
    EXPECT_EQ(hints_lacking(files[0], files, newest), voting::PathHints{}) << "this node is behind";
}

}  // namespace
}  // namespace css::runtime
