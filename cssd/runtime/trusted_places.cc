#include "cssd/runtime/trusted_places.h"

#include <array>
#include <cstdio>
#include <filesystem>
#include <optional>
#include <system_error>

#include <sys/stat.h>
#include <unistd.h>

namespace css::runtime {
namespace {

namespace fs = std::filesystem;

using About = struct stat;

std::optional<About> look_at(const std::string& path) {
    About about{};
    return ::stat(path.c_str(), &about) == 0 ? std::optional{about} : std::nullopt;
}

/// Who else may change it; nothing when nobody may.
std::optional<std::string> who_else(const About& about) {
    if ((about.st_mode & S_IWOTH) != 0) {
        return "everybody";
    }
    if (about.st_uid != 0 && about.st_uid != ::geteuid()) {
        return "user " + std::to_string(about.st_uid);
    }
    if ((about.st_mode & S_IWGRP) != 0 && about.st_gid != 0 && about.st_gid != ::getegid()) {
        return "group " + std::to_string(about.st_gid);
    }
    return std::nullopt;
}

/// For who_else: whoever may write to a sticky directory leaves in peace what others have there.
About sticky_kept(About about) {
    if ((about.st_mode & S_ISVTX) != 0) {
        about.st_mode &= ~static_cast<mode_t>(S_IWGRP | S_IWOTH);
    }
    return about;
}

/// How it is, and what would be right.
std::string remedy(const About& about, const std::string& path) {
    std::array<char, 8> mode{};
    static_cast<void>(std::snprintf(mode.data(), mode.size(), "%04o", about.st_mode & 07777U));
    return " (owner " + std::to_string(about.st_uid) + ", mode " + mode.data() +
           "): only root and the user that runs cssd may; chown " + std::to_string(::geteuid()) +
           " " + path + " && chmod go-w " + path;
}

}  // namespace

Status TrustedPlaces::directory(const std::string& key, const std::string& path, Sticky sticky) {
    std::error_code failure;
    fs::create_directories(path, failure);
    const auto about = look_at(path);
    if (!about || !S_ISDIR(about->st_mode)) {
        return Error{
            ErrorCode::kSystem,
            failure.value(),
            key + ": " + path + ": " + (failure ? failure.message() : "this is not a directory")};
    }
    if (const auto who = who_else(*about)) {
        const std::string line =
            key + ": " + *who + " may change what is in " + path + remedy(*about, path);
        if (sticky == Sticky::kRefused || who_else(sticky_kept(*about))) {
            return Error{ErrorCode::kNotPermitted, 0, line};
        }
        told_.push_back(line);
    }
    look_above(key, path);
    return Done{};
}

void TrustedPlaces::file(const std::string& key, const std::string& given) {
    std::error_code ignored;
    const std::string path = fs::absolute(given, ignored).string();
    const auto about = look_at(path);
    if (const auto who = about ? who_else(*about) : std::nullopt) {
        told_.push_back(key + ": " + *who + " may change " + path + remedy(*about, path));
    }
    look_above(key, path);
}

void TrustedPlaces::look_above(const std::string& key, const std::string& path) {
    std::error_code failed;
    const fs::path real = fs::canonical(path, failed);  // Behind links on the way.
    for (fs::path below : {fs::path{path}, failed ? fs::path{path} : real}) {
        for (; below != below.parent_path(); below = below.parent_path()) {
            const std::string above = below.parent_path().string();
            const auto about = look_at(above);
            if (const auto who = about ? who_else(sticky_kept(*about)) : std::nullopt) {
                Above& found = above_[above];
                found.keys.insert(key);
                found.allows = *who + " may put something else in the place of what is in " +
                               above + remedy(*about, above);
            }
        }
    }
}

std::vector<std::string> TrustedPlaces::doubts() const {
    std::vector<std::string> lines = told_;
    for (const auto& [path, above] : above_) {
        std::string keys;
        for (const std::string& key : above.keys) {
            keys += (keys.empty() ? "" : ", ") + key;
        }
        lines.push_back(keys + ": " + above.allows);
    }
    return lines;
}

}  // namespace css::runtime
