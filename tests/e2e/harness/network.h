#pragma once

#include <set>
#include <string>
#include <vector>

#include "cssd/base/unique_fd.h"

/// Network namespaces on bridges, and cuts between them.
namespace css::e2e {

/// Nodes 1..N on networks 1..K. Node i has 10.(70+k).0.i on eth(k-1), and lo. The namespaces have
/// no names: they, their bridges and all rules go with the last process in them and this object,
/// also when the test is killed.
///
/// A cut drops what arrives, in the receiver's namespace: the sender and the bridge notice nothing,
/// as with a real fault. Main thread only.
class Network {
public:
    Network(unsigned nodes, unsigned networks);

    [[nodiscard]] int namespace_of(unsigned node) const;
    [[nodiscard]] std::string address(unsigned node, unsigned network) const;

    /// `node` no longer hears `others`, on any network.
    void deafen(unsigned node, const std::vector<unsigned>& others);
    /// Neither group hears the other.
    void part(const std::vector<unsigned>& one, const std::vector<unsigned>& other);
    /// `node` no longer hears `other` on this network.
    void deafen_on(unsigned network, unsigned node, unsigned other);
    /// So many percent of what arrives at the node, of any node, are lost.
    void lose(unsigned node, unsigned percent);
    /// What the node sends, on each network, gets no more bandwidth than this.
    void throttle(unsigned node, unsigned kilobits_a_second);
    /// Every cut, loss and limit is over.
    void heal();

private:
    void make_node(unsigned node);
    [[nodiscard]] std::string drop_from(unsigned node, unsigned network) const;
    void restore_rules(unsigned node, const std::string& rules) const;

    unsigned nodes_;
    unsigned networks_;
    UniqueFd hub_;                      ///< Where the bridges are.
    std::vector<UniqueFd> namespaces_;  ///< [i] of node i + 1.
    std::set<unsigned> throttled_;
};

}  // namespace css::e2e
