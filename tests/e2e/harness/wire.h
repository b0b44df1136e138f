#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <random>
#include <span>
#include <vector>

#include "cssd/base/unique_fd.h"
#include "tests/e2e/harness/lab.h"

/// An attacker on the interconnect: takes frames off one node's wire and puts others on it.
namespace css::e2e {

using Frame = std::vector<std::byte>;  ///< Ethernet, IPv4 without options, UDP.

/// Datagrams in it; what is put in its place keeps addresses and ports, with all checksums right.
[[nodiscard]] std::span<const std::byte> payload_of(const Frame& frame);
[[nodiscard]] Frame with_payload(const Frame& frame, std::span<const std::byte> payload);
/// The same from another host of its network: the last number of its address.
[[nodiscard]] Frame from_host(Frame frame, std::uint8_t host);

/// The first interface in a network namespace. Main thread only.
class Wire {
public:
    explicit Wire(int network_namespace);
    /// UDP frames that arrive there.
    [[nodiscard]] std::vector<Frame> capture(milliseconds time);
    /// Puts them on the wire from there; returns how many the kernel took. With the interface's own
    /// hardware address: with another's the bridge would send there what is for that one, and cut
    /// its link.
    std::size_t send(std::span<Frame> frames);

private:
    UniqueFd socket_;
    std::array<std::byte, 6> mac_{};
};

/// Everything that is not a fresh datagram of a node, made from captured ones: the same once more,
/// single bits changed, cut short, too long, sealed with another key, of another sender, from an
/// address that nobody has, and noise.
class Forgery {
public:
    /// `captured` is not empty. One seed, one order of chances.
    Forgery(std::vector<Frame> captured, std::uint64_t seed);
    [[nodiscard]] Frame next();

private:
    [[nodiscard]] const Frame& any() { return captured_[random_() % captured_.size()]; }
    [[nodiscard]] Frame of_another_key(const Frame& like);

    std::vector<Frame> captured_;
    std::mt19937_64 random_;
    std::uint64_t count_ = 0;
};

/// The attacker puts so many forged frames on its wire; `per_second` zero: as fast as they are
/// made. Events of the lab are taken in meanwhile. Returns how many it were: whole batches.
std::size_t flood(
    Lab& lab, Forgery& forgery, Wire& attacker, std::size_t count, unsigned per_second);

}  // namespace css::e2e
