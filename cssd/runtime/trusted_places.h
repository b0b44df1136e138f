#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "cssd/base/result.h"

namespace css::runtime {

/// Who else may change what the daemon believes or writes to: a look at its files and directories
/// before it uses them. Trusted are root, the user that runs the daemon, and its own group.
class TrustedPlaces {
public:
    /// What a directory is where everybody may make files, but remove or replace only their own: a
    /// file system in memory is born so.
    enum class Sticky : std::uint8_t { kRefused, kTold };
    /// Makes the directory of a key of the configuration (`run_dir`) if it is missing, and refuses
    /// one in which somebody else may make, remove or replace files: a socket there can be taken
    /// for a guardian's, a log there can be a link to another file.
    Status directory(const std::string& key,
                     const std::string& path,
                     Sticky sticky = Sticky::kRefused);
    /// A file that somebody else may change is worth a warning.
    void file(const std::string& key, const std::string& given);

    /// Lines for the alert log: about such places, and about the directories above all of these in
    /// which somebody else may put another thing in their place. Sticky ones, as /tmp, are none of
    /// those: what is in them is its owner's.
    [[nodiscard]] std::vector<std::string> doubts() const;

private:
    struct Above {
        std::set<std::string> keys;  ///< Of the configuration: what lies below it.
        std::string allows;
    };
    void look_above(const std::string& key, const std::string& path);

    std::vector<std::string> told_;
    std::map<std::string, Above> above_;
};

}  // namespace css::runtime
