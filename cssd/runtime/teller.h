#pragma once

#include <functional>

#include "cssd/base/result.h"
#include "cssd/base/shell_thread.h"
#include "cssd/client/server/client_server.h"
#include "cssd/core/io.h"
#include "cssd/runtime/census.h"
#include "cssd/runtime/control.h"
#include "cssd/runtime/log.h"
#include "cssd/runtime/mailbox.h"
#include "cssd/runtime/render.h"
#include "cssd/runtime/requests.h"
#include "cssd/runtime/story.h"

namespace css::runtime {

/// The thread "reconfig" (SOURCES 1.5): carries out what a reconfiguration, or any other step, has
/// to tell: alert log, trace, history, watchers, clients, and the answers to requests. The
/// decisions themselves are taken in the core, in whichever thread brought the news. A slow reader
/// of any of these delays this thread, never a step.
class Teller {
public:
    struct Tells {
        Log& log;
        Story& story;
        Requests& requests;
        ControlServer& control;
        client::ClientServer& clients;
        std::function<Names()> names;
        /// After everything that the instance said before its end has been told.
        std::function<void(const core::Exit&)> on_end;
    };

    explicit Teller(Tells tells);
    ~Teller();  ///< Tells what is still queued.
    Teller(const Teller&) = delete;
    Teller& operator=(const Teller&) = delete;
    Teller(Teller&&) = delete;
    Teller& operator=(Teller&&) = delete;

    [[nodiscard]] Status start();

    // Any thread; never wait.
    void post(const core::Notice& notice);
    void post(const Record& complete);
    void post(const core::Exit& exit);

private:
    struct Item {
        When when;
        std::variant<core::Notice, Record, core::Exit> what;
    };
    void run();
    void tell(const When& when, const core::Notice& notice);
    void tell(const When& when, const Record& complete);
    void tell(const When& when, const core::Exit& exit);

    // A reconfiguration of 64 nodes says some hundred things; thousands mean that the thread hangs.
    static constexpr std::size_t kItemsMax = 8192;

    Tells tells_;
    Census census_;
    Mailbox<Item> mailbox_{kItemsMax};
    ShellThread thread_;
};

}  // namespace css::runtime
