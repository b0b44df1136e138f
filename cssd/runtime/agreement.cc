#include "cssd/runtime/agreement.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include <sys/random.h>

#include "cssd/runtime/clock.h"
#include "cssd/runtime/control_requests.h"

namespace css::runtime {
namespace {

using What = AgreementMessage::What;
using Verdict = AgreementMessage::Verdict;

/// Between two times that the same is said to who has not answered.
constexpr Duration kSayAgain = std::chrono::milliseconds{300};
/// For each of the two steps.
constexpr Duration kPatience = std::chrono::seconds{10};
/// Of messages not looked at: more come from somebody who says the same again.
constexpr std::size_t kItemsMax = 256;

constexpr std::string_view kStopped =
    "The daemon on this node stopped before the request was done.";
constexpr std::string_view kNoMember = "This node is not an active member of the cluster";

std::uint64_t random_id() {
    std::uint64_t id = 0;
    CSS_CHECK(::getrandom(&id, sizeof id, 0) == static_cast<ssize_t>(sizeof id));
    return id;
}

AgreementMessage answer_to(const AgreementMessage& message, What what) {
    AgreementMessage answer;
    answer.topic = message.topic;
    answer.what = what;
    answer.id = message.id;
    answer.fingerprint = message.fingerprint;
    return answer;
}

/// The first line in which the copies differ, from 1; 0: in none that they know.
unsigned first_difference(const std::vector<std::uint32_t>& a,
                          const std::vector<std::uint32_t>& b) {
    const std::size_t lines = std::max(a.size(), b.size());
    for (std::size_t i = 0; i < lines; ++i) {
        if (i >= a.size() || i >= b.size() || a[i] != b[i]) {
            return static_cast<unsigned>(i) + 1;
        }
    }
    return 0;
}

}  // namespace

struct FileAgreement::Round {
    ControlBackend::Answered done;
    std::uint64_t id = 0;
    Copy copy;
    bool taking = false;  ///< All have the same: they are told to take it in.
    // Of this step.
    NodeSet told;
    NodeSet answered;
    Instant said_at = kNever;
    Instant deadline;
};

FileAgreement::FileAgreement(Parts parts) : parts_(std::move(parts)) {}

FileAgreement::~FileAgreement() {
    stop();
}

void FileAgreement::stop() {
    {
        const std::lock_guard lock{mutex_};
        stopping_ = true;
    }
    arrived_.notify_all();
    thread_.join();
}

Status FileAgreement::start() {
    return thread_.start(parts_.thread.c_str(), [this] { run(); });
}

void FileAgreement::begin(ControlBackend::Answered done) {
    if (!put(Wanted{done})) {
        done(refusal(std::string{kStopped}));
    }
}

void FileAgreement::received(NodeNumber from, std::span<const std::byte> bytes) {
    if (const std::optional<AgreementMessage> message = decode_agreement(bytes)) {
        static_cast<void>(put(Received{from, *message}));
    }
}

bool FileAgreement::put(Item item) {
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

void FileAgreement::wake() {
    {
        const std::lock_guard lock{mutex_};
        woken_ = true;
    }
    arrived_.notify_all();
}

void FileAgreement::run() {
    Instant look_at = look();
    std::unique_lock lock{mutex_};
    while (!stopping_) {
        wait(lock, look_at);
        woken_ = false;
        const std::deque<Item> items = std::exchange(items_, {});
        lock.unlock();
        for (const Item& item : items) {
            if (const auto* received = std::get_if<Received>(&item)) {
                on(received->from, received->message);
            } else {
                begin_round(std::get<Wanted>(item));
            }
        }
        if (round_) {
            look_at_time();
        }
        look_at = look();
        lock.lock();
    }
    lock.unlock();
    if (round_) {
        refuse(std::string{kStopped});
    }
    for (const Item& item : std::exchange(items_, {})) {  // Nobody adds to them any more.
        if (const auto* wanted = std::get_if<Wanted>(&item)) {
            wanted->done(refusal(std::string{kStopped}));
        }
    }
}

void FileAgreement::wait(std::unique_lock<std::mutex>& lock, Instant look_at) {
    const auto awaited = [this] { return stopping_ || woken_ || !items_.empty(); };
    const Instant now = boot_now();
    const Instant until = round_ ? std::min(look_at, now + kSayAgain) : look_at;
    if (until == kForever) {
        arrived_.wait(lock, awaited);
    } else {
        arrived_.wait_for(lock, until - now, awaited);
    }
}

Instant FileAgreement::look() {
    return parts_.look ? parts_.look() : kForever;
}

// ------------------------------------------------------------------------------- the node asked

void FileAgreement::begin_round(const Wanted& wanted) {
    if (round_) {
        wanted.done(outcome(core::RequestResult::kBusy));
        return;
    }
    round_ = std::make_unique<Round>();
    round_->done = wanted.done;
    if (!parts_.members().contains(parts_.self)) {
        refuse(std::string{kNoMember} + ".");
        return;
    }
    Result<Copy> copy = parts_.read({});
    if (!copy) {
        refuse(copy.error().message);
        return;
    }
    if (const Status ready = copy->prepare(); !ready) {
        refuse(ready.error().message);
        return;
    }
    round_->id = random_id();
    round_->copy = std::move(*copy);
    round_->deadline = boot_now() + kPatience;
    go_on();
}

/// Who has yet to answer. Who became a member meanwhile has to, too; who is none any more reads its
/// copy when it starts again.
NodeSet FileAgreement::awaited() const {
    return parts_.members() - NodeSet::of(parts_.self) - round_->answered;
}

/// To everybody who has not answered.
void FileAgreement::say() {
    AgreementMessage message;
    message.topic = parts_.topic;
    message.id = round_->id;
    message.fingerprint = round_->copy.fingerprint;
    message.what = round_->taking ? What::kTake : What::kAsk;
    if (!round_->taking) {
        message.lines = round_->copy.lines;
    }
    for (const NodeNumber n : awaited()) {
        parts_.send(n, encode(message));
        round_->told.insert(n);
    }
    round_->said_at = boot_now();
}

void FileAgreement::go_on() {
    // Nobody is known to this node then, so nobody would be waited for: it must not go on alone.
    if (!parts_.members().contains(parts_.self)) {
        refuse_step(std::string{kNoMember} + " any more");
        return;
    }
    if (const NodeSet others = awaited(); !others.empty()) {
        if (!(others - round_->told).empty()) {
            say();
        }
        return;
    }
    if (round_->taking) {
        const auto done = std::exchange(round_, nullptr)->done;
        done(parts_.done());
        return;
    }
    if (const Status taken = round_->copy.take(); !taken) {
        refuse(taken.error().message);
        return;
    }
    round_->taking = true;
    round_->told = {};
    round_->answered = {};
    round_->deadline = boot_now() + kPatience;
    go_on();
}

void FileAgreement::look_at_time() {
    go_on();
    if (!round_) {
        return;
    }
    const Instant now = boot_now();
    if (now >= round_->deadline) {
        refuse_step("Node " + parts_.node_name(awaited().lowest()) + " does not answer");
    } else if (now >= round_->said_at + kSayAgain) {
        say();
    }
}

/// Because of another node, or of what became of this one meanwhile.
void FileAgreement::refuse_step(const std::string& why) {
    refuse(why + (round_->taking
                      ? ". The former " + parts_.name + " may be in use there still: try again."
                      : ". Nothing was changed."));
}

void FileAgreement::refuse(const std::string& why) {
    const auto done = std::exchange(round_, nullptr)->done;
    done(refusal(why));
}

// ------------------------------------------------------------------------------------ every node

void FileAgreement::on(NodeNumber from, const AgreementMessage& message) {
    switch (message.what) {
        case What::kAsk: answer_ask(from, message); return;
        case What::kTake: answer_take(from, message); return;
        case What::kAnswer:
        case What::kTaken: break;
    }
    const bool expected = round_ && message.id == round_->id &&
                          (message.what == What::kTaken) == round_->taking &&
                          awaited().contains(from);
    if (!expected) {
        return;
    }
    const std::string who = "node " + parts_.node_name(from);
    switch (message.verdict) {
        case Verdict::kSame:
            round_->answered.insert(from);
            go_on();
            return;
        case Verdict::kDiffers:
            refuse_step("The " + parts_.name + "s differ: " +
                        (message.line == 0 ? "" : "line " + std::to_string(message.line) + " is ") +
                        "'" + round_->copy.line_text(message.line) + "' here and '" + message.text +
                        "' on " + who);
            return;
        case Verdict::kRefused: refuse_step(who + ": " + message.text); return;
    }
}

void FileAgreement::answer_ask(NodeNumber from, const AgreementMessage& message) {
    AgreementMessage answer = answer_to(message, What::kAnswer);
    const Result<Copy> copy = parts_.read(message.fingerprint);
    if (!copy) {
        answer.verdict = Verdict::kRefused;
        answer.text = copy.error().message;
    } else if (copy->fingerprint != message.fingerprint) {
        answer.verdict = Verdict::kDiffers;
        answer.line = first_difference(copy->lines, message.lines);
        answer.text = copy->line_text(answer.line);
    } else if (const Status ready = copy->prepare(); !ready) {
        answer.verdict = Verdict::kRefused;
        answer.text = ready.error().message;
    }
    parts_.send(from, encode(answer));
}

void FileAgreement::answer_take(NodeNumber from, const AgreementMessage& message) {
    AgreementMessage answer = answer_to(message, What::kTaken);
    const Result<Copy> copy = parts_.read(message.fingerprint);
    Status taken = Done{};
    if (!copy) {
        taken = copy.error();
    } else if (copy->fingerprint != message.fingerprint) {
        taken = Error{
            ErrorCode::kConflict, 0, "the " + parts_.name + " was changed meanwhile; try again"};
    } else {
        taken = copy->take();
    }
    if (!taken) {
        answer.verdict = Verdict::kRefused;
        answer.text = taken.error().message;
    }
    parts_.send(from, encode(answer));
}

}  // namespace css::runtime
