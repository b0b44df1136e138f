#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "cssd/base/result.h"
#include "cssd/base/types.h"
#include "kill_block/link/guardian_link.h"

namespace css::runtime {

/// The list of clients that outlives daemon *and* guardians (PROTOCOL 8, restart):
/// `run_dir/clients`, a text file. A process is named by number and start time, a cgroup by path
/// and inode, so that what has taken a number or a path over since is not mistaken for it. A client
/// is listed before a guardian holds it.
///
/// add() and remove() are for one thread, forget_formers() for another.
class ClientRegister {
public:
    /// Reads what a former daemon of this boot left. Errors: kSystem.
    static Result<std::unique_ptr<ClientRegister>> open(const std::string& run_dir,
                                                        const BootId& boot);

    /// Clients of former daemons that are still there. Once.
    [[nodiscard]] std::vector<guardian::FormerClient> take_formers();
    /// They are gone: another start need not look for them.
    void forget_formers();

    /// Lists a client, by its descriptor. Errors: kSystem: it must not be registered then.
    Status add(std::uint64_t client, int descriptor, guardian::ClientForm form);
    void remove(std::uint64_t client);

private:
    explicit ClientRegister(std::string path, const BootId& boot)
        : path_(std::move(path)), boot_(boot) {}
    void read();
    Status write_all();
    void prune();

    const std::string path_;
    const BootId boot_;
    std::mutex mutex_;  ///< Guards all below.
    std::map<std::uint64_t, std::string> lines_;
    std::vector<std::string> former_lines_;
    std::vector<guardian::FormerClient> formers_;
    std::size_t removed_ = 0;  ///< Lines in the file that count no more.
    std::size_t prune_at_ =
        0;  ///< So many are listed: time to look which have ended by themselves.
};

}  // namespace css::runtime
