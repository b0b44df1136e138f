#include "cssd/runtime/key_change.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <utility>

#include "cssd/runtime/clock.h"

namespace css::runtime {
namespace {

using config::LogLevel;

constexpr const char* kFunction = "clssscReplaceKey";

std::string text_of(const netbeat::Key& key) {
    std::array<char, 17> text{};
    const auto value = static_cast<unsigned long long>(netbeat::fingerprint(key));
    std::snprintf(text.data(), text.size(), "%016llx", value);
    return text.data();
}

bool is_missing(const Result<netbeat::Key>& read) {
    return !read && read.error().system_errno == ENOENT;
}

}  // namespace

KeyChange::KeyChange(Parts parts)
    : path_(parts.key_file),
      next_path_(parts.key_file + ".new"),
      keys_(parts.keys),
      log_(parts.log),
      node_name_(parts.agreement.node_name),
      times_(parts.times),
      agreement_(agreement_parts(std::move(parts.agreement))) {}

FileAgreement::Parts KeyChange::agreement_parts(FileAgreement::Parts parts) {
    parts.topic = AgreementMessage::Topic::kKeyFile;
    parts.name = "key";
    parts.thread = "key";
    parts.read = [this](std::optional<std::uint64_t> wanted) { return read(wanted); };
    parts.done = [this] {
        return nlohmann::json{{"ok", true}, {"fingerprint", text_of(keys_.keys().sealing)}};
    };
    parts.look = [this] { return look(); };
    return parts;
}

void KeyChange::unopened(NodeNumber from) {
    unopened_ = from;
    agreement_.wake();
}

// -------------------------------------------------------------------------- for the agreement

/// KEY_FILE.new; but KEY_FILE when it has that key already, so that what was asked twice, by two
/// operators or because an answer was lost, is answered twice.
Result<FileAgreement::Copy> KeyChange::read(std::optional<std::uint64_t> wanted) {
    const Result<netbeat::Key> present = netbeat::load_key_file(path_);
    if (wanted && present && netbeat::fingerprint(*present) == *wanted) {
        return copy_of(*present, path_);
    }
    const Result<netbeat::Key> next = netbeat::load_key_file(next_path_);
    const netbeat::KeyRing::Keys keys = keys_.keys();
    if (next && !wanted && *next == keys.sealing && !keys.former) {
        return Error{ErrorCode::kConflict, 0, next_path_ + ": this is the key in use"};
    }
    if (next) {
        return copy_of(*next, next_path_);
    }
    if (!is_missing(next)) {
        return next.error();
    }
    if (!wanted && keys.former && present && *present == keys.sealing) {
        return copy_of(*present, path_);
    }
    return Error{ErrorCode::kConflict,
                 ENOENT,
                 next_path_ + ": there is no such file; put the same next key there on every node"};
}

FileAgreement::Copy KeyChange::copy_of(const netbeat::Key& key, const std::string& path) {
    FileAgreement::Copy copy;
    copy.fingerprint = netbeat::fingerprint(key);
    copy.line_text = [text = path + " with fingerprint " + text_of(key)](unsigned) { return text; };
    copy.prepare = [this, key] { return keys_.hold(key); };
    copy.take = [this, key] { return take(key); };
    return copy;
}

/// Durable before visible: nobody sees a datagram under this key whose sender could start again
/// without it.
Status KeyChange::take(const netbeat::Key& key) {
    if (const Status held = keys_.hold(key); !held) {
        return held;
    }
    if (const Status placed = put_in_place(key); !placed) {
        return placed;
    }
    CSS_CHECK(keys_.move_to(key));
    return Done{};
}

Status KeyChange::put_in_place(const netbeat::Key& key) const {
    const Result<netbeat::Key> present = netbeat::load_key_file(path_);
    if (present && *present == key) {
        return Done{};
    }
    const Result<netbeat::Key> next = netbeat::load_key_file(next_path_);
    if (!next) {
        return next.error();
    }
    if (!(*next == key)) {
        return Error{ErrorCode::kConflict, 0, next_path_ + ": was changed meanwhile"};
    }
    return netbeat::replace_key_file(next_path_, path_);
}

// ---------------------------------------------------------------------------------- by itself

Instant KeyChange::look() {
    const Instant now = boot_now();
    notice_move(now);
    if (now >= drop_at_) {
        keys_.drop_former();
        drop_at_ = kForever;
        log_.trace(LogLevel::kInfo, kFunction, "NHB the former key counts no more");
    }
    if (!in_place_) {
        finish_move();
    }
    // Told only when nothing that lies here can change it; else it would come again.
    const NodeNumber unopened = unopened_.exchange({});
    if (!hold_what_lies_there() && unopened.is_some()) {
        tell_unopened(unopened);
    }
    const bool watches = !in_place_ || keys_.keys().next;
    return watches ? std::min(drop_at_, now + times_.look) : drop_at_;
}

void KeyChange::notice_move(Instant now) {
    const std::uint64_t moves = keys_.moves();
    if (std::exchange(moves_, moves) == moves) {
        return;
    }
    drop_at_ = now + times_.former_counts;
    in_place_ = false;
    told_unopened_ = {};
    log_.trace(
        LogLevel::kInfo,
        kFunction,
        "NHB sealed with the key of fingerprint " + text_of(keys_.keys().sealing) + " from now on");
}

/// This node may have followed another one, or its files refuse to be changed: then its next start
/// follows once more.
void KeyChange::finish_move() {
    const Status placed = put_in_place(keys_.keys().sealing);
    in_place_ = placed.has_value();
    if (!placed) {
        warn("the key was replaced, but not in its file: " + placed.error().message);
    }
}

/// True: another key than before opens datagrams now.
bool KeyChange::hold_what_lies_there() {
    const netbeat::KeyRing::Keys keys = keys_.keys();
    if (keys.former) {
        return false;
    }
    const Result<netbeat::Key> next = netbeat::load_key_file(next_path_);
    if (next && *next == keys.sealing) {
        keys_.release();
        return false;
    }
    if (next) {
        return keys_.hold(*next).has_value() && !(keys.next && *next == *keys.next);
    }
    if (!is_missing(next)) {
        warn(next.error().message);
        return false;
    }
    if (!keys.next) {
        return false;
    }
    // On storage that nodes share another one may have put it in the place of both already.
    const Result<netbeat::Key> present = netbeat::load_key_file(path_);
    if (present && !(*present == *keys.next)) {
        keys_.release();
        log_.trace(
            LogLevel::kInfo, kFunction, "NHB " + next_path_ + " is gone, and its key with it");
    }
    return false;
}

void KeyChange::tell_unopened(NodeNumber node) {
    if (told_unopened_.contains(node)) {
        return;
    }
    told_unopened_.insert(node);
    log_.alert("CRS-1657: Warning: datagrams of node " + node_name_(node) + " (" +
               std::to_string(node.value()) + ") are not sealed with the key of " + path_ +
               ", fingerprint " + text_of(keys_.keys().sealing) +
               ": if the key was replaced meanwhile, put the new one into " + next_path_ +
               " on the node that was away");
}

void KeyChange::warn(const std::string& what) {
    if (std::exchange(warned_, what) != what) {
        log_.alert("CRS-1657: Warning: " + what);
    }
}

}  // namespace css::runtime
