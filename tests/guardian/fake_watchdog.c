/* A stand-in for /dev/watchdog where the kernel has none: a FUSE mount with one file,
 * MOUNT/watchdog, that speaks the watchdog's interface: it runs from its first opening, takes one
 * opener, is fed by a write or WDIOC_KEEPALIVE, stops only for a close after a 'V'.
 *
 *   css_fake_watchdog MOUNT TIMEOUT_S [stubborn|nowayout|deaf]
 *     stubborn: takes every time-out and keeps its own
 *     nowayout: not even a 'V' stops it
 *     deaf:     cannot be opened (EIO)
 *
 * Says on stdout what happens, with CLOCK_BOOTTIME in ns: `ready`, `armed`, `timeout N`, `fed`,
 * `disarmed`, `closed` (without a V: it runs on), `FIRED`. Ends, and is unmounted, by SIGTERM and
 * with its parent.
 */
#define FUSE_USE_VERSION 314
#include <errno.h>
#include <fuse_lowlevel.h>
#include <linux/watchdog.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { kRoot = 1, kDevice = 2 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int64_t timeout_ns;
static int64_t deadline;
static bool armed, opened, magic;
static bool stubborn, nowayout, deaf;

static int64_t now(void) {
    struct timespec t;
    clock_gettime(CLOCK_BOOTTIME, &t);
    return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

static void say(const char* what) {
    printf("%lld %s\n", (long long)now(), what);
    fflush(stdout);
}

static void feed(void) {
    deadline = now() + timeout_ns;
    say(armed ? "fed" : "armed");
    armed = true;
}

static void* watch(void* unused) {
    (void)unused;
    for (;;) {
        const struct timespec pause = {0, 5000000};
        nanosleep(&pause, NULL);
        pthread_mutex_lock(&lock);
        if (armed && now() > deadline) {
            armed = false;
            say("FIRED");
        }
        pthread_mutex_unlock(&lock);
    }
    return NULL;
}

static int attributes_of(fuse_ino_t inode, struct stat* s) {
    memset(s, 0, sizeof *s);
    s->st_ino = inode;
    s->st_mode = inode == kRoot ? S_IFDIR | 0755 : S_IFREG | 0600;
    s->st_nlink = inode == kRoot ? 2 : 1;
    return inode == kRoot || inode == kDevice ? 0 : ENOENT;
}

static void on_lookup(fuse_req_t request, fuse_ino_t parent, const char* name) {
    struct fuse_entry_param entry;
    memset(&entry, 0, sizeof entry);
    (void)parent;
    if (strcmp(name, "watchdog") != 0) {
        fuse_reply_err(request, ENOENT);
        return;
    }
    entry.ino = kDevice;
    attributes_of(kDevice, &entry.attr);
    fuse_reply_entry(request, &entry);
}

static void on_getattr(fuse_req_t request, fuse_ino_t inode, struct fuse_file_info* file) {
    struct stat s;
    (void)file;
    if (attributes_of(inode, &s) != 0) {
        fuse_reply_err(request, ENOENT);
    } else {
        fuse_reply_attr(request, &s, 1);
    }
}

static void on_open(fuse_req_t request, fuse_ino_t inode, struct fuse_file_info* file) {
    int error = 0;
    (void)inode;
    pthread_mutex_lock(&lock);
    if (deaf) {
        error = EIO;
    } else if (opened) {
        error = EBUSY;
    } else {
        opened = true;
        magic = false;
        feed();
    }
    pthread_mutex_unlock(&lock);
    if (error != 0) {
        fuse_reply_err(request, error);
        return;
    }
    file->direct_io = 1;
    fuse_reply_open(request, file);
}

static void on_write(fuse_req_t request,
                     fuse_ino_t inode,
                     const char* bytes,
                     size_t size,
                     off_t offset,
                     struct fuse_file_info* file) {
    (void)inode;
    (void)offset;
    (void)file;
    pthread_mutex_lock(&lock);
    magic = memchr(bytes, 'V', size) != NULL;
    feed();
    pthread_mutex_unlock(&lock);
    fuse_reply_write(request, size);
}

static void on_release(fuse_req_t request, fuse_ino_t inode, struct fuse_file_info* file) {
    (void)inode;
    (void)file;
    pthread_mutex_lock(&lock);
    opened = false;
    if (magic && !nowayout) {
        armed = false;
        say("disarmed");
    } else {
        say("closed");
    }
    pthread_mutex_unlock(&lock);
    fuse_reply_err(request, 0);
}

static void set_timeout(int seconds) {
    char text[32];
    if (!stubborn) {
        timeout_ns = seconds * INT64_C(1000000000);
    }
    snprintf(text, sizeof text, "timeout %d", seconds);
    say(text);
    feed();
}

static void on_ioctl(fuse_req_t request,
                     fuse_ino_t inode,
                     unsigned command,
                     void* argument,
                     struct fuse_file_info* file,
                     unsigned flags,
                     const void* in,
                     size_t in_size,
                     size_t out_size) {
    int value = in_size >= sizeof value ? *(const int*)in : 0;
    int error = 0;
    (void)inode;
    (void)argument;
    (void)file;
    (void)flags;
    (void)out_size;
    pthread_mutex_lock(&lock);
    switch (command) {
        case WDIOC_KEEPALIVE: feed(); break;
        case WDIOC_SETTIMEOUT:
            if (value < 1 || value > 65535) {
                error = EINVAL;
            } else {
                set_timeout(value);
            }
            break;
        case WDIOC_GETTIMEOUT: value = (int)(timeout_ns / 1000000000); break;
        default: error = ENOTTY;
    }
    pthread_mutex_unlock(&lock);
    if (error != 0) {
        fuse_reply_err(request, error);
    } else {
        const bool reads = (_IOC_DIR(command) & _IOC_READ) != 0;
        fuse_reply_ioctl(request, 0, reads ? &value : NULL, reads ? sizeof value : 0);
    }
}

static const struct fuse_lowlevel_ops operations = {.lookup = on_lookup,
                                                    .getattr = on_getattr,
                                                    .open = on_open,
                                                    .write = on_write,
                                                    .release = on_release,
                                                    .ioctl = on_ioctl};

int main(int argc, char** argv) {
    if (argc < 3) {
        fprintf(stderr, "css_fake_watchdog MOUNT TIMEOUT_S [stubborn|nowayout|deaf]\n");
        return 2;
    }
    timeout_ns = atoi(argv[2]) * INT64_C(1000000000);
    stubborn = argc > 3 && strcmp(argv[3], "stubborn") == 0;
    nowayout = argc > 3 && strcmp(argv[3], "nowayout") == 0;
    deaf = argc > 3 && strcmp(argv[3], "deaf") == 0;
    char name[] = "css_fake_watchdog";
    char option[] = "-o";
    char value[] = "fsname=css_fake_watchdog";
    char* words[] = {name, option, value, NULL};
    struct fuse_args arguments = FUSE_ARGS_INIT(3, words);
    struct fuse_session* session =
        fuse_session_new(&arguments, &operations, sizeof operations, NULL);
    if (session == NULL || fuse_session_mount(session, argv[1]) != 0) {
        return 1;
    }
    pthread_t thread;
    if (fuse_set_signal_handlers(session) != 0 || pthread_create(&thread, NULL, watch, NULL) != 0) {
        return 1;
    }
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    say("ready");
    const int failed = fuse_session_loop(session);
    fuse_session_unmount(session);
    return failed == 0 ? 0 : 1;
}
