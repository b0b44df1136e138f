#include "cssd/runtime/nodes_reload.h"

#include <chrono>
#include <utility>

#include <sys/random.h>

#include "cssd/runtime/clock.h"
#include "cssd/runtime/control_requests.h"

namespace css::runtime {
namespace {

using What = NodesMessage::What;
using Verdict = NodesMessage::Verdict;

/// Between two times that the same is said to who has not answered.
constexpr Duration kSayAgain = std::chrono::milliseconds{300};
/// For each of the two steps.
constexpr Duration kPatience = std::chrono::seconds{10};
/// Of messages not looked at: more come from somebody who says the same again.
constexpr std::size_t kItemsMax = 256;

constexpr std::string_view kStopped =
    "The daemon on this node stopped before the request was done.";

std::uint64_t random_id() {
    std::uint64_t id = 0;
    CSS_CHECK(::getrandom(&id, sizeof id, 0) == static_cast<ssize_t>(sizeof id));
    return id;
}

NodesMessage answer_to(const NodesMessage& message, What what) {
    NodesMessage answer;
    answer.what = what;
    answer.id = message.id;
    answer.fingerprint = message.fingerprint;
    return answer;
}

}  // namespace

struct NodesReload::Round {
    ControlBackend::Answered done;
    std::uint64_t id = 0;
    netbeat::NodesFile file;
    bool taking = false;  ///< All have the same file: they are told to take it in.
    NodeSet waits_for;
    Instant said_at = kNever;
    Instant deadline;
};

NodesReload::NodesReload(Parts parts) : parts_(std::move(parts)) {}

NodesReload::~NodesReload() {
    stop();
}

void NodesReload::stop() {
    {
        const std::lock_guard lock{mutex_};
        stopping_ = true;
    }
    arrived_.notify_all();
    thread_.join();
}

Status NodesReload::start() {
    return thread_.start("nodes", [this] { run(); });
}

void NodesReload::reload(ControlBackend::Answered done) {
    if (!put(Wanted{done})) {
        done(refusal(std::string{kStopped}));
    }
}

void NodesReload::received(NodeNumber from, std::span<const std::byte> bytes) {
    if (const std::optional<NodesMessage> message = decode_nodes_message(bytes)) {
        static_cast<void>(put(Received{from, *message}));
    }
}

bool NodesReload::put(Item item) {
    {
        const std::lock_guard lock{mutex_};
        const bool full = items_.size() >= kItemsMax && std::holds_alternative<Received>(item);
        if (stopping_ || full) {
            return false;
        }
        items_.push_back(std::move(item));
    }
    arrived_.notify_all();
    return true;
}

void NodesReload::run() {
    std::unique_lock lock{mutex_};
    const auto awaited = [this] { return stopping_ || !items_.empty(); };
    while (!stopping_) {
        if (round_) {
            arrived_.wait_for(lock, kSayAgain, awaited);
        } else {
            arrived_.wait(lock, awaited);
        }
        const std::deque<Item> items = std::exchange(items_, {});
        lock.unlock();
        for (const Item& item : items) {
            if (const auto* received = std::get_if<Received>(&item)) {
                on(received->from, received->message);
            } else {
                begin(std::get<Wanted>(item));
            }
        }
        if (round_) {
            look_at_time();
        }
        lock.lock();
    }
    if (round_) {
        refuse(std::string{kStopped});
    }
}

// ------------------------------------------------------------------------------- the node asked

void NodesReload::begin(const Wanted& wanted) {
    if (round_) {
        wanted.done(outcome(core::RequestResult::kBusy));
        return;
    }
    round_ = std::make_unique<Round>();
    round_->done = wanted.done;
    const NodeSet members = parts_.members();
    if (!members.contains(parts_.self)) {
        refuse("This node is not an active member of the cluster.");
        return;
    }
    Result<netbeat::NodesFile> file = netbeat::load_nodes_file(parts_.path);
    if (!file) {
        refuse(file.error().message);
        return;
    }
    for (const NodeNumber n : members) {
        if (!file->configured().contains(n)) {
            refuse("Node " + parts_.name(n) + " is a member of the cluster and not in " +
                   parts_.path + " any more: stop it first.");
            return;
        }
    }
    if (const Status usable = parts_.check(*file); !usable) {
        refuse(usable.error().message);
        return;
    }
    round_->id = random_id();
    round_->file = std::move(*file);
    round_->waits_for = members - NodeSet::of(parts_.self);
    round_->deadline = boot_now() + kPatience;
    go_on();
}

/// To everybody who has not answered.
void NodesReload::say() {
    NodesMessage message;
    message.id = round_->id;
    message.fingerprint = round_->file.fingerprint();
    message.what = round_->taking ? What::kTake : What::kAsk;
    if (!round_->taking) {
        message.lines = line_hashes(round_->file);
    }
    for (const NodeNumber n : round_->waits_for) {
        parts_.send(n, encode(message));
    }
    round_->said_at = boot_now();
}

void NodesReload::go_on() {
    if (!round_->waits_for.empty()) {
        if (round_->said_at == kNever) {
            say();
        }
        return;
    }
    if (round_->taking) {
        const auto done = std::exchange(round_, nullptr)->done;
        done({{"ok", true}, {"nodes", parts_.current().configured().count()}});
        return;
    }
    if (const Status taken = parts_.take(round_->file); !taken) {
        refuse(taken.error().message);
        return;
    }
    round_->taking = true;
    round_->waits_for = parts_.members() - NodeSet::of(parts_.self);
    round_->said_at = kNever;
    round_->deadline = boot_now() + kPatience;
    go_on();
}

void NodesReload::look_at_time() {
    const Instant now = boot_now();
    // Who is no member any more reads the file when it starts again.
    round_->waits_for = round_->waits_for & parts_.members();
    if (round_->waits_for.empty()) {
        go_on();
        return;
    }
    if (now < round_->deadline) {
        if (now >= round_->said_at + kSayAgain) {
            say();
        }
        return;
    }
    const std::string who = "Node " + parts_.name(round_->waits_for.lowest()) + " does not answer";
    refuse(round_->taking ? who + ": it may have the former nodes file still; try again."
                          : who + ". Nothing was changed.");
}

void NodesReload::refuse(const std::string& why) {
    const auto done = std::exchange(round_, nullptr)->done;
    done(refusal(why));
}

// ------------------------------------------------------------------------------------ every node

void NodesReload::on(NodeNumber from, const NodesMessage& message) {
    switch (message.what) {
        case What::kAsk: answer_ask(from, message); return;
        case What::kTake: answer_take(from, message); return;
        case What::kAnswer:
        case What::kTaken: break;
    }
    const bool awaited = round_ && message.id == round_->id &&
                         (message.what == What::kTaken) == round_->taking &&
                         round_->waits_for.contains(from);
    if (!awaited) {
        return;
    }
    const std::string who = "node " + parts_.name(from);
    switch (message.verdict) {
        case Verdict::kSame:
            round_->waits_for.erase(from);
            go_on();
            return;
        case Verdict::kDiffers:
            refuse("The nodes files differ: line " + std::to_string(message.line) + " is '" +
                   line_text(round_->file, message.line) + "' here and '" + message.text + "' on " +
                   who + ". Nothing was changed.");
            return;
        case Verdict::kRefused: refuse(who + ": " + message.text); return;
    }
}

void NodesReload::answer_ask(NodeNumber from, const NodesMessage& message) {
    NodesMessage answer = answer_to(message, What::kAnswer);
    const Result<netbeat::NodesFile> file = netbeat::load_nodes_file(parts_.path);
    if (!file) {
        answer.verdict = Verdict::kRefused;
        answer.text = file.error().message;
    } else if (file->fingerprint() != message.fingerprint) {
        answer.verdict = Verdict::kDiffers;
        answer.line = first_difference(line_hashes(*file), message.lines);
        answer.text = line_text(*file, answer.line);
    } else if (const Status usable = parts_.check(*file); !usable) {
        answer.verdict = Verdict::kRefused;
        answer.text = usable.error().message;
    }
    parts_.send(from, encode(answer));
}

void NodesReload::answer_take(NodeNumber from, const NodesMessage& message) {
    NodesMessage answer = answer_to(message, What::kTaken);
    const Result<netbeat::NodesFile> file = netbeat::load_nodes_file(parts_.path);
    Status taken = Done{};
    if (!file) {
        taken = file.error();
    } else if (file->fingerprint() != message.fingerprint) {
        taken = Error{ErrorCode::kConflict, 0, parts_.path + " was changed meanwhile; try again"};
    } else {
        taken = parts_.take(*file);
    }
    if (!taken) {
        answer.verdict = Verdict::kRefused;
        answer.text = taken.error().message;
    }
    parts_.send(from, encode(answer));
}

}  // namespace css::runtime
