#pragma once

#include <span>
#include <string_view>

#include "cssd/base/mutation.h"
#include "tests/simulator/options.h"

namespace css::sim {

/// Whether the audit (audit.h) is needed to notice it: no invariant of PROTOCOL 9 is broken by this
/// rule alone, or not for longer than a moment.
enum class Audited : std::uint8_t { kNo, kYes };

/// How to reach what a broken rule does: the rule's name and place in PROTOCOL, and the runs that
/// come near it.
struct Directed {
    Mutation mutation = Mutation::kNone;
    std::string_view name;
    std::string_view rule;  ///< Section of PROTOCOL.
    void (*shape)(Options&) = nullptr;
    Audited audited = Audited::kNo;
    std::uint64_t first = 1;  ///< Where the test begins: not far before a seed that catches it.
};

/// In the order of the enumeration, without kNone.
[[nodiscard]] std::span<const Directed> all_directed();
[[nodiscard]] const Directed& directed(Mutation mutation);
void direct(Mutation mutation, Options& options);

}  // namespace css::sim
