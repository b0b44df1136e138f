/// Stands where cssd will stand: a real process with a real link to real guardians, a lease page
/// and a client socket. Obeys lines on its standard input, prints what the link tells it. It
/// decides nothing; the tests do.
///
///   lease SERIAL END_NS FLAGS   FLAGS: any of a(rmed) r(eleased) f(inal) m(ay act), or -
///   instance UNIQUE             the instance of what follows (first: 1)
///   fence DEADLINE_NS | drain PATIENCE_NS | shutdown | clients | warnings | exit
///   enlist CLIENT PID | enlist_cgroup CLIENT v1|v2 PATH | dismiss CLIENT | ask_to_end
///   reboottime MS               of the leases that follow (first: 0, unknown)
///   say PORT                    makes the farewells: datagrams RESETTING and FENCED to 127.0.0.1
///   page | reset                another lease page; reset this host

#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <mutex>
#include <sstream>
#include <string>

#include <fcntl.h>
#include <sys/prctl.h>

#include "cssd/base/unique_fd.h"
#include "cssd/client/lease_page_writer.h"
#include "cssd/client/server/client_server.h"
#include "kill_block/guardian/process.h"
#include "kill_block/link/guardian_link.h"
#include "kill_block/link/orders_page.h"

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
using css::guardian::Action;
using css::guardian::ClientForm;
using css::guardian::EnlistOutcome;
using css::guardian::FarewellTarget;
using css::guardian::Finality;
using css::guardian::FormerClient;
using css::guardian::GuardianEvents;
using css::guardian::GuardianLink;
using css::guardian::GuardianLinkOptions;
using css::guardian::OrdersText;
using css::guardian::OrdersWriter;
using css::guardian::Which;

std::mutex output_mutex;

void say(const std::string& line) {
    const std::lock_guard lock{output_mutex};
    std::cout << line << std::endl;
}

class FakeDaemon {
public:
    FakeDaemon(LeasePageWriter page, OrdersWriter orders)
        : page_(std::move(page)), orders_(std::move(orders)) {}

    css::Status open(GuardianLinkOptions& options) {
        options.page_fd = page_->fd();
        options.orders_fd = orders_.fd();
        auto link = GuardianLink::start(options, events());
        if (!link) {
            return link.error();
        }
        link_ = std::move(*link);
        ClientServerOptions clients;
        clients.run_dir = options.run_dir;
        clients.page_fd = page_->reader_fd();
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
        } else if (verb == "enlist_cgroup") {
            std::uint64_t client = 0;
            std::string version;
            std::string path;
            words >> client >> version >> path;
            const css::UniqueFd directory{open_directory(path)};
            link_->enlist_client(client,
                                 directory.get(),
                                 version == "v1" ? ClientForm::kFreezer : ClientForm::kCgroup);
        } else if (verb == "reboottime") {
            std::int64_t ms = 0;
            words >> ms;
            reboottime_ = std::chrono::milliseconds{ms};
        } else if (verb == "say") {
            std::uint16_t port = 0;
            words >> port;
            say_farewells(port);
        } else if (verb == "page") {
            auto page = LeasePageWriter::create();
            CSS_CHECK(page.has_value());
            page_.emplace(std::move(*page));
            link_->renew_page(page_->fd());
        } else if (verb == "reset") {
            link_->reset_host();
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

    static int open_directory(const std::string& path) {
        return ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    }

    void say_farewells(std::uint16_t port) {
        FarewellTarget target{};
        for (auto* address : {&target.from, &target.to}) {
            address->ipv4.sin_family = AF_INET;
            address->ipv4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        }
        target.to.ipv4.sin_port = htons(port);
        const std::string resetting = "RESETTING";
        const std::string fenced = "FENCED";
        orders_.say(instance_,
                    {std::as_bytes(std::span{resetting}), std::as_bytes(std::span{fenced})},
                    {&target, 1});
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
        update.reboottime = reboottime_;
        page_->publish(LeaseState{.instance = instance_,
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
        events.on_watchdog = [](bool armed, const std::string& what) {
            say(std::string{"watchdog "} + (armed ? "armed " : "unarmed ") + what);
        };
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
    Duration reboottime_{};
    std::optional<LeasePageWriter> page_;
    OrdersWriter orders_;
    std::mutex server_mutex_;
    std::unique_ptr<GuardianLink> link_;
    std::unique_ptr<ClientServer> server_;
};

/// What the arguments `key=value` say.
void take_option(const std::string& option, GuardianLinkOptions& options, OrdersText& orders) {
    const auto equals = option.find('=');
    const std::string key = option.substr(0, equals);
    const std::string value = option.substr(equals + 1);
    if (key == "action") {
        orders.action = value == "reboot"         ? Action::kReboot
                        : value == "kill-clients" ? Action::kKillClients
                        : value == "command"      ? Action::kCommand
                                                  : Action::kExit;
    } else if (key == "drain") {
        orders.drain_command = value;
    } else if (key == "command") {
        orders.fence_command = value;
    } else if (key == "watchdog") {
        orders.watchdog = value;
    } else if (key == "former") {
        FormerClient& former = options.formers.emplace_back();
        former.descriptor.reset(css::guardian::open_pidfd(std::atoi(value.c_str())));
    } else {
        say("error unknown option " + key);
    }
}

}  // namespace

/// RUN_DIR GUARDIAN_DIR ACK_BOUND_MS LAST_WORDS_MS [KEY=VALUE]...
int main(int argc, char** argv) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (argc < 5) {
        return 2;
    }
    GuardianLinkOptions options;
    options.run_dir = argv[1];
    options.guardian_dir = argv[2];
    options.ack_bound = std::chrono::milliseconds{std::atoi(argv[3])};
    options.last_words = std::chrono::milliseconds{std::atoi(argv[4])};
    OrdersText text;
    text.node = NodeNumber{1};
    text.node_name = "node1";
    text.run_dir = options.run_dir;
    text.alert_log = options.run_dir + "/alert.log";
    text.trace_file = options.run_dir + "/cssd.trc";
    text.reset_file = options.run_dir + "/reset";  // No test resets this machine.
    for (int i = 5; i < argc; ++i) {
        take_option(argv[i], options, text);
    }
    options.action = text.action;
    options.drain_hook = !text.drain_command.empty();
    options.reset_file = text.reset_file;
    options.watchdog_device = text.watchdog;
    auto page = LeasePageWriter::create();
    auto orders = OrdersWriter::create(text);
    if (!page || !orders) {
        say("error " + (page ? orders.error() : page.error()).message);
        return 1;
    }
    FakeDaemon daemon{std::move(*page), std::move(*orders)};
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
