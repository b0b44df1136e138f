#pragma once

#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "cssd/base/unique_fd.h"
#include "tests/e2e/harness/process.h"

/// What a node told its watchers, as lines of `crsctl watch css events --json`.
namespace css::e2e {

using Members = std::set<unsigned>;

/// Node i is called `node<i>` in every lab.
std::string node_name(unsigned node);
std::string to_text(const Members& members);    ///< `{1 3}`
unsigned node_number(const std::string& name);  ///< 0 when it is no node of a lab.

struct Told {
    Nanos time = 0;     ///< When the daemon said so.
    std::string type;   ///< INTERFACE: decided, complete, suspect, ...
    unsigned node = 0;  ///< Whom it is about; 0: nobody.
    std::string file;   ///< The voting file it is about.
    std::uint64_t incarnation = 0;
    Members members;
    std::string reason;
    friend auto operator<=>(const Told&, const Told&) = default;
};

using Matches = std::function<bool(const Told&)>;
/// An event of this type about this node; 0: about anybody.
Matches told(std::string type, unsigned node = 0);
/// A complete record with exactly these members.
Matches complete(Members members);

/// Everything one node told, over all lives of its daemon. Main thread only.
class EventLog {
public:
    /// Follows a daemon that has just begun to answer: what it told earlier comes from its history.
    void follow(const std::string& crsctl, const std::string& run_dir);
    void stop() { watcher_.kill(); }

    /// Becomes readable when there is more; negative when nothing is followed.
    [[nodiscard]] int fd() const { return stream_.get(); }
    /// Takes what has come, without waiting.
    void pump();

    [[nodiscard]] const std::vector<Told>& all() const { return told_; }
    void forget() { told_.clear(); }
    /// The first one at or after `since`.
    [[nodiscard]] std::optional<Told> find(const Matches& matches, Nanos since) const;

private:
    void add_line(const std::string& line);
    void add(const Told& event);

    Child watcher_;
    UniqueFd stream_;
    std::string partial_;
    std::vector<Told> told_;
};

}  // namespace css::e2e
