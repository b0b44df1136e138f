#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "cssd/core/notice.h"
#include "cssd/runtime/render.h"

/// Pieces that the alert lines, trace lines and events of a notice share.
namespace css::runtime {

// Where in the trace an alert line's story is found.
inline constexpr std::string_view kTagEvicted = "(:CSSNM00005:)";
inline constexpr std::string_view kTagEvicting = "(:CSSNM00007:)";
inline constexpr std::string_view kTagCutOff = "(:CSSNM00008:)";
inline constexpr std::string_view kTagQuorum = "(:CSSNM00018:)";
inline constexpr std::string_view kTagFile = "(:CSSNM00058:)";
inline constexpr std::string_view kTagDiscovery = "(:CSSNM00070:)";
inline constexpr std::string_view kTagFatal = "(:CSSSC00012:)";

/// Whole milliseconds.
std::string millis_text(Duration duration);
/// `incarnation 5`.
std::string incarnation_text(const core::Notice& notice);
/// `misscount 30, disktimeout 200, reboottime 3`.
std::string parameters_text(const Parameters& parameters);
/// `voting files PATH PATH` and, while the set changes, ` and, counting jointly, PATH PATH`.
std::string files_text(const core::Notice& notice, const Names& names);
/// ` by NAME`, or nothing.
std::string by_text(const core::Notice& notice, const Names& names);
/// `NAME (7)`.
std::string numbered(NodeNumber n, const Names& names);

}  // namespace css::runtime
