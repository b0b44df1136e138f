#pragma once

#include <string>

#include <nlohmann/json_fwd.hpp>

namespace css {

/// A page on which a person can look at a run of a cluster: timeline.html with this in it, and
/// nothing from elsewhere. What it takes is what its script reads; see Timeline::page().
std::string timeline_page(const nlohmann::json& data);

}  // namespace css
