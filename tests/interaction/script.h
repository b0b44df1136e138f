#pragma once

#include <string>

namespace css::interaction {

/// Runs a story and returns it with its answers filled in. A story is prose (lines starting with
/// '#'), and blocks of commands, a line `----`, and the answer up to an empty line. Commands:
///
///   cluster nodes=N files=N misscount=MS disktimeout=MS reboottime=MS
///   start N...            crash N...           pause N...          resume N...
///   cut A B               both ways            cut-from A B        B no longer hears A
///   heal                  hang N FILE          unhang N FILE
///   leave N               evict N BY           set N misscount=MS...
///   run MS                until so much virtual time has passed; the answer is what was noticed
///   show                  one line a node: phase, record, who may act, lease
std::string retell(const std::string& story);

}  // namespace css::interaction
