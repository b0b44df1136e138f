/// Stands where cssd will stand: a real process with a real link to real guardians, a lease page
/// and a client socket. Obeys lines on its standard input, prints what the link tells it. It
/// decides nothing; the tests do.
///
///   lease SERIAL END_NS FLAGS   FLAGS: any of a(rmed) r(eleased) f(inal) m(ay act), or -
///   instance UNIQUE             the instance of what follows (first: 1)
///   fence DEADLINE_NS | drain PATIENCE_NS | shutdown | clients | warnings | exit
///   enlist CLIENT PID | dismiss CLIENT | ask_to_end

#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <mutex>
#include <sstream>
#include <string>

#include <sys/prctl.h>

#include "cssd/base/unique_fd.h"
#include "cssd/client/lease_page_writer.h"
#include "cssd/client/server/client_server.h"
#include "kill_block/guardian/process.h"
#include "kill_block/link/guardian_link.h"

namespace {

using css::Duration;
using css::Incarnation;
using css::Instance;
using css::Instant;
using css::NodeNumber;
using css::Unique;
using css::client::ClientServer;
using css::client::ClientServerOptions;
using css::client::LeasePageWriter;
using css::client::LeaseState;
using css::guardian::EnlistOutcome;
using css::guardian::Finality;
using css::guardian::GuardianEvents;
using css::guardian::GuardianLink;
using css::guardian::GuardianLinkOptions;
using css::guardian::Which;

std::mutex output_mutex;

void say(const std::string& line) {
    const std::lock_guard lock{output_mutex};
    std::cout << line << std::endl;
}

class FakeDaemon {
public:
    explicit FakeDaemon(LeasePageWriter page) : page_(std::move(page)) {}

    css::Status open(GuardianLinkOptions options) {
        options.page_fd = page_.fd();
        auto link = GuardianLink::start(options, events());
        if (!link) {
            return link.error();
        }
        link_ = std::move(*link);
        ClientServerOptions clients;
        clients.run_dir = options.run_dir;
        clients.page_fd = page_.reader_fd();
        clients.enlist = [this](std::uint64_t client, int pidfd) {
            link_->enlist_client(client, pidfd);
        };
        clients.dismiss = [this](std::uint64_t client) { link_->dismiss_client(client); };
        auto server = ClientServer::start(std::move(clients));
        if (!server) {
            return server.error();
        }
        const std::lock_guard lock{server_mutex_};
        server_ = std::move(*server);
        return css::Done{};
    }

    /// False: exit.
    bool obey(const std::string& line) {
        std::istringstream words{line};
        std::string verb;
        words >> verb;
        if (verb == "lease") {
            lease(words);
        } else if (verb == "instance") {
            std::uint32_t unique = 0;
            words >> unique;
            instance_ = Instance{NodeNumber{1}, Unique{unique}};
        } else if (verb == "fence") {
            link_->fence({.reason = css::core::StopReason::kLeaseLapsed,
                          .by = NodeNumber{2},
                          .deadline = instant(words)},
                         instance_);
        } else if (verb == "drain") {
            link_->drain(instance_, instant(words).time_since_epoch());
        } else if (verb == "enlist") {
            std::uint64_t client = 0;
            pid_t pid = 0;
            words >> client >> pid;
            const css::UniqueFd pidfd{css::guardian::open_pidfd(pid)};
            link_->enlist_client(client, pidfd.get());
        } else if (verb == "dismiss") {
            std::uint64_t client = 0;
            words >> client;
            link_->dismiss_client(client);
        } else if (verb == "ask_to_end") {
            server_->ask_to_end();
        } else if (verb == "shutdown") {
            link_->shutdown();
        } else if (verb == "clients") {
            say("left " + std::to_string(link_->clients_left()));
        } else if (verb == "warnings") {
            say("warnings " + std::to_string(link_->warnings().size()));
        } else {
            return false;
        }
        return true;
    }

private:
    static Instant instant(std::istringstream& words) {
        std::int64_t ns = 0;
        words >> ns;
        return Instant{Duration{ns}};
    }

    void lease(std::istringstream& words) {
        css::core::LeaseUpdate update;
        std::string flags;
        words >> update.serial;
        update.end = instant(words);
        words >> flags;
        const auto has = [&flags](char c) { return flags.find(c) != std::string::npos; };
        update.armed = has('a');
        update.released = has('r');
        update.may_act = has('m');
        update.token = Incarnation{update.serial};
        page_.publish(LeaseState{.instance = instance_,
                                 .end = update.end,
                                 .token = update.token,
                                 .may_act = update.may_act});
        link_->send(update, instance_, has('f') ? Finality::kFinal : Finality::kRenewable);
    }

    GuardianEvents events() {
        GuardianEvents events;
        events.on_ready = [] { say("ready"); };
        events.on_waiting = [](Which which, bool alive, std::size_t clients) {
            say(std::string{"waiting "} + name_of(which) + (alive ? " alive " : " dead ") +
                std::to_string(clients));
        };
        events.on_acknowledged = [](Instance instance, std::uint64_t serial) {
            say("acked " + std::to_string(instance.unique.value()) + " " + std::to_string(serial));
        };
        events.on_lost = [](Which which, const std::string& reason) {
            say(std::string{"lost "} + name_of(which) + " " + reason);
        };
        events.on_clients_gone = [] { say("gone"); };
        events.on_client = [this](std::uint64_t client, EnlistOutcome outcome) {
            const bool held = outcome == EnlistOutcome::kHeld;
            say("client " + std::to_string(client) + (held ? " held" : " refused"));
            const std::lock_guard lock{server_mutex_};
            if (server_ != nullptr) {
                server_->enlisted(client, held);
            }
        };
        return events;
    }

    Instance instance_{NodeNumber{1}, Unique{1}};
    LeasePageWriter page_;
    std::mutex server_mutex_;
    std::unique_ptr<GuardianLink> link_;
    std::unique_ptr<ClientServer> server_;
};

}  // namespace

/// RUN_DIR GUARDIAN_DIR ACK_BOUND_MS LAST_WORDS_MS
int main(int argc, char** argv) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (argc != 5) {
        return 2;
    }
    GuardianLinkOptions options;
    options.run_dir = argv[1];
    options.guardian_dir = argv[2];
    options.ack_bound = std::chrono::milliseconds{std::atoi(argv[3])};
    options.last_words = std::chrono::milliseconds{std::atoi(argv[4])};
    auto page = LeasePageWriter::create();
    if (!page) {
        say("error " + page.error().message);
        return 1;
    }
    FakeDaemon daemon{std::move(*page)};
    if (const auto status = daemon.open(options); !status) {
        say("error " + status.error().message);
        return 1;
    }
    say("open");
    std::string line;
    while (std::getline(std::cin, line) && daemon.obey(line)) {
    }
    return 0;
}
