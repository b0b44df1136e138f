#include "cssd/runtime/requests.h"

#include <optional>

#include <gtest/gtest.h>

namespace css::runtime {
namespace {

using core::RequestResult;
using Ends = Requests::Ends;

TEST(Requests, OneThatEndsByNoticeIsAnsweredOnce) {
    Requests requests;
    std::optional<RequestResult> answer;
    const auto id = requests.add(Ends::kByNotice, [&](RequestResult r) { answer = r; });
    requests.finish(id + 1, RequestResult::kDone);
    EXPECT_FALSE(answer.has_value());
    requests.finish(id, RequestResult::kBusy);
    EXPECT_EQ(answer, RequestResult::kBusy);
    requests.abandon();
    EXPECT_EQ(answer, RequestResult::kBusy);
}

TEST(Requests, LeavingIsAnsweredWhenTheInstanceHasLeft) {
    Requests requests;
    std::optional<RequestResult> answer;
    std::optional<RequestResult> other;
    const auto id = requests.add(Ends::kByLeaving, [&](RequestResult r) { answer = r; });
    static_cast<void>(requests.add(Ends::kByNotice, [&](RequestResult r) { other = r; }));
    requests.finish(id, RequestResult::kDone);  // StopClusterNodes: the others have left.
    EXPECT_FALSE(answer.has_value());
    requests.leave();
    EXPECT_EQ(answer, RequestResult::kDone);
    EXPECT_EQ(other, RequestResult::kStopped);
}

TEST(Requests, LeavingThatEndedOtherwiseIsNoSuccess) {
    Requests requests;
    std::optional<RequestResult> answer;
    static_cast<void>(requests.add(Ends::kByLeaving, [&](RequestResult r) { answer = r; }));
    requests.abandon();
    EXPECT_EQ(answer, RequestResult::kStopped);
}

TEST(Requests, OneThatIsWithdrawnIsNeverAnswered) {
    Requests requests;
    const auto id = requests.add(Ends::kByNotice, [](RequestResult) { FAIL(); });
    requests.withdraw(id);
    requests.finish(id, RequestResult::kDone);
    requests.abandon();
}

}  // namespace
}  // namespace css::runtime
