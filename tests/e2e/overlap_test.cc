#include "tests/e2e/harness/overlap.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

/// The checker of the end-to-end tests must be able to find what it looks for.
namespace css::e2e {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

Told record(const std::string& type, Nanos time, std::uint64_t incarnation, Members members) {
    return {.time = time,
            .type = type,
            .node = 0,
            .file = "",
            .incarnation = incarnation,
            .members = std::move(members),
            .reason = ""};
}

TEST(Overlap, EvictedNodeThatStopsInTimeIsFine) {
    EXPECT_THAT(find_violations({{1, {record("complete", 100, 2, {1})}}},
                                {{1, {{90, 1, 1}, {110, 1, 2}}}, {2, {{99, 2, 1}}}}),
                IsEmpty());
}

TEST(Overlap, ActingAfterCompletionIsASplitBrain) {
    EXPECT_THAT(find_violations({{1, {record("complete", 100, 2, {1})}}}, {{2, {{101, 2, 1}}}}),
                ElementsAre(HasSubstr("split brain: node 2")));
}

TEST(Overlap, LaterRecordsTokenIsFine) {
    EXPECT_THAT(find_violations({{1, {record("complete", 100, 2, {1})}}}, {{2, {{200, 2, 3}}}}),
                IsEmpty());
}

TEST(Overlap, TwoRecordsOfOneIncarnationAreADisagreement) {
    EXPECT_THAT(
        find_violations(
            {{1, {record("decided", 100, 2, {1})}}, {2, {record("decided", 100, 2, {2})}}}, {}),
        ElementsAre(HasSubstr("disagreement: record 2")));
}

TEST(Overlap, RecordsAndTokensDoNotGoBack) {
    EXPECT_THAT(
        find_violations({{1, {record("complete", 100, 3, {1}), record("complete", 110, 2, {1})}}},
                        {{1, {{90, 1, 3}, {95, 1, 2}}}}),
        ElementsAre(HasSubstr("went back from record 3 to 2"),
                    HasSubstr("token of node 1 went back from 3 to 2")));
}

}  // namespace
}  // namespace css::e2e
