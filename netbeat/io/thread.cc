#include "netbeat/io/thread.h"

#include <cstring>
#include <system_error>
#include <utility>

#include <signal.h>

#include "cssd/base/check.h"

namespace css::netbeat {

namespace {

// Locked memory counts stacks whole. The deepest user keeps a few KiB of arrays on it, and one step
// of the core.
constexpr std::size_t kStackSize = 128 * 1024;
constexpr std::size_t kThreadNameMax = 15;

}  // namespace

NamedThread::~NamedThread() {
    CSS_CHECK(!joinable_);
}

Status NamedThread::start(const char* name, std::function<void()> body) {
    CSS_CHECK(!body_);
    CSS_CHECK(body);
    CSS_CHECK(std::strlen(name) <= kThreadNameMax);
    name_ = name;
    body_ = std::move(body);
    pthread_attr_t attributes;
    CSS_CHECK(::pthread_attr_init(&attributes) == 0);
    CSS_CHECK(::pthread_attr_setstacksize(&attributes, kStackSize) == 0);
    // The new thread inherits the mask, so no signal can reach it even at its very beginning.
    sigset_t all;
    sigset_t before;
    ::sigfillset(&all);
    CSS_CHECK(::pthread_sigmask(SIG_SETMASK, &all, &before) == 0);
    const int error = ::pthread_create(&thread_, &attributes, &NamedThread::run, this);
    CSS_CHECK(::pthread_sigmask(SIG_SETMASK, &before, nullptr) == 0);
    ::pthread_attr_destroy(&attributes);
    if (error != 0) {
        return Error{ErrorCode::kSystem,
                     error,
                     std::string{"cannot start thread '"} + name +
                         "': " + std::generic_category().message(error)};
    }
    joinable_ = true;
    return Done{};
}

void NamedThread::join() {
    if (std::exchange(joinable_, false)) {
        CSS_CHECK(::pthread_join(thread_, nullptr) == 0);
    }
}

void* NamedThread::run(void* self) {
    auto* const thread = static_cast<NamedThread*>(self);
    ::pthread_setname_np(::pthread_self(), thread->name_);
    thread->body_();
    return nullptr;
}

}  // namespace css::netbeat
