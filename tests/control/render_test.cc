#include "cssd/runtime/render.h"

#include <cstdlib>
#include <ctime>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace css::runtime {
namespace {

using core::ConfirmRule;
using core::Notice;
using core::NoticeKind;
using core::StartRefusal;
using core::StopReason;
using std::chrono::milliseconds;
using testing::HasSubstr;

NodeSet nodes(std::initializer_list<unsigned> numbers) {
    NodeSet set;
    for (const unsigned n : numbers) {
        set.insert(NodeNumber{n});
    }
    return set;
}

class RenderTest : public testing::Test {
protected:
    RenderTest() {
        names_.self = NodeNumber{1};
        names_.nodes[NodeNumber{1}] = "rac1";
        names_.nodes[NodeNumber{2}] = "rac2";
        names_.files[FileIndex::from_index(0)] = "/dev/vote1";
        names_.trace_file = "/var/log/cssd/cssd.trc";
        when_ = {.boot = Instant{Duration{123'456}},
                 .wall = std::chrono::system_clock::from_time_t(1'795'254'324) + milliseconds{16}};
    }

    [[nodiscard]] std::string alerts(const Notice& n) const {
        std::string text;
        for (const auto& line : alert_lines(n, names_)) {
            text += (text.empty() ? "" : "\n") + line;
        }
        return text;
    }
    [[nodiscard]] std::string trace(const Notice& n) const {
        const TraceLine line = trace_line(n, names_);
        return std::string{config::name_of(line.level)} + " " + std::string{line.function} + ": " +
               line.text;
    }
    /// type node|- members|- : reason
    [[nodiscard]] std::string event(const Notice& n) const {
        const auto e = event_of(n, names_, when_);
        if (!e) {
            return "";
        }
        std::string members;
        for (const auto& member : e->members) {
            members += " " + member;
        }
        return e->type + (e->node.empty() ? "" : " " + e->node) +
               (e->file.empty() ? "" : " " + e->file) + " " + std::to_string(e->incarnation) +
               members + ": " + e->reason;
    }

    Names names_;
    When when_;
};

struct Golden {
    Notice notice;
    const char* alert;
    const char* trace;
    const char* event;
};

/// A notice about node 2 in incarnation 7.
Notice about(NoticeKind kind) {
    Notice n;
    n.kind = kind;
    n.node = NodeNumber{2};
    n.unique = Unique{42};
    n.incarnation = Incarnation{7};
    return n;
}

template <class Edit>
Notice with(NoticeKind kind, Edit edit) {
    Notice n = about(kind);
    edit(n);
    return n;
}

Notice own(NoticeKind kind, StopReason stop = StopReason::kNone, unsigned by = 0) {
    Notice n;
    n.kind = kind;
    n.stop = stop;
    n.incarnation = Incarnation{7};
    if (by != 0) {
        n.by = NodeNumber{by};
    }
    return n;
}

constexpr const char* kShutdown =
    "\nCRS-1655: CSSD on node rac1 detected a problem and started to shutdown.";

TEST_F(RenderTest, Links) {
    const auto suspect = [](unsigned percent) {
        return with(NoticeKind::kSuspect, [percent](Notice& n) {
            n.percent = percent;
            n.remaining = milliseconds{14'980};
            n.silent_for = milliseconds{15'020};
        });
    };
    EXPECT_EQ(alerts(suspect(50)),
              "CRS-1612: Network communication with node rac2 (2) missing for 50% of timeout "
              "interval.  Removal of this node from cluster in 14.980 seconds");
    EXPECT_THAT(alerts(suspect(75)), testing::StartsWith("CRS-1611: "));
    EXPECT_THAT(alerts(suspect(90)),
                HasSubstr("CRS-1610: Network communication with node rac2 (2) "
                          "missing for 90% of timeout"));
    EXPECT_EQ(trace(suspect(50)),
              "warning link: NHB node rac2 (2) not heard for 15020 ms, 50% of misscount; lost in "
              "14980 ms");
    EXPECT_EQ(event(suspect(50)),
              "suspect rac2 7: not heard for 15020 ms, 50% of misscount; lost in 14980 ms");
    const auto silent = [](Notice& n) { n.silent_for = milliseconds{27'000}; };
    for (const auto& [notice, alert, line, told] :
         {Golden{with(NoticeKind::kInDoubt, silent),
                 "",
                 "warning link: NHB node rac2 (2) in doubt, no echo for 27000 ms",
                 "in_doubt rac2 7: no echo for 27000 ms"},
          Golden{with(NoticeKind::kLinkLost, silent),
                 "",
                 "error link: NHB node rac2 (2) lost, no echo for 27000 ms",
                 "link_lost rac2 7: no echo for 27000 ms"},
          Golden{about(NoticeKind::kLinkRestored),
                 "",
                 "info link: NHB node rac2 (2) is heard and hears",
                 "link_restored rac2 7: it is heard and hears"}}) {
        EXPECT_EQ(alerts(notice), alert);
        EXPECT_EQ(trace(notice), line);
        EXPECT_EQ(event(notice), told);
    }
}

TEST_F(RenderTest, VotingFiles) {
    Notice warning;
    warning.kind = NoticeKind::kFileWarning;
    warning.percent = 50;
    warning.remaining = milliseconds{99'990};
    warning.silent_for = milliseconds{100'010};
    EXPECT_EQ(alerts(warning),
              "CRS-1615: No I/O has completed after 50% of the maximum interval. Voting file "
              "/dev/vote1 will be considered not functional in 99990 milliseconds");
    EXPECT_THAT(trace(warning),
                HasSubstr("DHB voting file /dev/vote1 had no complete cycle for "
                          "100010 ms, 50% of disktimeout"));
    EXPECT_EQ(event(warning), "");
    warning.percent = 75;
    EXPECT_THAT(alerts(warning), HasSubstr("CRS-1614: No I/O has completed after 75% of"));
    warning.percent = 90;
    EXPECT_THAT(alerts(warning), HasSubstr("CRS-1613: No I/O has completed after 90% of"));

    Notice offline = warning;
    offline.kind = NoticeKind::kFileOffline;
    EXPECT_EQ(alerts(offline),
              "CRS-1604: CSSD voting file is offline: /dev/vote1; details at (:CSSNM00058:) in "
              "/var/log/cssd/cssd.trc.");
    EXPECT_EQ(trace(offline),
              "error voting_file: (:CSSNM00058:)DHB voting file /dev/vote1 is offline, no complete "
              "cycle for 100010 ms");
    EXPECT_EQ(event(offline), "votedisk_offline /dev/vote1 0: no complete cycle for 100010 ms");

    Notice online;
    online.kind = NoticeKind::kFileOnline;
    EXPECT_EQ(alerts(online),
              "CRS-1605: CSSD voting file is online: /dev/vote1; details in "
              "/var/log/cssd/cssd.trc.");
    EXPECT_EQ(trace(online), "info voting_file: DHB voting file /dev/vote1 is online");
    EXPECT_EQ(event(online), "votedisk_online /dev/vote1 0: ");

    Notice quorum;
    quorum.kind = NoticeKind::kQuorumLost;
    quorum.available = 1;
    quorum.required = 2;
    EXPECT_EQ(alerts(quorum),
              "CRS-1606: The number of voting files available, 1, is less than the minimum number "
              "of voting files required, 2, resulting in CSSD termination to ensure data "
              "integrity; details at (:CSSNM00018:) in /var/log/cssd/cssd.trc");
    EXPECT_EQ(trace(quorum),
              "error quorum: (:CSSNM00018:)DHB 1 voting files available, 2 required");
    EXPECT_EQ(event(quorum), "");
}

TEST_F(RenderTest, Records) {
    const auto decided = [](Notice& n) {
        n.node = NodeNumber{};
        n.members = nodes({1, 2});
        n.by = NodeNumber{2};
        n.cause = RecordCause::kLinkLost;
    };
    const auto cause = [](Notice& n) { n.cause = RecordCause::kLinkLost; };
    const auto rule = [](Notice& n) { n.confirmed_by = ConfirmRule::kE2; };
    for (const auto& [notice, alert, line, told] :
         {Golden{with(NoticeKind::kBallotStarted, decided),
                 "",
                 "info ballot: RCFG incarnation 7 proposed with rac1 rac2: a network link was lost",
                 ""},
          Golden{with(NoticeKind::kDecided, decided),
                 "",
                 "info decided: RCFG incarnation 7 decided with rac1 rac2, proposed by rac2: a "
                 "network link was lost",
                 "decided 7 rac1 rac2: a network link was lost; proposed by rac2"},
          Golden{with(NoticeKind::kComplete, decided),
                 "CRS-1601: CSSD Reconfiguration complete. Active nodes are rac1 rac2 .",
                 "info complete: RCFG incarnation 7 complete with rac1 rac2",
                 "complete 7 rac1 rac2: every instance no longer listed has stopped"},
          Golden{about(NoticeKind::kJoined),
                 "",
                 "info joined: RCFG node rac2 (2) unique 42 joined in incarnation 7",
                 "joined rac2 7: "},
          Golden{about(NoticeKind::kLeft),
                 "CRS-1625: Node rac2, number 2, was shut down",
                 "info left: RCFG node rac2 (2) unique 42 left",
                 "left rac2 7: it left cleanly"},
          Golden{with(NoticeKind::kEvict, cause),
                 "CRS-1607: Node rac2 is being evicted in cluster incarnation 7; details at "
                 "(:CSSNM00007:) in /var/log/cssd/cssd.trc.",
                 "warning evict: (:CSSNM00007:)RCFG evicting node rac2 (2) unique 42 in "
                 "incarnation 7: a network link was lost",
                 "evict rac2 7: a network link was lost"},
          Golden{with(NoticeKind::kEvictConfirmed, rule),
                 "",
                 "info evict: RCFG node rac2 (2) unique 42 has stopped: a later instance of it was "
                 "seen (E2)",
                 "evict_confirmed rac2 7: a later instance of it was seen (E2)"},
          Golden{with(NoticeKind::kParameter, [](Notice& n) { n.node = NodeNumber{}; }),
                 "",
                 "info parameter: RCFG incarnation 7 sets misscount 30, disktimeout 200, "
                 "reboottime 3",
                 "parameter 7: misscount 30, disktimeout 200, reboottime 3"}}) {
        EXPECT_EQ(alerts(notice), alert);
        EXPECT_EQ(trace(notice), line);
        EXPECT_EQ(event(notice), told);
    }
}

TEST_F(RenderTest, OwnStart) {
    Notice refused;
    refused.start = StartRefusal::kNoMajority;
    EXPECT_EQ(alerts(refused),
              "CRS-1714: Unable to discover any voting files, retrying discovery in 15 seconds; "
              "Details at (:CSSNM00070:) in /var/log/cssd/cssd.trc");
    EXPECT_EQ(trace(refused),
              "warning start: (:CSSNM00070:)DHB slot not taken: too few voting files can be read");
    refused.start = StartRefusal::kSlotMoves;
    EXPECT_EQ(alerts(refused),
              "This node does not take its slot yet: another daemon with this node number writes "
              "the slot; details at (:CSSNM00070:) in /var/log/cssd/cssd.trc.");
    Notice started;
    started.kind = NoticeKind::kInstanceStarted;
    started.unique = Unique{42};
    EXPECT_EQ(trace(started), "info start: DHB slot taken, unique 42");
    EXPECT_EQ(trace(own(NoticeKind::kActive)),
              "info lease: LHB guardians armed; this node may act, token 7");
    EXPECT_EQ(alert_started(), "CRS-1713: CSSD daemon is started in clustered mode");
    EXPECT_EQ(alert_stopped("rac1"), "CRS-1603: CSSD on node rac1 has been shut down.");
}

TEST_F(RenderTest, OwnEnd) {
    const std::string cut_off =
        "CRS-1609: This node is unable to communicate with other nodes in the cluster and is going "
        "down to preserve cluster integrity; details at (:CSSNM00008:) in "
        "/var/log/cssd/cssd.trc.";
    const std::string fatal =
        "CRS-1656: The CSS daemon is terminating due to a fatal error; Details at (:CSSSC00012:) "
        "in "
        "/var/log/cssd/cssd.trc";
    const Notice evicted = own(NoticeKind::kLeaseLost, StopReason::kEvicted, 2);
    EXPECT_EQ(alerts(evicted),
              std::string{"CRS-1608: This node was evicted by node 2, rac2; details at "
                          "(:CSSNM00005:) in /var/log/cssd/cssd.trc."} +
                  kShutdown);
    EXPECT_EQ(trace(evicted),
              "error stop: (:CSSNM00005:)LHB this instance stops: a newer record does not list "
              "this instance by rac2");
    EXPECT_EQ(event(evicted),
              "lease_lost rac1 7: a newer record does not list this instance by "
              "rac2");
    EXPECT_EQ(alerts(own(NoticeKind::kLeaseLost, StopReason::kLeaseLapsed)), cut_off + kShutdown);
    EXPECT_EQ(alerts(own(NoticeKind::kLeaseLost, StopReason::kKilled)), cut_off + kShutdown);
    for (const auto stop :
         {StopReason::kReplaced, StopReason::kSlotTaken, StopReason::kGuardianLost}) {
        EXPECT_EQ(alerts(own(NoticeKind::kLeaseLost, stop)), fatal + kShutdown);
    }
    Notice disks = own(NoticeKind::kLeaseLost, StopReason::kLeaseLapsed);
    disks.available = 1;
    disks.required = 2;
    EXPECT_EQ(alerts(disks),
              "CRS-1606: The number of voting files available, 1, is less than the minimum number "
              "of voting files required, 2, resulting in CSSD termination to ensure data "
              "integrity; details at (:CSSNM00018:) in /var/log/cssd/cssd.trc" +
                  std::string{kShutdown});
    EXPECT_EQ(trace(own(NoticeKind::kLeaseLost, StopReason::kLeaseLapsed)),
              "error stop: (:CSSNM00008:)LHB this instance stops: its lease has ended");
    EXPECT_EQ(event(own(NoticeKind::kFenced)), "fenced rac1 7: every client is gone");
}

/// Every tag that an alert line points to stands in the trace line of the same notice.
TEST_F(RenderTest, EveryTagOfAnAlertIsInTheTrace) {
    for (std::uint8_t kind = 0; kind <= core::kNoticeKindMax; ++kind) {
        Notice n = about(static_cast<NoticeKind>(kind));
        n.stop = StopReason::kEvicted;
        n.by = NodeNumber{2};
        const TraceLine line = trace_line(n, names_);
        EXPECT_FALSE(line.text.empty()) << int{kind};
        EXPECT_FALSE(line.function.empty()) << int{kind};
        EXPECT_THAT(line.text, testing::ContainsRegex("NHB|DHB|LHB|RCFG")) << int{kind};
        for (const auto& alert : alert_lines(n, names_)) {
            const auto tag = alert.find("(:");
            if (tag != std::string::npos) {
                const auto end = alert.find(":)", tag);
                EXPECT_THAT(line.text, HasSubstr(alert.substr(tag, end + 2 - tag)));
            }
        }
    }
}

TEST_F(RenderTest, EventsGoThroughJsonUnchanged) {
    ::setenv("TZ", "UTC", 1);
    ::tzset();
    Notice n = about(NoticeKind::kDecided);
    n.members = nodes({1, 2});
    n.cause = RecordCause::kJoin;
    const auto event = event_of(n, names_, when_);
    ASSERT_TRUE(event);
    const auto document = to_json(*event);
    EXPECT_EQ(document.dump(),
              R"({"boottime_ns":123456,"incarnation":7,"members":["rac1","rac2"],"node":"rac2",)"
              R"("reason":"a node joins","time":"2026-11-21T09:45:24.016Z","type":"decided"})");
    const auto back = event_from_json(document);
    ASSERT_TRUE(back);
    EXPECT_EQ(to_json(*back), document);
    EXPECT_EQ(to_text(*back), "2026-11-21 09:45:24.016  7  decided rac2 [rac1 rac2]: a node joins");
    for (const auto* const field : {"time", "boottime_ns", "incarnation", "members", "type"}) {
        auto broken = document;
        broken[field] = nullptr;
        EXPECT_FALSE(event_from_json(broken)) << field;
    }
    EXPECT_FALSE(event_from_json(nlohmann::json::array()));
}

}  // namespace
}  // namespace css::runtime
