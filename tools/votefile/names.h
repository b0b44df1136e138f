#pragma once

#include <cstdint>
#include <string>

#include "cssd/base/record.h"
#include "cssd/base/types.h"
#include "voting/format/sectors.h"

/// Values of voting files as people read them.
namespace css::votefile {

const char* name_of(NodeState state);
const char* name_of(RecordCause cause);
const char* name_of(KillReason reason);

/// `1 2 5`, or `none`.
std::string text_of(NodeSet nodes);
std::string text_of(FileSet files);
/// 16 hex digits.
std::string hex_of(std::uint64_t value);
/// Wall-clock time in nanoseconds since 1970 as `2026-11-21 09:45:24.016`, in the local zone.
std::string local_time(std::int64_t ns);
/// The same as `2026-11-21T09:45:24.016Z`.
std::string utc_time(std::int64_t ns);
/// A unique is the time when its daemon started.
std::int64_t start_ns(Unique unique);

}  // namespace css::votefile
