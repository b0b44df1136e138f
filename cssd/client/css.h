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
 * Besides: who is in the cluster and who left it why (css_get_membership()); a descriptor that is
 * readable when something happened (css_event_fd()); and named groups of programs over all nodes,
 * whose members see each other come, publish data and go, in the same order everywhere
 * (css_group_join()).
 *
 * Threads: every function may be called from any thread, on the same handle too, except
 * css_disconnect(), which must be the last. Functions that ask the daemon wait for each other on
 * one handle, so a thread that must not wait for another has a handle of its own; css_may_act(),
 * css_lease_left(), css_token(), css_wait_active() and css_next_event() never wait for them.
 * After fork() the child's copy of a handle says no to everything: the child is not registered.
 * Errors are negative errno values. Times are nanoseconds of CLOCK_BOOTTIME.
 */
#ifndef CSS_H
#define CSS_H

#include <stddef.h>
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

/* -------------------------------------------------------------------------- membership */

/** Most nodes of a cluster. */
#define CSS_NODES_MAX 64
/** Longest name of a node or group, in bytes, without the zero at its end. */
#define CSS_NAME_MAX 63

/** Why a node, or a member of a group, is no longer there. */
enum css_reason {
    CSS_REASON_NONE = 0,
    CSS_REASON_LEFT = 1,      /**< It left by itself: a node after a clean stop, a member. */
    CSS_REASON_GONE = 2,      /**< A member whose process has ended. */
    CSS_REASON_KILLED = 3,    /**< A member that another one had killed. */
    CSS_REASON_NODE = 4,      /**< A member whose node is gone. */
    CSS_REASON_LINK_LOST = 5, /**< A node that the others could not reach any more. */
    CSS_REASON_EVICTED = 6,   /**< A node evicted by hand, or because a member did not die. */
    CSS_REASON_STOPPED = 7,   /**< A node that stopped itself: fenced, or being reset. */
    CSS_REASON_RESTARTED = 8, /**< A node whose daemon came back as another instance. */
    CSS_REASON_OTHER = 9,
};

/** A member of the cluster. */
typedef struct css_node {
    uint32_t number;             /**< 1 to 64: its line in the nodes file. */
    uint32_t unique;             /**< With the number: one life of its daemon. */
    uint64_t since;              /**< First incarnation in which this daemon saw it. */
    char name[CSS_NAME_MAX + 1]; /**< From the nodes file of this node. */
} css_node_t;

/** A node that was a member and is none now. */
typedef struct css_departure {
    uint32_t number;
    uint32_t unique;
    uint32_t reason;      /**< enum css_reason. */
    uint32_t reserved;    /**< Zero. */
    uint64_t incarnation; /**< The first one without it. */
    char name[CSS_NAME_MAX + 1];
} css_departure_t;

/** One membership. Complete: every node that is not in it is known to have stopped. */
typedef struct css_membership {
    uint64_t incarnation; /**< Its number: grows with each; the fencing token of its members. */
    uint32_t self;        /**< Number of this node. */
    uint32_t nodes;       /**< How many are in @p node, in order of their numbers. */
    uint32_t departures;  /**< How many are in @p departure. */
    uint32_t reserved;    /**< Zero. */
    css_node_t node[CSS_NODES_MAX];
    /** The last departure of each node that this daemon saw go and that has not come back. */
    css_departure_t departure[CSS_NODES_MAX];
} css_membership_t;

/**
 * The newest complete membership that this node knows. Waits at most five seconds for the daemon.
 * @return 0, -EAGAIN (none yet: this node has not joined), -ECONNRESET (daemon gone; the last
 *         answer was the last), -ETIMEDOUT, -EINVAL.
 */
int css_get_membership(css_t* css, css_membership_t* membership);

/* ------------------------------------------------------------------------------ events */

/** Bytes of data that a member of a group may show. */
#define CSS_DATA_MAX 4096

enum css_event_type {
    CSS_EVENT_MEMBERSHIP = 1, /**< A new membership is complete: css_get_membership(). */
    CSS_EVENT_ACTIVE = 2,     /**< This node may act for the first time; look at css_may_act(). */
    CSS_EVENT_JOINED = 3,     /**< A program joined a group of this handle; with its data. */
    CSS_EVENT_LEFT = 4,       /**< A member of a group of this handle is none any more. */
    CSS_EVENT_PUBLISHED = 5,  /**< A member published; with its new data. */
    CSS_EVENT_MISSED = 6,     /**< Events of a group were not told: css_group_members() again. */
};

/** One event. Fields that its type does not name are zero. */
typedef struct css_event {
    uint32_t type;   /**< enum css_event_type; others may be added: ignore what you do not know. */
    uint32_t reason; /**< LEFT: enum css_reason. */
    uint32_t node;   /**< JOINED, LEFT, PUBLISHED: number of the member's node. */
    uint32_t pid;    /**< The same: the process that joined, as its node numbers it. */
    uint64_t incarnation; /**< MEMBERSHIP. */
    uint64_t serial;      /**< Of a group: counts its events, the same on all nodes, without a gap
                               except after MISSED, whose serial is that of the last one missed. */
    uint64_t member;      /**< JOINED, LEFT, PUBLISHED: who. */
    uint64_t missed;      /**< MISSED: how many. */
    char group[CSS_NAME_MAX + 1];
    uint64_t size; /**< Bytes of @p data. */
    unsigned char data[CSS_DATA_MAX];
} css_event_t;

/**
 * A descriptor that is readable when css_next_event() has something, for poll() and its like. The
 * same one each time; owned by the handle. Events are kept from the first call on, for a reader
 * that is slow 256 of them; past that a group's are counted and told as CSS_EVENT_MISSED, and of
 * memberships only the newest is told. Waits at most five seconds for the daemon, the first time.
 * @return the descriptor, or -ECONNRESET, -ETIMEDOUT, -EINVAL, or another system error.
 */
int css_event_fd(css_t* css);

/**
 * Takes the next event; never waits.
 * @return 0, -EAGAIN (none now), -ECONNRESET (the daemon is gone, and all its events were taken),
 *         -EINVAL (no css_event_fd() before).
 */
int css_next_event(css_t* css, css_event_t* event);

/* ------------------------------------------------------------------------------ groups */

/** A member of a group. */
typedef struct css_member {
    uint64_t member; /**< Its number, never used again. */
    uint32_t node;   /**< Number of its node. */
    uint32_t pid;    /**< The process that joined, as its node numbers it. */
    uint32_t uid;    /**< Its user. */
    uint32_t size;   /**< Bytes of its data. */
} css_member_t;

/**
 * Joins a group, which is made if there is none. What is registered by this handle, the process or
 * the cgroup, is the member: it stays one until css_group_leave(), css_unregister_self(), or until
 * no process of it is left. Disconnecting ends nothing. Its group belongs to the user who made it:
 * of others only root may join.
 *
 * Functions that change a group return when the change stands on this node in the order of all
 * others; no member of a surviving node will miss it. They take well below a millisecond between
 * nodes that are well, and wait while the membership of the cluster is being settled.
 * @param group 1 to CSS_NAME_MAX printable characters, no blanks.
 * @param data  @p size bytes, at most CSS_DATA_MAX, shown to all members; may be NULL for none.
 * @param member where to put the own number; may be NULL.
 * @param timeout_ns nanoseconds to wait; negative: without end.
 * @return 0, -EPERM (nothing registered), -EALREADY (a member already), -EACCES (another user's),
 *         -ENOSPC (too many members, or too much data), -EINVAL, -EAGAIN (this node is no member of
 *         the cluster yet, or too busy), -ETIMEDOUT (it may still be done), -ECANCELED (it may have
 *         been done; see css_group_members()), -ECONNRESET (daemon gone).
 */
int css_group_join(css_t* css,
                   const char* group,
                   const void* data,
                   size_t size,
                   uint64_t* member,
                   int64_t timeout_ns);

/** Replaces the own data and tells it to all members. Errors as css_group_join(), and -ENOENT (no
 *  member). */
int css_group_publish(
    css_t* css, const char* group, const void* data, size_t size, int64_t timeout_ns);

/** Leaves; no event of this group follows, except those on their way. Errors as
 *  css_group_publish(). */
int css_group_leave(css_t* css, const char* group, int64_t timeout_ns);

/**
 * Has another member of the same group killed: SIGKILL to its process, or to its whole cgroup. When
 * this returns 0 the order has been given. That no process of it is left is told by CSS_EVENT_LEFT
 * with CSS_REASON_KILLED. If that takes longer than 30 s its node is evicted, and CSS_REASON_NODE
 * is told when that has stopped.
 * @param member its number. The caller is a member, of the same user as @p member or root.
 * @return as css_group_publish(); -ENOENT: the caller or @p member is no member; -EACCES: another
 *         user's.
 */
int css_group_kill(css_t* css, const char* group, uint64_t member, int64_t timeout_ns);

/**
 * The members, in the order in which they joined, as this node knows them now. The caller need not
 * be one. Waits at most five seconds for the daemon.
 * @param members room for @p max of them; may be NULL if that is 0.
 * @param count   where to put how many there are, also when there is no room for all.
 * @param serial  where to put the number of the group's last event in this list: events with a
 *                larger one come after it. May be NULL.
 * @return 0 (a group that does not exist has no members), -ENOSPC (more than @p max; the first
 *         ones are in @p members), -EINVAL, -EAGAIN (this node is no member of the cluster yet),
 *         -ECONNRESET, -ETIMEDOUT.
 */
int css_group_members(css_t* css,
                      const char* group,
                      css_member_t* members,
                      size_t max,
                      size_t* count,
                      uint64_t* serial);

/**
 * The data of a member, as this node knows it now. Waits at most five seconds for the daemon.
 * @param data room for CSS_DATA_MAX bytes.
 * @param size where to put how many it has.
 * @return 0, -ENOENT (no such member), -EINVAL, -EAGAIN, -ECONNRESET, -ETIMEDOUT.
 */
int css_group_data(css_t* css, const char* group, uint64_t member, void* data, size_t* size);

#ifdef __cplusplus
}
#endif

#endif
