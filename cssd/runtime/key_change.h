#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include "cssd/base/result.h"
#include "cssd/base/time.h"
#include "cssd/base/types.h"
#include "cssd/runtime/agreement.h"
#include "cssd/runtime/log.h"
#include "netbeat/wire/key_ring.h"

namespace css::runtime {

/// From one key of the interconnect to the next without a stop (`crsctl replace css key`).
///
/// The operator puts the next key beside the key file of every node, as KEY_FILE.new. Then
///
///  1. the node that was asked asks all members (FileAgreement): each reads its KEY_FILE.new, and
///     holds that key when it is the same: it opens with both and seals with the former one;
///  2. when all hold it, that node puts KEY_FILE.new in the place of KEY_FILE, and seals with it;
///  3. it tells the others to do the same; who has not heard of it follows with the first datagram
///     that is sealed with the next key (Sealer);
///  4. each node drops the former key half a minute after it moved.
///
/// What holds: whoever seals with a key is understood by every member. A key is never sealed with
/// before all hold it, and a node that starts holds KEY_FILE.new from the beginning. So whatever
/// dies wherever, each start reads a KEY_FILE that the others understand, or follow:
///  - between 1 and 2: nobody has moved; KEY_FILE is the former one everywhere;
///  - after 2 on one node: it starts with the next key alone, and the others follow its first
///    datagram; a node that is behind starts with the former key, holds the next one, and follows;
///  - one that stayed away until the former key was dropped still follows if KEY_FILE.new is there;
///    else nobody understands it, and it says so (unopened()).
/// A key that is held counts as long as it lies in KEY_FILE.new and no longer: take that away, and
/// the change is off.
///
/// Replays: a member takes in only the key that the message names, and seals with it only if it
/// holds it; and no message about a next key can be older than that key. Which heartbeat is new is
/// told by (u, seq), whatever key it came under.
class KeyChange {
public:
    struct Times {
        /// After a node has moved. Messages under way and nodes that are behind need less.
        Duration former_counts = std::chrono::seconds{30};
        /// Between two looks at KEY_FILE.new while it matters what lies there.
        Duration look = std::chrono::seconds{5};
    };
    struct Parts {
        std::string key_file;
        netbeat::KeyRing& keys;
        Log& log;
        FileAgreement::Parts agreement;  ///< `self`, `send`, `members` and `node_name` of it.
        Times times{};
    };
    explicit KeyChange(Parts parts);

    [[nodiscard]] Status start() { return agreement_.start(); }
    void stop() { agreement_.stop(); }

    // Any thread; never wait.
    void replace(ControlBackend::Answered done) { agreement_.begin(std::move(done)); }
    void received(NodeNumber from, std::span<const std::byte> message) {
        agreement_.received(from, message);
    }
    /// Nothing but datagrams that no key opens have come from this node for a while.
    void unopened(NodeNumber from);

private:
    [[nodiscard]] FileAgreement::Parts agreement_parts(FileAgreement::Parts parts);

    // On the thread of the agreement.
    Result<FileAgreement::Copy> read(std::optional<std::uint64_t> wanted);
    [[nodiscard]] FileAgreement::Copy copy_of(const netbeat::Key& key, const std::string& path);
    Status take(const netbeat::Key& key);
    [[nodiscard]] Status put_in_place(const netbeat::Key& key) const;
    Instant look();
    void notice_move(Instant now);
    void finish_move();
    [[nodiscard]] bool hold_what_lies_there();
    void tell_unopened(NodeNumber node);
    void warn(const std::string& what);

    const std::string path_;
    const std::string next_path_;
    netbeat::KeyRing& keys_;
    Log& log_;
    const std::function<std::string(NodeNumber)> node_name_;
    const Times times_;
    std::atomic<NodeNumber> unopened_{};  ///< The last one; none since it was looked at.

    // Of the thread.
    std::uint64_t moves_ = 0;     ///< Of the ring, as noticed.
    bool in_place_ = true;        ///< The key file has the key that seals.
    Instant drop_at_ = kForever;  ///< When the former key has counted long enough.
    std::string warned_;          ///< What was said last: not again and again.
    NodeSet told_unopened_;       ///< Under this key.

    FileAgreement agreement_;  ///< Last: its thread uses all others.
};

}  // namespace css::runtime
