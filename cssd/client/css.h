/**
 * @file css.h
 * Cluster Synchronization Services for programs that act only while their node may.
 *
 * A node holds a lease that ends by itself. A program that shares something with other nodes (a
 * volume, an address, a job) connects to the node's daemon, registers itself, and asks
 * css_may_act() right before each thing it does:
 *
 *     css_t *css;
 *     if (css_connect(NULL, &css) || css_register_self(css)) { ... }
 *     css_wait_active(css, -1);
 *     uint64_t token;
 *     while (css_may_act(css, &token)) { write_something(token); }
 *
 * A registered process is killed when the node is fenced, no later than the end of the lease. What
 * it has handed to the kernel or to another host by then is not called back: give the token with
 * it, and let the receiver refuse tokens smaller than the largest it has seen.
 *
 * When the daemon or its node goes away nothing special happens: the lease ends, css_may_act() says
 * no, and stays so for this handle. Connect again for a new lease.
 *
 * Threads: every function may be called from any thread, on the same handle too, except
 * css_disconnect(), which must be the last. After fork() the child's copy of a handle says no to
 * everything: the child is not registered. Errors are negative errno values.
 */
#ifndef CSS_H
#define CSS_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A connection to the daemon of this host. */
typedef struct css_handle css_t;

/** Version of this interface: grows when functions are added. None is ever changed or removed. */
#define CSS_API_VERSION 1

/**
 * Connects to the daemon that serves @p run_dir (NULL: $CSS_RUN_DIR, else /run/cssd) and maps its
 * lease. Waits at most five seconds for the daemon's answer.
 * @return 0 and the handle in @p css, or -ECONNREFUSED/-ENOENT (no daemon), -EPROTO (not a daemon
 *         of this version), -ETIMEDOUT, -ENAMETOOLONG, -ENOMEM or another system error.
 */
int css_connect(const char* run_dir, css_t** css);

/** Disconnects and frees the handle; NULL is fine. Does not unregister: a process that registered
 *  is still killed at fencing. Call css_unregister_self() first when it will act no more. */
void css_disconnect(css_t* css);

/**
 * Registers the calling process to be killed (SIGKILL) when the node is fenced. Without it
 * css_may_act() never says yes: who cannot be stopped may not act. Processes forked later are not
 * covered. Both guardians hold the registration when this returns 0. Waits at most five seconds.
 * @return 0, -EALREADY (registered before), -EAGAIN (the node is leaving, being fenced, or has too
 *         many clients), -ECONNRESET (daemon gone), -ETIMEDOUT.
 */
int css_register_self(css_t* css);

/**
 * Registers a whole cgroup instead of the calling process: at fencing every process in it and below
 * it is killed, whatever it forked. Afterwards css_may_act() answers for the cgroup; the caller
 * vouches that everything that acts is in it, from before its first act. A handle registers one
 * thing: its process or one cgroup. When the handle goes away without css_unregister_self() the
 * cgroup stays registered until it is empty.
 * @param directory a descriptor of the cgroup's directory (O_PATH is enough): version 2, or version
 *        1 with the freezer; not the root of its hierarchy; without the daemon in it. The caller is
 *        root or owns its cgroup.procs. Not taken over: close it at will.
 * @return 0, or as css_register_self(), or -EBADF, -EINVAL (no such cgroup), -EPERM (another's),
 *         -EOPNOTSUPP (this daemon cannot kill cgroups).
 */
int css_register_cgroup(css_t* css, int directory);

/** Takes the registration back, of the process or the cgroup: the caller promises that it acts no
 *  more.
 *  @return 0, -EINVAL (not registered), -ECONNRESET. */
int css_unregister_self(css_t* css);

/**
 * May this process act now? Reads a shared page and the clock: no system call, well below a
 * microsecond. The answer holds at the moment of the call; css_lease_left() says for how long.
 * @param token where to put the fencing token, if the answer is yes; may be NULL.
 * @return 1 yes; 0 no (not active, lease ended, daemon gone or frozen, not registered, NULL).
 */
int css_may_act(const css_t* css, uint64_t* token);

/** Time until the lease ends if nothing more is heard from the other nodes, in nanoseconds of
 *  CLOCK_BOOTTIME. 0 when this process may not act. */
int64_t css_lease_left(const css_t* css);

/** The fencing token: grows with every change of the membership. 0 when this process may not act.
 */
uint64_t css_token(const css_t* css);

/**
 * Waits until css_may_act() says yes.
 * @param timeout_ns nanoseconds; negative: without end.
 * @return 0, -ETIMEDOUT, -ECONNRESET (daemon gone: never for this handle), -EPERM (not registered).
 */
int css_wait_active(css_t* css, int64_t timeout_ns);

#ifdef __cplusplus
}
#endif

#endif
