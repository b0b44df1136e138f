#include "cssd/config/parameters.h"

#include <algorithm>

#include "cssd/config/duration.h"

namespace css::config {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr milliseconds kTick{1};

/// Smallest value of a parameter whatever the others are.
milliseconds least_of(Parameter which) {
    switch (which) {
        case Parameter::kMisscount: return kMisscountMin;
        case Parameter::kDisktimeout: return kMisscountMin + kTick;
        case Parameter::kReboottime: return kReboottimeMin;
    }
    return kParameterMax;
}

/// Smallest reboottime that holds two intervals.
milliseconds reboottime_least(const Parameters& p) {
    return std::chrono::ceil<milliseconds>(2 * interval(p));
}

/// Largest misscount whose two intervals fit into this reboottime. From two seconds on every
/// misscount does, because an interval is never longer than a second.
milliseconds misscount_most(milliseconds reboottime) {
    return reboottime >= seconds{2} ? kParameterMax : 5 * reboottime;
}

/// Largest reboottime that leaves a lease which can be renewed: SIOT is longer than two intervals.
milliseconds reboottime_most(const Parameters& p) {
    return std::chrono::ceil<milliseconds>(p.misscount - 2 * interval(p)) - kTick;
}

/// Smallest misscount with such a SIOT: above 5/4 of the reboottime while the interval is a tenth
/// of it, two seconds above it from then on.
milliseconds misscount_least(milliseconds reboottime) {
    return std::min(5 * reboottime / 4, reboottime + seconds{2}) + kTick;
}

void add(std::string& broken, const std::string& rule) {
    broken += broken.empty() ? rule : "; " + rule;
}

std::string shown(Parameter which, const Parameters& p) {
    return std::string{name_of(which)} + " (" + format_duration(value_of(p, which)) + ")";
}

std::string printable(std::string_view text) {
    constexpr std::size_t kShownMax = 64;
    std::string result{text.substr(0, kShownMax)};
    for (char& c : result) {
        c = (c < ' ' || c > '~') ? '?' : c;
    }
    return result;
}

Error invalid_value(const Parameters& current, Parameter which, std::string_view text) {
    const Bounds bounds = bounds_of(current, which);
    const auto lowest = std::chrono::ceil<seconds>(bounds.lowest);
    const auto highest = std::chrono::floor<seconds>(bounds.highest);
    std::string message =
        "Invalid value " + printable(text) + " for parameter " + std::string{name_of(which)};
    if (lowest <= highest) {
        message += ": give a whole number of seconds from " + std::to_string(lowest.count()) +
                   " to " + std::to_string(highest.count()) + ".";
    } else {
        message += ": give a time from " + format_duration(bounds.lowest) + " to " +
                   format_duration(bounds.highest) + ".";
    }
    return Error{.code = ErrorCode::kInvalid, .message = std::move(message)};
}

Error conflict(Parameter which, milliseconds value, Parameter with, const std::string& must_be) {
    return Error{.code = ErrorCode::kConflict,
                 .message = "CRS-4696: Failed to set parameter " + std::string{name_of(which)} +
                            " to " + format_duration(value) + " due to conflicting parameter " +
                            std::string{name_of(with)} + "; the new value for " +
                            std::string{name_of(which)} + " must " + must_be + "."};
}

Error must_exceed(const Parameters& p, Parameter which, milliseconds value, Parameter with) {
    return conflict(which, value, with, "be greater than " + format_duration(value_of(p, with)));
}

Error must_stay_below(const Parameters& p, Parameter which, milliseconds value, Parameter with) {
    return conflict(which, value, with, "be less than " + format_duration(value_of(p, with)));
}

/// Judges `value` against the other two parameters.
Status against_others(const Parameters& p, Parameter which, milliseconds value) {
    switch (which) {
        case Parameter::kMisscount:
            if (value <= p.reboottime) {
                return must_exceed(p, which, value, Parameter::kReboottime);
            }
            if (value >= p.disktimeout) {
                return must_stay_below(p, which, value, Parameter::kDisktimeout);
            }
            if (value < misscount_least(p.reboottime)) {
                return conflict(
                    which,
                    value,
                    Parameter::kReboottime,
                    "be greater than " + format_duration(misscount_least(p.reboottime) - kTick));
            }
            if (value > misscount_most(p.reboottime)) {
                return conflict(
                    which,
                    value,
                    Parameter::kReboottime,
                    "not be greater than " + format_duration(misscount_most(p.reboottime)));
            }
            return Done{};
        case Parameter::kDisktimeout:
            if (value <= p.misscount) {
                return must_exceed(p, which, value, Parameter::kMisscount);
            }
            return Done{};
        case Parameter::kReboottime:
            if (value >= p.misscount) {
                return must_stay_below(p, which, value, Parameter::kMisscount);
            }
            if (value > reboottime_most(p)) {
                return conflict(which,
                                value,
                                Parameter::kMisscount,
                                "be less than " + format_duration(reboottime_most(p) + kTick));
            }
            return Done{};
    }
    return Done{};
}

}  // namespace

Status validate(const Parameters& p) {
    std::string broken;
    for (const auto which :
         {Parameter::kMisscount, Parameter::kDisktimeout, Parameter::kReboottime}) {
        const auto value = value_of(p, which);
        if (value < least_of(which) || value > kParameterMax) {
            add(broken,
                shown(which, p) + " must be from " + format_duration(least_of(which)) + " to " +
                    format_duration(kParameterMax));
        }
    }
    if (p.reboottime < reboottime_least(p)) {
        add(broken,
            shown(Parameter::kReboottime, p) + " must be at least two intervals (" +
                format_duration(reboottime_least(p)) + ")");
    }
    if (p.reboottime >= p.misscount) {
        add(broken,
            shown(Parameter::kReboottime, p) + " must be less than " +
                shown(Parameter::kMisscount, p));
    }
    if (p.reboottime < p.misscount && p.reboottime > reboottime_most(p)) {
        add(broken,
            shown(Parameter::kReboottime, p) + " must be less than " +
                shown(Parameter::kMisscount, p) + " minus two intervals (" +
                format_duration(reboottime_most(p) + kTick) + ")");
    }
    if (p.misscount >= p.disktimeout) {
        add(broken,
            shown(Parameter::kMisscount, p) + " must be less than " +
                shown(Parameter::kDisktimeout, p));
    }
    if (broken.empty()) {
        return Done{};
    }
    return Error{.code = ErrorCode::kInvalid, .message = std::move(broken)};
}

std::string_view name_of(Parameter parameter) {
    switch (parameter) {
        case Parameter::kMisscount: return "misscount";
        case Parameter::kDisktimeout: return "disktimeout";
        case Parameter::kReboottime: return "reboottime";
    }
    return "";
}

std::optional<Parameter> parameter_named(std::string_view name) {
    for (const auto which :
         {Parameter::kMisscount, Parameter::kDisktimeout, Parameter::kReboottime}) {
        if (name == name_of(which)) {
            return which;
        }
    }
    return std::nullopt;
}

milliseconds value_of(const Parameters& p, Parameter which) {
    switch (which) {
        case Parameter::kMisscount: return p.misscount;
        case Parameter::kDisktimeout: return p.disktimeout;
        case Parameter::kReboottime: return p.reboottime;
    }
    return kParameterMax;
}

Parameters with_value(Parameters p, Parameter which, milliseconds value) {
    switch (which) {
        case Parameter::kMisscount: p.misscount = value; break;
        case Parameter::kDisktimeout: p.disktimeout = value; break;
        case Parameter::kReboottime: p.reboottime = value; break;
    }
    return p;
}

Bounds bounds_of(const Parameters& p, Parameter which) {
    switch (which) {
        case Parameter::kMisscount:
            return {.lowest = std::max(kMisscountMin, misscount_least(p.reboottime)),
                    .highest = std::min(
                        {kParameterMax, p.disktimeout - kTick, misscount_most(p.reboottime)})};
        case Parameter::kDisktimeout:
            return {.lowest = std::max(least_of(which), p.misscount + kTick),
                    .highest = kParameterMax};
        case Parameter::kReboottime:
            return {.lowest = std::max(kReboottimeMin, reboottime_least(p)),
                    .highest = std::min(kParameterMax, reboottime_most(p))};
    }
    return {.lowest = kParameterMax, .highest = kParameterMax};
}

Result<Parameters> change_parameter(const Parameters& current,
                                    Parameter which,
                                    std::string_view text) {
    const auto value = parse_duration(text);
    if (!value || *value > kParameterMax || *value < least_of(which)) {
        return invalid_value(current, which, text);
    }
    if (auto verdict = against_others(current, which, *value); !verdict) {
        return verdict.error();
    }
    const Parameters changed = with_value(current, which, *value);
    if (!validate(changed)) {  // A reboottime of less than two intervals.
        return invalid_value(current, which, text);
    }
    return changed;
}

}  // namespace css::config
