#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "cssd/base/shell_thread.h"
#include "cssd/base/time.h"
#include "cssd/base/types.h"
#include "cssd/runtime/control.h"
#include "cssd/runtime/nodes_message.h"
#include "netbeat/wire/nodes_file.h"

namespace css::runtime {

/// `crsctl reload css nodes` (SOURCES 2.3): the nodes file is taken in by all members or by none.
/// The node that was asked reads its own, asks every member whether its file says the same, and
/// only then tells all to take it in. The thread "nodes": a file is read where it can hang.
///
/// Messages may be lost: what is not answered is said again. A member takes a file in that it has
/// just read as the same; one that dies in between reads it when it starts again.
class NodesReload {
public:
    struct Parts {
        std::string path;  ///< Of the nodes file.
        NodeNumber self;
        /// Any thread; do not wait.
        std::function<void(NodeNumber to, std::vector<std::byte> message)> send;
        std::function<NodeSet()> members;  ///< Of the newest record; empty: this node is none.
        std::function<netbeat::NodesFile()> current;
        /// Whether this node can use the file instead of the one it has; the error says why not.
        std::function<Status(const netbeat::NodesFile&)> check;
        std::function<Status(const netbeat::NodesFile&)> take;
        std::function<std::string(NodeNumber)> name;
    };
    explicit NodesReload(Parts parts);
    ~NodesReload();
    NodesReload(const NodesReload&) = delete;
    NodesReload& operator=(const NodesReload&) = delete;
    NodesReload(NodesReload&&) = delete;
    NodesReload& operator=(NodesReload&&) = delete;

    [[nodiscard]] Status start();
    /// Ends the thread; whoever waits, or asks later, is refused.
    void stop();

    // Any thread; never wait.
    void reload(ControlBackend::Answered done);
    /// A message of another daemon; a malformed one is ignored.
    void received(NodeNumber from, std::span<const std::byte> message);

private:
    struct Received {
        NodeNumber from;
        NodesMessage message;
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
    void begin(const Wanted& wanted);
    void on(NodeNumber from, const NodesMessage& message);
    void answer_ask(NodeNumber from, const NodesMessage& message);
    void answer_take(NodeNumber from, const NodesMessage& message);
    void say();
    void go_on();
    void look_at_time();
    void refuse(const std::string& why);

    const Parts parts_;
    std::mutex mutex_;  ///< Guards the next three.
    std::condition_variable arrived_;
    std::deque<Item> items_;
    bool stopping_ = false;
    ShellThread thread_;

    // Of the thread.
    std::unique_ptr<Round> round_;
};

}  // namespace css::runtime
