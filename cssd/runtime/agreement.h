#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "cssd/base/result.h"
#include "cssd/base/shell_thread.h"
#include "cssd/base/time.h"
#include "cssd/base/types.h"
#include "cssd/runtime/agreement_message.h"
#include "cssd/runtime/control.h"

namespace css::runtime {

/// A file that every node has a copy of is taken in by all members or by none: the nodes file
/// (`crsctl reload css nodes`, SOURCES 2.3), a new key (`crsctl replace css key`). The node that
/// was asked reads its own copy, asks every member whether it has the same, and only when all have,
/// also those that became members meanwhile, takes it in and tells the others to. A thread of its
/// own: a file is read where it can hang.
///
/// Messages may be lost: what is not answered is said again. They may also come twice, or late from
/// a round that is over: what they are about stands in them, and a member takes in nothing but what
/// it has just read as the same. One that dies in between reads it when it starts again.
class FileAgreement {
public:
    /// The node's own copy, as it was read just now.
    struct Copy {
        std::uint64_t fingerprint = 0;     ///< Equal when the copies mean the same.
        std::vector<std::uint32_t> lines;  ///< A hash each; empty: its lines are nobody's business.
        std::function<std::string(unsigned line)> line_text;  ///< 0: of the whole.
        /// Gets ready to use it instead of what is in use; the error says why that cannot be.
        std::function<Status()> prepare;
        /// What has been taken in already is done.
        std::function<Status()> take;
    };
    struct Parts {
        AgreementMessage::Topic topic = AgreementMessage::Topic::kNodesFile;
        std::string name;    ///< `nodes file`
        std::string thread;  ///< Its name.
        NodeNumber self;
        /// Any thread; do not wait.
        std::function<void(NodeNumber to, std::vector<std::byte> message)> send;
        std::function<NodeSet()> members;  ///< Of the newest record; empty: this node is none.
        /// With a fingerprint: another node asks for that one, which may have been taken in
        /// already.
        std::function<Result<Copy>(std::optional<std::uint64_t> wanted)> read;
        std::function<nlohmann::json()> done;  ///< The answer when all have taken it.
        /// What else the thread has to look at, first of all and after everything it did; returns
        /// when at the latest to do so again. May be empty.
        std::function<Instant()> look{};
        std::function<std::string(NodeNumber)> node_name;
    };
    explicit FileAgreement(Parts parts);
    ~FileAgreement();
    FileAgreement(const FileAgreement&) = delete;
    FileAgreement& operator=(const FileAgreement&) = delete;
    FileAgreement(FileAgreement&&) = delete;
    FileAgreement& operator=(FileAgreement&&) = delete;

    [[nodiscard]] Status start();
    /// Ends the thread; whoever waits, or asks later, is refused.
    void stop();

    // Any thread; never wait.
    void begin(ControlBackend::Answered done);
    /// A message of another daemon; a malformed one is ignored.
    void received(NodeNumber from, std::span<const std::byte> message);
    /// Time to look().
    void wake();

private:
    struct Received {
        NodeNumber from;
        AgreementMessage message;
    };
    struct Wanted {
        ControlBackend::Answered done;
    };
    using Item = std::variant<Received, Wanted>;

    /// What this node was asked for and has not answered yet.
    struct Round;

    /// False: it is not taken.
    bool put(Item item);
    void run();
    void wait(std::unique_lock<std::mutex>& lock, Instant look_at);
    Instant look();
    void begin_round(const Wanted& wanted);
    void on(NodeNumber from, const AgreementMessage& message);
    void answer_ask(NodeNumber from, const AgreementMessage& message);
    void answer_take(NodeNumber from, const AgreementMessage& message);
    [[nodiscard]] NodeSet awaited() const;
    void say();
    void go_on();
    void look_at_time();
    void refuse_step(const std::string& why);
    void refuse(const std::string& why);

    const Parts parts_;
    std::mutex mutex_;  ///< Guards the next four.
    std::condition_variable arrived_;
    std::deque<Item> items_;
    bool woken_ = false;
    bool stopping_ = false;
    ShellThread thread_;

    // Of the thread.
    std::unique_ptr<Round> round_;
};

}  // namespace css::runtime
