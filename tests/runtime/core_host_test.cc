#include "cssd/runtime/core_host.h"

#include <vector>

#include <gtest/gtest.h>

namespace css::runtime {
namespace {

/// Writes down what it is given, in order.
class Recorder final : public Effects {
public:
    std::vector<std::string> order;
    std::vector<core::CycleOrder> cycles;
    std::vector<core::LeaseUpdate> leases;
    std::vector<core::Exit> exits;

    void tell_lease(const core::LeaseUpdate& lease) override {
        leases.push_back(lease);
        order.emplace_back("lease");
    }
    void order_cycle(core::CycleOrder cycle) override {
        cycles.push_back(std::move(cycle));
        order.emplace_back("cycle");
    }
    void send(const netbeat::Heartbeat& /*heartbeat*/) override { order.emplace_back("send"); }
    void fence(Instance /*victim*/) override { order.emplace_back("fence"); }
    void drain(Instance /*self*/) override { order.emplace_back("drain"); }
    void fence_self(const core::FenceSelf& /*order*/, Instance /*self*/) override {
        order.emplace_back("fence_self");
    }
    void complete(const Record& record, Instance self) override {
        EXPECT_EQ(self.node, NodeNumber{1});
        order.emplace_back("complete " + std::to_string(record.incarnation.value()));
    }
    void notice(const core::Notice& /*notice*/) override { order.emplace_back("notice"); }
    void end(const core::Exit& exit) override { exits.push_back(exit); }
    void wake_at(Instant /*at*/) override {}
};

core::ArbiterOptions options() {
    core::ArbiterOptions o;
    o.self = NodeNumber{1};
    o.configured = NodeSet::of(NodeNumber{1});
    o.slots_max = 2;
    o.genesis.files = FileSet::of(FileIndex{});
    o.former_gone = true;
    o.wall_seconds = 1000;
    return o;
}

TEST(CoreHost, WithoutACoreNothingIsTaken) {
    Recorder recorder;
    CoreHost host{recorder};
    EXPECT_FALSE(host.step(core::Tick{}));
    EXPECT_FALSE(host.status().has_value());
    host.file_opened(core::FileOpened{FileIndex{}});
    EXPECT_TRUE(recorder.order.empty());
}

TEST(CoreHost, AFileOpenedBeforeTheCoreIsToldToIt) {
    Recorder recorder;
    CoreHost host{recorder};
    host.file_opened(core::FileOpened{FileIndex{}});
    host.begin(options());
    ASSERT_EQ(recorder.cycles.size(), 1U);
    EXPECT_FALSE(recorder.cycles[0].own.has_value());  // The first cycle reads only.
}

// PROTOCOL 8: the next instance gets a file only when the former one's I/O there has ended.
TEST(CoreHost, ACycleOfAFormerInstanceHoldsTheFileBack) {
    Recorder recorder;
    CoreHost host{recorder};
    host.file_opened(core::FileOpened{FileIndex{}});
    host.begin(options());
    ASSERT_EQ(recorder.cycles.size(), 1U);
    ASSERT_TRUE(host.step(core::OperatorRequest{1, core::Leave{}}));
    ASSERT_EQ(recorder.exits.size(), 1U);
    EXPECT_FALSE(host.step(core::Tick{}));

    host.begin(options());
    EXPECT_EQ(recorder.cycles.size(), 1U);
    core::CycleFinished late{.file = FileIndex{}, .id = recorder.cycles[0].id, .slots = {}};
    late.outcome = core::CycleOutcome::kReadFailed;
    host.cycle_finished(late);
    ASSERT_EQ(recorder.cycles.size(), 2U);
    EXPECT_TRUE(host.step(core::Tick{}));
}

TEST(CoreHost, AnAcknowledgementOfAnotherInstanceIsIgnored) {
    Recorder recorder;
    CoreHost host{recorder};
    host.begin(options());
    const std::size_t before = recorder.order.size();
    host.lease_acknowledged(Instance{NodeNumber{1}, Unique{77}}, 5);
    EXPECT_EQ(recorder.order.size(), before);
}

}  // namespace
}  // namespace css::runtime
