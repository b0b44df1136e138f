/*
 * css-run [--run-dir DIR] [--cgroup DIR] -- COMMAND [ARGUMENT...]
 *
 * Runs COMMAND only while this node may act: starts it when the node is active, has it killed when
 * the node is fenced, and starts it again when the node has come back. Ends with the exit code of
 * COMMAND when that ends by itself; SIGTERM and SIGINT are handed on to it.
 *
 * Without --cgroup the command's process registers itself and then becomes COMMAND: the
 * registration stays with the process. What COMMAND forks is not covered. With --cgroup a cgroup is
 * made below DIR for COMMAND and everything that comes of it, and that is registered.
 */
#define _GNU_SOURCE
#include <css.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    kFailed = 125,   /* css-run itself. */
    kNotFound = 127, /* COMMAND. */
    kRetryMs = 200   /* How often a daemon that is not there is looked for. */
};

static volatile sig_atomic_t asked_to_end; /* The signal, or 0. */
static volatile sig_atomic_t command;      /* Its process, or 0. */

static void hand_on(int number) {
    asked_to_end = number;
    if (command > 0) {
        kill((pid_t)command, number);
    }
}

static void pause_ms(int milliseconds) {
    poll(NULL, 0, milliseconds);
}

/* A connection, however long that takes; NULL: asked to end. */
static css_t* connect_patiently(const char* run_dir) {
    css_t* css = NULL;
    while (asked_to_end == 0 && css_connect(run_dir, &css) != 0) {
        pause_ms(kRetryMs);
    }
    return css;
}

/* 0 when the node is active; else the daemon has gone, or we were asked to end. */
static int wait_active(css_t* css) {
    int status = -ETIMEDOUT;
    while (asked_to_end == 0 && status == -ETIMEDOUT) {
        status = css_wait_active(css, 200000000);
    }
    return asked_to_end != 0 ? -EINTR : status;
}

/* ------------------------------------------------------------------- one process */

/* In the child: register, wait, become the command. A node that leaves, or comes back, is waited
 * for. */
static void become_command(const char* run_dir, char** words) {
    css_t* css = connect_patiently(run_dir);
    while (css != NULL && (css_register_self(css) != 0 || wait_active(css) != 0)) {
        css_unregister_self(css);
        css_disconnect(css);
        pause_ms(kRetryMs);
        css = connect_patiently(run_dir);
    }
    if (css == NULL) {
        _exit(128 + asked_to_end);
    }
    signal(SIGTERM, SIG_DFL);
    signal(SIGINT, SIG_DFL);
    execvp(words[0], words); /* The connection closes by itself, the registration stays. */
    fprintf(stderr, "css-run: %s: %s\n", words[0], strerror(errno));
    _exit(kNotFound);
}

static pid_t start_process(const char* run_dir, char** words) {
    const pid_t self = getpid();
    const pid_t child = fork();
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* Not without us. */
        if (getppid() != self) {
            _exit(kFailed);
        }
        become_command(run_dir, words);
    }
    return child;
}

/* ------------------------------------------------------------------- a cgroup */

struct cgroup {
    char path[4096];
    int directory;
};

static int write_file(const struct cgroup* cgroup, const char* name, const char* text) {
    const int file = openat(cgroup->directory, name, O_WRONLY | O_CLOEXEC);
    if (file < 0) {
        return -errno;
    }
    const ssize_t written = write(file, text, strlen(text));
    const int status = written < 0 ? -errno : 0;
    close(file);
    return status;
}

static int make_cgroup(const char* parent, struct cgroup* cgroup) {
    const int length =
        snprintf(cgroup->path, sizeof cgroup->path, "%s/css-run-%d", parent, (int)getpid());
    if (length < 0 || (size_t)length >= sizeof cgroup->path) {
        return -ENAMETOOLONG;
    }
    if (mkdir(cgroup->path, 0755) != 0 && errno != EEXIST) {
        return -errno;
    }
    cgroup->directory = open(cgroup->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return cgroup->directory < 0 ? -errno : 0;
}

/* Whatever the command has left behind; then the cgroup goes. */
static void end_cgroup(struct cgroup* cgroup) {
    for (int tries = 0; tries < 500 && rmdir(cgroup->path) != 0 && errno == EBUSY; ++tries) {
        if (write_file(cgroup, "cgroup.kill", "1") != 0) {
            char line[64];
            char path[sizeof cgroup->path + 16];
            snprintf(path, sizeof path, "%s/cgroup.procs", cgroup->path);
            FILE* processes = fopen(path, "re");
            while (processes != NULL && fgets(line, sizeof line, processes) != NULL) {
                const long pid = strtol(line, NULL, 10);
                if (pid > 1) {
                    kill((pid_t)pid, SIGKILL);
                }
            }
            if (processes != NULL) {
                fclose(processes);
            }
        }
        pause_ms(10);
    }
    close(cgroup->directory);
}

/* In the child, which is in the cgroup before it becomes anything. */
static pid_t start_in_cgroup(const struct cgroup* cgroup, char** words) {
    const pid_t child = fork();
    if (child == 0) {
        if (write_file(cgroup, "cgroup.procs", "0") != 0) {
            _exit(kFailed);
        }
        signal(SIGTERM, SIG_DFL);
        signal(SIGINT, SIG_DFL);
        execvp(words[0], words);
        fprintf(stderr, "css-run: %s: %s\n", words[0], strerror(errno));
        _exit(kNotFound);
    }
    return child;
}

/* ------------------------------------------------------------------- both */

static int wait_for(pid_t child) {
    int status = 0;
    command = child;
    if (asked_to_end != 0) {
        kill(child, asked_to_end);
    }
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    command = 0;
    return status;
}

/* Killed by somebody else than us: at fencing, or when the daemon died. */
static int was_fenced(int status) {
    return asked_to_end == 0 && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
}

static int exit_code(int status) {
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int run_process(const char* run_dir, char** words) {
    for (;;) {
        const pid_t child = start_process(run_dir, words);
        if (child < 0) {
            perror("css-run: fork");
            return kFailed;
        }
        const int status = wait_for(child);
        if (!was_fenced(status)) {
            return exit_code(status);
        }
        pause_ms(kRetryMs);
    }
}

static int run_cgroup(const char* run_dir, const char* parent, char** words) {
    for (;;) {
        struct cgroup cgroup;
        int status = make_cgroup(parent, &cgroup);
        if (status != 0) {
            fprintf(stderr, "css-run: %s: %s\n", parent, strerror(-status));
            return kFailed;
        }
        int ended = 0;
        css_t* css = connect_patiently(run_dir);
        status = css == NULL ? -EINTR : css_register_cgroup(css, cgroup.directory);
        if (status == 0) {
            status = wait_active(css);
        }
        if (status == 0) {
            ended = wait_for(start_in_cgroup(&cgroup, words));
        }
        end_cgroup(&cgroup);
        css_unregister_self(css); /* Nothing is in it any more. */
        css_disconnect(css);
        if (status == -EINVAL || status == -EPERM || status == -EOPNOTSUPP) {
            fprintf(stderr, "css-run: %s cannot be registered: %s\n", parent, strerror(-status));
            return kFailed;
        }
        if (asked_to_end != 0) {
            return status == 0 ? exit_code(ended) : 128 + asked_to_end;
        }
        if (status == 0 && !was_fenced(ended)) {
            return exit_code(ended);
        }
        pause_ms(kRetryMs);
    }
}

int main(int argc, char** argv) {
    const char* run_dir = NULL;
    const char* cgroup = NULL;
    int at = 1;
    for (; at + 1 < argc && strcmp(argv[at], "--") != 0; at += 2) {
        if (strcmp(argv[at], "--run-dir") == 0) {
            run_dir = argv[at + 1];
        } else if (strcmp(argv[at], "--cgroup") == 0) {
            cgroup = argv[at + 1];
        } else {
            break;
        }
    }
    if (at + 1 >= argc || strcmp(argv[at], "--") != 0) {
        fprintf(stderr, "usage: css-run [--run-dir DIR] [--cgroup DIR] -- COMMAND [ARGUMENT...]\n");
        return 2;
    }
    struct sigaction action = {.sa_handler = hand_on};
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    return cgroup == NULL ? run_process(run_dir, &argv[at + 1])
                          : run_cgroup(run_dir, cgroup, &argv[at + 1]);
}
