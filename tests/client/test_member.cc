/// A member of one group, under remote control: obeys lines on its standard input, prints what
/// happens. The tests decide.
///
///   css_test_member RUN_DIR GROUP [--cgroup DIRECTORY] [--deaf]
///
///   join [TEXT] | publish TEXT | leave | kill MEMBER   printed: done STATUS [MEMBER]
///   members                                            printed: members MEMBER/NODE/SIZE ...
///   data MEMBER                                        printed: data STATUS TEXT
///   read N                                             takes N events (with --deaf none by itself)
///
/// Events: event TYPE GROUP SERIAL MEMBER NODE REASON MISSED TEXT; at the end of the daemon: gone.

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <iostream>
#include <sstream>
#include <string>
#include <vector>

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include "css.h"

namespace {

constexpr std::int64_t kPatience = 60'000'000'000;

void say(const std::string& line) {
    std::cout << line << std::endl;
}

class Member {
public:
    Member(css_t* css, std::string group) : css_(css), group_(std::move(group)) {}

    void obey(const std::string& line) {
        std::istringstream words{line};
        std::string verb;
        std::string text;
        words >> verb >> text;
        if (verb == "join") {
            std::uint64_t member = 0;
            const int status =
                css_group_join(css_, group_.c_str(), text.data(), text.size(), &member, kPatience);
            say("done " + std::to_string(status) + " " + std::to_string(member));
        } else if (verb == "publish") {
            done(css_group_publish(css_, group_.c_str(), text.data(), text.size(), kPatience));
        } else if (verb == "leave") {
            done(css_group_leave(css_, group_.c_str(), kPatience));
        } else if (verb == "kill") {
            done(css_group_kill(css_, group_.c_str(), std::stoull(text), kPatience));
        } else if (verb == "members") {
            members();
        } else if (verb == "data") {
            data(std::stoull(text));
        } else if (verb == "read") {
            for (int count = std::stoi(text); count > 0 && take_event(); --count) {
            }
        }
    }
    /// False: none is there.
    bool take_event() {
        css_event_t event;
        const int status = css_next_event(css_, &event);
        if (status == -EAGAIN) {
            return false;
        }
        if (status != 0) {
            say("gone");
            gone_ = true;
            return false;
        }
        std::ostringstream line;
        line << "event " << event.type << ' ' << event.group << ' ' << event.serial << ' '
             << event.member << ' ' << event.node << ' ' << event.reason << ' ' << event.missed
             << ' ' << std::string(reinterpret_cast<const char*>(event.data), event.size);
        say(line.str());
        return true;
    }
    [[nodiscard]] bool is_gone() const { return gone_; }

private:
    static void done(int status) { say("done " + std::to_string(status)); }
    void members() {
        std::vector<css_member_t> all(5000);
        std::size_t count = 0;
        std::uint64_t serial = 0;
        const int status =
            css_group_members(css_, group_.c_str(), all.data(), all.size(), &count, &serial);
        std::ostringstream line;
        line << "members";
        for (std::size_t i = 0; status == 0 && i < count; ++i) {
            line << ' ' << all[i].member << '/' << all[i].node << '/' << all[i].size;
        }
        say(status == 0 ? line.str() : "members failed " + std::to_string(status));
    }
    void data(std::uint64_t member) {
        std::array<char, CSS_DATA_MAX> bytes{};
        std::size_t size = 0;
        const int status = css_group_data(css_, group_.c_str(), member, bytes.data(), &size);
        say("data " + std::to_string(status) + " " + std::string(bytes.data(), size));
    }

    css_t* css_;
    std::string group_;
    bool gone_ = false;
};

int fail(const char* step, int status) {
    std::fprintf(stderr, "css_test_member: %s: %s\n", step, std::strerror(-status));
    return 1;
}

int serve(Member& member, int events) {
    std::string input;
    for (;;) {
        std::array<pollfd, 2> wait{pollfd{STDIN_FILENO, POLLIN, 0}, pollfd{events, POLLIN, 0}};
        poll(wait.data(), events < 0 || member.is_gone() ? 1 : 2, -1);
        while (events >= 0 && member.take_event()) {
        }
        if (wait[0].revents != 0) {
            std::array<char, 4096> bytes{};
            const ssize_t got = read(STDIN_FILENO, bytes.data(), bytes.size());
            if (got <= 0) {
                return 0;
            }
            input.append(bytes.data(), static_cast<std::size_t>(got));
            for (auto end = input.find('\n'); end != std::string::npos; end = input.find('\n')) {
                member.obey(input.substr(0, end));
                input.erase(0, end + 1);
            }
        }
    }
}

}  // namespace

int main(int argc, char** argv) {
    std::string cgroup;
    bool deaf = false;
    for (int i = 3; i < argc; ++i) {
        const std::string word = argv[i];
        if (word == "--deaf") {
            deaf = true;
        } else if (word == "--cgroup" && i + 1 < argc) {
            cgroup = argv[++i];
        }
    }
    if (argc < 3) {
        std::fprintf(stderr, "usage: css_test_member RUN_DIR GROUP [--cgroup DIR] [--deaf]\n");
        return 2;
    }
    css_t* css = nullptr;
    int status = css_connect(argv[1], &css);
    if (status != 0) {
        return fail("css_connect", status);
    }
    status = cgroup.empty()
                 ? css_register_self(css)
                 : css_register_cgroup(css, open(cgroup.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (status != 0) {
        return fail("register", status);
    }
    const int events = css_event_fd(css);
    if (events < 0) {
        return fail("css_event_fd", events);
    }
    say("registered");
    Member member{css, argv[2]};
    return serve(member, deaf ? -1 : events);
}
