#pragma once

#include <string>

/// Where a lab keeps its files.
namespace css::e2e {

/// A new directory in memory whose name holds this process's pid. First what dead earlier runs left
/// is removed: their directories, and the processes that were started with a path in one of them.
std::string make_scratch();
void remove_scratch(const std::string& directory);
/// Where keep_scratch() puts it: later runs leave it alone, a person removes it.
std::string kept_scratch(const std::string& directory);
void keep_scratch(const std::string& directory);

}  // namespace css::e2e
