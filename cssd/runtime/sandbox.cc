#include "cssd/runtime/sandbox.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include <cap-ng.h>
#include <sys/prctl.h>

#include "cssd/runtime/system_calls.h"

namespace css::runtime {
namespace {

/// Each with the last moment at which it may be needed.
constexpr std::array<unsigned, 7> kKept{
    CAP_CHOWN,         // `crsctl disable css`: the new configuration file is its owner's as before.
    CAP_DAC_OVERRIDE,  // A voting file of a database's user is opened again; a client's cgroup.
    CAP_FOWNER,        // As CAP_CHOWN: its mode.
    CAP_KILL,          // The last resort, when both guardians are gone: clients of all users.
    CAP_IPC_LOCK,      // Rings and stacks of voting files that come later.
    CAP_SYS_BOOT,      // The last resort.
    CAP_SYS_NICE,      // Real-time priority of threads that are begun later.
};

constexpr auto kUsable =
    static_cast<capng_type_t>(CAPNG_EFFECTIVE | CAPNG_PERMITTED | CAPNG_BOUNDING_SET);

std::string with_errno(const std::string& what) {
    return what + ": " + std::strerror(errno);
}

/// The names of the capabilities that are left.
std::string drop_capabilities(std::vector<std::string>& refused) {
    if (capng_get_caps_process() != 0) {
        refused.push_back(with_errno("capabilities cannot be read, and so are kept"));
        return "all";
    }
    std::array<bool, kKept.size()> had{};
    std::ranges::transform(kKept, had.begin(), [](unsigned one) {
        return capng_have_capability(CAPNG_PERMITTED, one) != 0;
    });
    // Without it they stay in the bounding set, which is of no use to whom no program brings any.
    const bool bounds = capng_have_capability(CAPNG_EFFECTIVE, CAP_SETPCAP) != 0;
    capng_clear(CAPNG_SELECT_ALL);
    std::string names;
    for (std::size_t i = 0; i < kKept.size(); ++i) {
        if (had.at(i)) {
            capng_updatev(CAPNG_ADD, kUsable, kKept.at(i), -1);
            names +=
                (names.empty() ? "" : ", ") + std::string{capng_capability_to_name(kKept.at(i))};
        }
    }
    if (capng_apply(
            bounds ? CAPNG_SELECT_ALL
                   : static_cast<capng_select_t>(CAPNG_SELECT_CAPS | CAPNG_SELECT_AMBIENT)) != 0) {
        refused.push_back(with_errno("capabilities cannot be given up"));
    }
    return names.empty() ? "none" : names;
}

}  // namespace

GivenUp give_up_privileges(config::Sandbox sandbox) {
    GivenUp result;
#ifdef CSS_SANITIZED
    result.what = "keeps everything: a build with sanitizers, which look into their process";
    return result;
#endif
    if (sandbox == config::Sandbox::kOff) {
        result.what = "keeps everything: sandbox = off";
        return result;
    }
    const std::string kept = drop_capabilities(result.refused);
    if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
        result.refused.push_back(with_errno("no_new_privs cannot be set"));
    }
    const Result<std::string> calls = refuse_system_calls(sandbox);
    if (!calls) {
        result.refused.push_back(calls.error().message);
    }
    result.what = "keeps of all capabilities: " + kept + "; programs bring it none (no_new_privs)" +
                  "; system calls: " + (calls ? *calls : "all");
    return result;
}

}  // namespace css::runtime
