#include <cstdio>
#include <exception>
#include <optional>
#include <variant>

#include <malloc.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cssd/config/config.h"
#include "cssd/runtime/daemon.h"
#include "cssd/runtime/detach.h"

// The program `cssd`: reads the configuration, detaches if asked to, and hands over to Daemon.

namespace {

int finish(const css::config::Finish& finish) {
    static_cast<void>(std::fputs(finish.text.c_str(), finish.exit_code == 0 ? stdout : stderr));
    return finish.exit_code;
}

int complain(const css::Error& error) {
    static_cast<void>(std::fprintf(stderr, "cssd: %s\n", error.message.c_str()));
    return 1;
}

int serve(const css::config::Start& start) {
    std::optional<css::runtime::Detached> detached;
    switch (start.mode) {
        case css::config::RunMode::kForeground: break;
        case css::config::RunMode::kDaemon: {
            auto now = css::runtime::Detached::now();
            if (!now) {
                return complain(now.error());
            }
            detached.emplace(std::move(*now));
            break;
        }
    }
    std::optional<css::runtime::Daemon> daemon{start.config};
    if (const css::Status started = daemon->start(); !started) {
        return complain(started.error());
    }
    if (detached) {
        detached->started();
    }
    const int exit_code = daemon->run();
    const bool leaves_threads_behind = daemon->leaves_threads_behind();
    daemon.reset();
    if (leaves_threads_behind) {
        // They wait for a hung disk; static destructors must not take things away under them.
        ::_exit(exit_code);
    }
    return exit_code;
}

}  // namespace

int main(int argc, char** argv) {
    // All memory is locked: an arena for each thread would be locked too.
    static_cast<void>(::mallopt(M_ARENA_MAX, 1));
    ::umask(::umask(0) | S_IWGRP | S_IWOTH);  // Nobody else writes to what is made here.
    try {
        const auto loaded = css::config::load_config(argc, argv);
        if (const auto* text = std::get_if<css::config::Finish>(&loaded)) {
            return finish(*text);
        }
        return serve(std::get<css::config::Start>(loaded));
    } catch (const std::exception& e) {
        static_cast<void>(std::fprintf(stderr, "cssd: %s\n", e.what()));
        return 1;
    }
}
