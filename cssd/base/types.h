#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <iterator>

#include "cssd/base/check.h"

namespace css {

/// An integer with a meaning: comparable, no arithmetic, no implicit conversion.
template <class Tag, class Rep>
class StrongId {
public:
    constexpr StrongId() = default;
    constexpr explicit StrongId(Rep value) : value_(value) {}
    [[nodiscard]] constexpr Rep value() const { return value_; }
    friend constexpr bool operator==(const StrongId&, const StrongId&) = default;
    friend constexpr auto operator<=>(const StrongId&, const StrongId&) = default;

private:
    Rep value_{};
};

/// Unix seconds at daemon start, forced above every unique seen of the same slot (PROTOCOL 2).
/// Zero is 'none'. Together with the node number it names one instance of a daemon.
using Unique = StrongId<struct UniqueTag, std::uint32_t>;

/// Number of a membership record, and the fencing token given to clients. R_0 has no members.
using Incarnation = StrongId<struct IncarnationTag, std::uint64_t>;
constexpr Incarnation next(Incarnation i) {
    return Incarnation{i.value() + 1};
}

/// Grows with everything an instance publishes, on disk or network: of two publications of one
/// instance the one with the larger sequence is the newer, whichever way they came.
using Sequence = StrongId<struct SequenceTag, std::uint64_t>;

/// Hash of machine id and product UUID; which host an instance runs on.
using HostId = StrongId<struct HostIdTag, std::uint64_t>;
/// Hash of the kernel's boot id; which life of that host.
using BootId = StrongId<struct BootIdTag, std::uint64_t>;

inline constexpr unsigned kNodesMax = 64;
inline constexpr unsigned kFilesMax = 15;

/// A node's number, 1..64: its slot in every voting file. The default is 'no node'.
class NodeNumber {
public:
    constexpr NodeNumber() = default;
    constexpr explicit NodeNumber(unsigned number) : number_(static_cast<std::uint8_t>(number)) {
        CSS_CHECK(number >= 1);
        CSS_CHECK(number <= kNodesMax);
    }
    static constexpr NodeNumber from_index(std::size_t index) {
        return NodeNumber{static_cast<unsigned>(index) + 1};
    }
    [[nodiscard]] constexpr bool is_some() const { return number_ != 0; }
    [[nodiscard]] constexpr unsigned value() const { return number_; }
    /// Position in arrays over all slots: 0..63.
    [[nodiscard]] constexpr std::size_t index() const {
        CSS_CHECK(is_some());
        return number_ - 1U;
    }
    friend constexpr bool operator==(const NodeNumber&, const NodeNumber&) = default;
    friend constexpr auto operator<=>(const NodeNumber&, const NodeNumber&) = default;

private:
    std::uint8_t number_ = 0;
};

/// An array with one entry for every slot, indexed by node number.
template <class T>
class PerNode {
public:
    constexpr T& operator[](NodeNumber n) { return at_[n.index()]; }
    constexpr const T& operator[](NodeNumber n) const { return at_[n.index()]; }
    [[nodiscard]] static constexpr std::size_t size() { return kNodesMax; }
    constexpr auto begin() { return at_.begin(); }
    constexpr auto end() { return at_.end(); }
    constexpr auto begin() const { return at_.begin(); }
    constexpr auto end() const { return at_.end(); }
    friend constexpr bool operator==(const PerNode&, const PerNode&) = default;

private:
    std::array<T, kNodesMax> at_{};
};

/// A set of small indices held in the bits of `Bits`; iterates from the lowest.
template <class Element, class Bits>
class BitSet {
public:
    class Iterator {
    public:
        using iterator_category = std::input_iterator_tag;
        using value_type = Element;
        using difference_type = std::ptrdiff_t;
        using pointer = const Element*;
        using reference = Element;

        constexpr explicit Iterator(Bits rest) : rest_(rest) {}
        constexpr Element operator*() const {
            return Element::from_index(static_cast<std::size_t>(std::countr_zero(rest_)));
        }
        constexpr Iterator& operator++() {
            rest_ = static_cast<Bits>(rest_ & (rest_ - 1));
            return *this;
        }
        friend constexpr bool operator==(const Iterator&, const Iterator&) = default;

    private:
        Bits rest_;
    };

    constexpr BitSet() = default;
    constexpr explicit BitSet(Bits bits) : bits_(bits) {}
    static constexpr BitSet of(Element e) { return BitSet{bit(e)}; }

    [[nodiscard]] constexpr Bits bits() const { return bits_; }
    [[nodiscard]] constexpr bool empty() const { return bits_ == 0; }
    [[nodiscard]] constexpr unsigned count() const {
        return static_cast<unsigned>(std::popcount(bits_));
    }
    [[nodiscard]] constexpr bool contains(Element e) const { return (bits_ & bit(e)) != 0; }
    [[nodiscard]] constexpr bool contains(BitSet all) const {
        return (bits_ & all.bits_) == all.bits_;
    }
    [[nodiscard]] constexpr Element lowest() const {
        CSS_CHECK(!empty());
        return *begin();
    }
    constexpr void insert(Element e) { bits_ = static_cast<Bits>(bits_ | bit(e)); }
    constexpr void erase(Element e) { bits_ = static_cast<Bits>(bits_ & ~bit(e)); }
    constexpr void assign(Element e, bool present) { present ? insert(e) : erase(e); }
    [[nodiscard]] constexpr Iterator begin() const { return Iterator{bits_}; }
    [[nodiscard]] constexpr Iterator end() const { return Iterator{0}; }

    friend constexpr BitSet operator|(BitSet a, BitSet b) {
        return BitSet{static_cast<Bits>(a.bits_ | b.bits_)};
    }
    friend constexpr BitSet operator&(BitSet a, BitSet b) {
        return BitSet{static_cast<Bits>(a.bits_ & b.bits_)};
    }
    friend constexpr BitSet operator-(BitSet a, BitSet b) {
        return BitSet{static_cast<Bits>(a.bits_ & ~b.bits_)};
    }
    friend constexpr bool operator==(const BitSet&, const BitSet&) = default;

private:
    static constexpr Bits bit(Element e) { return static_cast<Bits>(Bits{1} << e.index()); }
    Bits bits_ = 0;
};

using NodeSet = BitSet<NodeNumber, std::uint64_t>;

/// A voting file's position in the header's file table, 0..14. Never reused while a record that
/// names it may be in force (PROTOCOL 3).
class FileIndex {
public:
    constexpr FileIndex() = default;
    static constexpr FileIndex from_index(std::size_t index) {
        CSS_CHECK(index < kFilesMax);
        FileIndex f;
        f.index_ = static_cast<std::uint8_t>(index);
        return f;
    }
    [[nodiscard]] constexpr std::size_t index() const { return index_; }
    friend constexpr bool operator==(const FileIndex&, const FileIndex&) = default;
    friend constexpr auto operator<=>(const FileIndex&, const FileIndex&) = default;

private:
    std::uint8_t index_ = 0;
};

using FileSet = BitSet<FileIndex, std::uint16_t>;

/// The first four bytes of a voting file's FUID; never zero. A record names its files by place and
/// tag, so what a place means is decided together with the record: two administrators who put
/// different files into the same free place at once cannot be misunderstood. Zero is 'none'.
using FileTag = StrongId<struct FileTagTag, std::uint32_t>;

/// An array with one entry for every voting file, indexed by position in the file table.
template <class T>
class PerFile {
public:
    constexpr T& operator[](FileIndex f) { return at_[f.index()]; }
    constexpr const T& operator[](FileIndex f) const { return at_[f.index()]; }
    [[nodiscard]] static constexpr std::size_t size() { return kFilesMax; }
    constexpr auto begin() { return at_.begin(); }
    constexpr auto end() { return at_.end(); }
    constexpr auto begin() const { return at_.begin(); }
    constexpr auto end() const { return at_.end(); }
    friend constexpr bool operator==(const PerFile&, const PerFile&) = default;

private:
    std::array<T, kFilesMax> at_{};
};

/// One life of the daemon of one node. A restarted daemon is another instance.
struct Instance {
    NodeNumber node;
    Unique unique;
    friend constexpr bool operator==(const Instance&, const Instance&) = default;
    friend constexpr auto operator<=>(const Instance&, const Instance&) = default;
};

/// State of an instance as published in its heartbeats (PROTOCOL 3). Values are on disk and wire:
/// never renumber.
enum class NodeState : std::uint8_t {
    kJoining = 1,
    kActive = 2,
    kLeft = 3,       ///< Clean stop; the last client has gone.
    kFenced = 4,     ///< Every client is gone and this instance will never act again.
    kResetting = 5,  ///< The guardian's end was cut short; the stop is under way.
};

using Bytes16 = std::array<std::byte, 16>;
/// Names the cluster; drawn at random when the voting files are formatted.
struct ClusterGuid {
    Bytes16 bytes{};
    friend bool operator==(const ClusterGuid&, const ClusterGuid&) = default;
};
/// A voting file's universal id; drawn at random each time a file is formatted.
struct FileUid {
    Bytes16 bytes{};
    friend bool operator==(const FileUid&, const FileUid&) = default;
};

}  // namespace css
