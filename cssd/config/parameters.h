#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "cssd/base/result.h"
#include "cssd/base/timing.h"

namespace css::config {

/// No time-out is longer than a day.
inline constexpr std::chrono::milliseconds kParameterMax = std::chrono::hours{24};
/// Below this, scheduling and disks of ordinary machines cannot keep up with the heartbeats.
inline constexpr std::chrono::milliseconds kMisscountMin{500};
/// Two intervals at the smallest misscount.
inline constexpr std::chrono::milliseconds kReboottimeMin{100};
static_assert(2 * interval(Parameters{.misscount = kMisscountMin}) == Duration{kReboottimeMin});

/// Success when the three time-outs may be used together (PROTOCOL 2):
///     2 intervals <= reboottime < misscount < disktimeout
/// misscount - reboottime leaves a lease that can be renewed (css::consistent), and each lies
/// within its own bounds. Else an error that names every rule that is broken.
Status validate(const Parameters& parameters);

/// One of the time-outs, as named on the command line.
enum class Parameter { kMisscount, kDisktimeout, kReboottime };
/// `misscount`, `disktimeout`, `reboottime`.
std::string_view name_of(Parameter parameter);
std::optional<Parameter> parameter_named(std::string_view name);
std::chrono::milliseconds value_of(const Parameters& parameters, Parameter which);
/// A copy of `parameters` with one value replaced. Checks nothing.
Parameters with_value(Parameters parameters, Parameter which, std::chrono::milliseconds value);

/// Smallest and largest allowed value, both included.
struct Bounds {
    std::chrono::milliseconds lowest;
    std::chrono::milliseconds highest;
};
/// What `which` may be set to while the other two stay as they are in `parameters`.
Bounds bounds_of(const Parameters& parameters, Parameter which);

/// What `set css NAME TEXT` makes of `current`: the new time-outs, or an error whose message is
/// the line that the user sees (INTERFACE, crsctl):
/// kInvalid, `Invalid value 1x for parameter ...: give a whole number of seconds from 31 to 86400.`
/// kConflict, `CRS-4696: Failed to set parameter ...`.
Result<Parameters> change_parameter(const Parameters& current,
                                    Parameter which,
                                    std::string_view text);

}  // namespace css::config
