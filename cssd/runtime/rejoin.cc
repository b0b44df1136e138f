#include "cssd/runtime/rejoin.h"

namespace css::runtime {

Rejoin::Step Rejoin::begin(Instant now) {
    number_ = 0;
    due_ = now;
    return look(now, false);
}

Rejoin::Step Rejoin::look(Instant now, bool active) {
    if (due_ == kForever) {
        return Step::kNothing;
    }
    if (active) {
        due_ = kForever;
        number_ = 0;
        return Step::kDone;
    }
    if (now < due_) {
        return Step::kNothing;
    }
    if (number_ == tries_) {
        due_ = kForever;
        number_ = 0;
        return Step::kGiveUp;
    }
    ++number_;
    due_ = now + interval_;
    return Step::kTry;
}

}  // namespace css::runtime
