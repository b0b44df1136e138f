/*
 * css-hold [--run-dir DIR] FILE
 *
 * Of all that run css-hold with the same FILE in the cluster, one holds it: it writes its name and
 * its fencing token into FILE, again and again. The others stand by, and the next one in line takes
 * over when the holder is gone.
 *
 * Shown here: what a program does that shares something with other nodes.
 *
 * - Who holds is agreed upon by a group, named after FILE: the members come in the same order on
 *   all nodes, and the first one is the holder. When it has left, its process, or its whole node,
 *   is known to have stopped; so nobody writes beside the next one.
 * - Right before each write the holder asks css_may_act(): the node may have lost its lease since.
 * - The token goes with what is written, and whoever sees a larger one than its own does not write:
 *   that guards against a write that was on its way when the node was stopped.
 */
#define _GNU_SOURCE
#include <css.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { kPeriodMs = 100, kMembersMax = 4096 };

static const char kGroupPrefix[] = "css-hold:";
static volatile sig_atomic_t asked_to_end;

static void end(int number) {
    asked_to_end = number;
}

static int fail(const char* step, int status) {
    fprintf(stderr, "css-hold: %s: %s\n", step, strerror(-status));
    return 1;
}

/* The name of the group of a file: its path, as far as a name goes, without blanks. */
static void name_group(const char* file, char* group) {
    const size_t room = CSS_NAME_MAX - strlen(kGroupPrefix);
    const size_t length = strlen(file);
    snprintf(
        group, CSS_NAME_MAX + 1, "%s%s", kGroupPrefix, length > room ? file + length - room : file);
    for (char* c = group; *c != '\0'; ++c) {
        *c = *c <= ' ' || *c > '~' ? '_' : *c;
    }
}

/* 1: this member is the first in line. 0: it is not. Negative: an errno value. */
static int is_first(css_t* css, const char* group, uint64_t self) {
    css_member_t first;
    size_t count = 0;
    const int status = css_group_members(css, group, &first, 1, &count, NULL);
    if (status != 0 && status != -ENOSPC) { /* -ENOSPC: there are others behind it. */
        return status;
    }
    return count > 0 && first.member == self;
}

/* The token in the file; 0 when there is none. */
static uint64_t token_in(int file) {
    char text[256] = "";
    const ssize_t got = pread(file, text, sizeof text - 1, 0);
    const char* found = got > 0 ? strstr(text, "token ") : NULL;
    return found == NULL ? 0 : strtoull(found + strlen("token "), NULL, 10);
}

/* One write of a whole, fixed-length line. 0: not allowed now, or somebody with a larger token was
 * here. */
static int write_once(css_t* css, int file, const char* who, uint64_t count) {
    char line[256];
    uint64_t token = 0;
    if (!css_may_act(css, &token)) {
        return 0;
    }
    if (token_in(file) > token) {
        return 0;
    }
    const int length = snprintf(line,
                                sizeof line,
                                "held by %-40s token %-20" PRIu64 " count %-20" PRIu64 "\n",
                                who,
                                token,
                                count);
    /* Looked at again: the file may have been slow. From here to the write there is nothing left
     * that waits. */
    return css_may_act(css, NULL) && pwrite(file, line, (size_t)length, 0) == length;
}

/* Until the daemon is gone or we are asked to end. */
static int take_turns(css_t* css, const char* group, int file, uint64_t self) {
    char who[64];
    char host[40] = "";
    gethostname(host, sizeof host - 1);
    snprintf(who, sizeof who, "%s:%d", host, (int)getpid());
    struct pollfd wait = {.fd = css_event_fd(css), .events = POLLIN};
    uint64_t count = 0;
    int holds = 0;
    while (asked_to_end == 0) {
        const int first = is_first(css, group, self);
        if (first < 0) {
            return first;
        }
        if (first != holds) {
            holds = first;
            printf("%s\n", holds ? "holds" : "stands by");
            fflush(stdout);
        }
        if (holds && write_once(css, file, who, count)) {
            ++count;
        }
        /* The holder writes again soon; the others sleep until something happens. */
        poll(&wait, 1, holds ? kPeriodMs : -1);
        css_event_t event;
        int status = 0;
        while ((status = css_next_event(css, &event)) == 0) {
        }
        if (status != -EAGAIN) {
            return status;
        }
    }
    return css_group_leave(css, group, 5000000000);
}

int main(int argc, char** argv) {
    const char* run_dir = NULL;
    int at = 1;
    if (argc == 4 && strcmp(argv[1], "--run-dir") == 0) {
        run_dir = argv[2];
        at = 3;
    }
    if (at + 1 != argc || argv[at][0] == '-') {
        fprintf(stderr, "usage: css-hold [--run-dir DIR] FILE\n");
        return 2;
    }
    struct sigaction action = {.sa_handler = end};
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    const int file = open(argv[at], O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (file < 0) {
        return fail(argv[at], -errno);
    }
    css_t* css = NULL;
    int status = css_connect(run_dir, &css);
    if (status != 0) {
        return fail("css_connect", status);
    }
    status = css_register_self(css);
    if (status == 0) {
        status = css_wait_active(css, -1);
    }
    if (status != 0) {
        return fail("css_wait_active", status);
    }
    char group[CSS_NAME_MAX + 1];
    name_group(argv[at], group);
    if (css_event_fd(css) < 0) {
        return fail("css_event_fd", css_event_fd(css));
    }
    uint64_t self = 0;
    status = css_group_join(css, group, NULL, 0, &self, -1);
    if (status != 0) {
        return fail("css_group_join", status);
    }
    printf("member %" PRIu64 " of group %s\n", self, group);
    fflush(stdout);
    status = take_turns(css, group, file, self);
    css_unregister_self(css);
    css_disconnect(css);
    return status == 0 ? 0 : fail("the daemon", status);
}
