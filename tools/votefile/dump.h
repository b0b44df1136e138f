#pragma once

#include <span>
#include <string>

#include "voting/offline/inspect.h"

namespace css::votefile {

using voting::Inspected;

/// A path with what was found there, or why nothing was.
struct Shown {
    std::string path;
    Result<Inspected> found;
};

/// One JSON document: {"files": [...]}.
std::string json_of(std::span<const Shown> files);

}  // namespace css::votefile
