#include <chrono>

#include "netbeat/wire/key_file.h"
#include "tools/crsctl/crsctl.h"

namespace css::crsctl {
namespace {

constexpr std::chrono::seconds kEndMax{30};

Exit takes_nothing(const Invocation& invocation) {
    return usage(invocation.verb + " takes no argument '" + invocation.words.front() + "'");
}

/// Asks for a clean leave; done when the daemon has also ended.
Exit stop(const Invocation& invocation, const char* request, std::string_view line) {
    auto client = runtime::ControlClient::connect(invocation.run_dir);
    if (!client || !client->send({{"request", request}})) {
        return unreachable(invocation);
    }
    const auto answer = client->receive();
    if (!answer) {
        return fail(invocation, "The daemon ended before it had left the cluster cleanly.");
    }
    if (!answer->value("ok", false)) {
        return fail(invocation, text_at(*answer, "/error"));
    }
    if (!client->wait_closed(kEndMax)) {
        return fail(invocation, "The node has left the cluster, but its daemon did not end.");
    }
    say(line);
    return Exit::kDone;
}

}  // namespace

Exit evict_node(const Invocation& invocation) {
    if (invocation.words.size() != 1) {
        return usage("evict css node: give the name of one node");
    }
    const std::string& name = invocation.words.front();
    return change_and_say(invocation,
                          {{"request", "evict"}, {"node", name}},
                          "Node " + name + " was evicted and is known to have stopped.");
}

Exit stop_css(const Invocation& invocation) {
    if (!invocation.words.empty()) {
        return takes_nothing(invocation);
    }
    return stop(invocation, "stop", "Cluster Synchronization Services on this node has stopped.");
}

Exit stop_cluster(const Invocation& invocation) {
    if (invocation.words.size() != 1 || invocation.words.front() != "-all") {
        return usage("stop cluster: give -all; `crsctl stop css` stops this node");
    }
    return stop(
        invocation, "stop_cluster", "Cluster Synchronization Services has stopped on all nodes.");
}

Exit enable_css(const Invocation& invocation) {
    if (!invocation.words.empty()) {
        return takes_nothing(invocation);
    }
    return change_and_say(invocation,
                          {{"request", "enable"}},
                          "Cluster Synchronization Services is enabled on this node.");
}

Exit disable_css(const Invocation& invocation) {
    if (!invocation.words.empty()) {
        return takes_nothing(invocation);
    }
    return change_and_say(invocation,
                          {{"request", "disable"}},
                          "Cluster Synchronization Services is disabled on this node.");
}

Exit create_key(const Invocation& invocation) {
    if (invocation.words.size() != 1) {
        return usage("create css key: give the path of the new key file");
    }
    const std::string& path = invocation.words.front();
    if (auto created = netbeat::create_key_file(path); !created) {
        return fail(invocation, created.error().message);
    }
    say("Created key file " + path + ".");
    return Exit::kDone;
}

Exit reload_nodes(const Invocation& invocation) {
    if (!invocation.words.empty()) {
        return takes_nothing(invocation);
    }
    const Reply reply = change(invocation, {{"request", "reload_nodes"}});
    if (reply.good()) {
        say("The nodes file was read again on all members: " + text_at(reply.answer, "/nodes") +
            " nodes.");
    }
    return reply.exit;
}

Exit replace_key(const Invocation& invocation) {
    if (!invocation.words.empty()) {
        return takes_nothing(invocation);
    }
    const Reply reply = change(invocation, {{"request", "replace_key"}});
    if (reply.good()) {
        say("The key was replaced on all members: its fingerprint is " +
            text_at(reply.answer, "/fingerprint") + ". The former key counts for 30 seconds more.");
    }
    return reply.exit;
}

}  // namespace css::crsctl
