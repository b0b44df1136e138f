#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "tests/e2e/harness/events.h"

/// The invariants of PROTOCOL 9 that can be judged from outside the nodes.
namespace css::e2e {

/// A line `boottime_ns node token` of a test client: it acted then, with that token.
struct Acted {
    Nanos time = 0;
    unsigned node = 0;
    std::uint64_t token = 0;
};
/// A last line without its end is left out: the client was killed while it wrote.
std::vector<Acted> read_client_log(const std::string& path);

/// One sentence for each broken invariant:
///  - No split brain: once somebody was told that a record is complete, a node that it does not
///    list acts only with the token of a later record.
///  - Agreement: two nodes never name different members for one incarnation.
///  - Monotonic: neither incarnations nor tokens of one node go back.
std::vector<std::string> find_violations(const std::map<unsigned, std::vector<Told>>& told,
                                         const std::map<unsigned, std::vector<Acted>>& acted);

}  // namespace css::e2e
