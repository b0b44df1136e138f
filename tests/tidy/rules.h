#pragma once

#include <string>
#include <string_view>
#include <vector>

/// STYLE as far as a program can judge it, one file at a time.
namespace css::tidy {

struct Finding {
    std::string path;
    unsigned line = 0;
    std::string what;
};

/// Judges a file by its path in the tree (`cssd/core/arbiter.cc`) and its text.
std::vector<Finding> check(const std::string& path, std::string_view text);

}  // namespace css::tidy
