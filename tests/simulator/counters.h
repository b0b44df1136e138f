#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "cssd/base/record.h"
#include "cssd/core/notice.h"
#include "tests/simulator/fault_kind.h"

namespace css::sim {

/// How often what was reached. Plain words only: a campaign keeps one per worker in memory that
/// the worker shares with its parent, so that what a crashed worker counted is not lost.
struct Counters {
    std::array<std::uint64_t, core::kNoticeKindMax + 1> notices{};
    std::array<std::uint64_t, 9> confirm_rules{};
    std::array<std::uint64_t, 7> stop_reasons{};
    std::array<std::uint64_t, 7> start_refusals{};
    std::array<std::uint64_t, kRecordCauseMax + 1> triggers{};  ///< By RecordCause, of decisions.
    std::array<std::uint64_t, 9> request_results{};             ///< By RequestResult.
    std::array<std::uint64_t, kFaultKinds> faults{};
    std::array<std::uint64_t, kDiskEffects> disk_effects{};
    std::array<std::uint64_t, 3> exits{};
    std::uint64_t runs = 0;
    std::uint64_t steps = 0;
    std::uint64_t events = 0;
    std::uint64_t cycles = 0;
    std::uint64_t datagrams = 0;
    std::uint64_t simulated_ns = 0;
    std::uint64_t host_fences = 0;
    std::uint64_t completions_told = 0;
    std::uint64_t recoveries_long = 0;  ///< Recovered, but only after the short bound.
    std::uint64_t partitions_checked = 0;
    std::uint64_t evictions_checked = 0;
    std::uint64_t out_of_scope = 0;           ///< Runs that ended where no promise is made.
    std::uint64_t recovery_permille_max = 0;  ///< Longest recovery, of its bound.
};

/// `b` added to `a` (the maximum where it is one).
void add(Counters& a, const Counters& b);
void print(const Counters& counters);
/// `group TAB name TAB count`, a line each; of the group `most` the largest counts, not the sum.
std::string text_of(const Counters& counters);

}  // namespace css::sim
