#pragma once

#include <memory>
#include <string>

#include "cssd/base/result.h"
#include "cssd/base/unique_fd.h"

namespace css::runtime {

/// `run_dir/cssd.pid`: who serves this run_dir. The lock on it, not its contents, is the proof; it
/// goes with the process, however that ends.
class PidFile {
public:
    /// Makes run_dir if it is missing. kConflict: another daemon serves it; the message says which.
    static Result<std::unique_ptr<PidFile>> take(const std::string& run_dir);
    ~PidFile();  ///< Removes the file.
    PidFile(const PidFile&) = delete;
    PidFile& operator=(const PidFile&) = delete;
    PidFile(PidFile&&) = delete;
    PidFile& operator=(PidFile&&) = delete;

private:
    PidFile(std::string path, UniqueFd fd) : path_(std::move(path)), fd_(std::move(fd)) {}
    std::string path_;
    UniqueFd fd_;
};

}  // namespace css::runtime
