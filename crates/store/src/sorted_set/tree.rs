//! The order of a large sorted set: a B+tree that counts, over (score, member).
//!
//! An inner node knows of each child how many entries it has and which is its first; so one descent finds a position
//! by score, by member or by rank. Leaves are arrays of a score and a pointer to the member: a search reads members
//! only where scores are equal. Nodes are owned by their parents, and iteration finds the next leaf by its rank.

use super::compact::order;
use super::member::Handle;

/// Entries of a leaf: 1,024 bytes.
const LEAF_MAX: usize = 64;
/// Children of an inner node.
const INNER_MAX: usize = 64;
/// Nodes below a quarter are merged with a neighbour, or filled from it if both are more than three quarters.
const UNDERFULL: usize = 16;
const MERGED_MAX: usize = 48;

/// A score and the member that has it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    pub(super) score: f64,
    member: Handle,
}

impl Entry {
    #[inline]
    fn member(&self) -> &[u8] {
        // SAFETY: entries are in a tree only, or borrowed from it, and `Tree::insert` demands that members outlive
        // their stay there.
        unsafe { self.member.bytes() }
    }

    /// The score and the member, as what they are compared by.
    #[inline]
    fn key(&self) -> (f64, &[u8]) {
        (self.score, self.member())
    }
}

enum Node {
    Leaf(Vec<Entry>),
    Inner(Box<Inner>),
}

#[derive(Default)]
struct Inner {
    /// The first entry of each child.
    firsts: Vec<Entry>,
    /// The number of entries of each child.
    counts: Vec<usize>,
    children: Vec<Node>,
}

/// The tree. It does not own the members.
pub(super) struct Tree {
    root: Node,
    len: usize,
    nodes: NodeCounts,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct NodeCounts {
    leaves: usize,
    inners: usize,
}

/// How a descent chooses its way.
trait Seek {
    fn child(&mut self, inner: &Inner) -> usize;
    fn entry(&mut self, leaf: &[Entry]) -> usize;
}

struct ByKey<'a>((f64, &'a [u8]));
struct ByRank(usize);

impl Seek for ByKey<'_> {
    /// The last child that does not begin after the key.
    #[inline]
    fn child(&mut self, inner: &Inner) -> usize {
        inner.firsts.partition_point(|first| order(first.key(), self.0).is_le()).saturating_sub(1)
    }

    #[inline]
    fn entry(&mut self, leaf: &[Entry]) -> usize {
        leaf.partition_point(|entry| order(entry.key(), self.0).is_lt())
    }
}

impl Seek for ByRank {
    #[inline]
    fn child(&mut self, inner: &Inner) -> usize {
        let last = inner.counts.len() - 1;
        for (at, &count) in inner.counts[..last].iter().enumerate() {
            if self.0 < count {
                return at;
            }
            self.0 -= count;
        }
        last
    }

    #[inline]
    fn entry(&mut self, _: &[Entry]) -> usize {
        self.0
    }
}

/// Whether a node is at the tree's left or right edge, where sequential insertions leave full nodes behind.
#[derive(Clone, Copy)]
struct Edge {
    first: bool,
    last: bool,
}

impl Tree {
    pub(super) fn new() -> Self {
        Self { root: Node::Leaf(Vec::new()), len: 0, nodes: NodeCounts { leaves: 1, inners: 0 } }
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// The memory of the nodes, in bytes.
    pub(super) fn memory_bytes(&self) -> usize {
        const LEAF_BYTES: usize = LEAF_MAX * size_of::<Entry>();
        const INNER_BYTES: usize =
            size_of::<Inner>() + INNER_MAX * (size_of::<Entry>() + size_of::<usize>() + size_of::<Node>());
        match &self.root {
            Node::Leaf(entries) => entries.capacity() * size_of::<Entry>(),
            Node::Inner(_) => self.nodes.leaves * LEAF_BYTES + self.nodes.inners * INNER_BYTES,
        }
    }

    /// Inserts a member that is not there. O(log n).
    ///
    /// # Safety
    /// The member lives, with the same bytes, until it is removed from the tree or the tree is used no more.
    pub(super) unsafe fn insert(&mut self, score: f64, member: Handle) {
        let entry = Entry { score, member };
        let edge = Edge { first: true, last: true };
        if let Some(right) = self.root.insert(&mut ByKey(entry.key()), entry, edge, &mut self.nodes) {
            let left = std::mem::replace(&mut self.root, Node::Leaf(Vec::new()));
            let mut inner = Box::new(Inner::with_capacity());
            inner.insert_child(0, left);
            inner.insert_child(1, right);
            self.root = Node::Inner(inner);
            self.nodes.inners += 1;
        }
        self.len += 1;
    }

    /// Removes an entry that is there. O(log n).
    pub(super) fn remove(&mut self, score: f64, member: &[u8]) {
        let removed = self.remove_by(&mut ByKey((score, member)));
        debug_assert!(removed.key() == (score, member));
    }

    /// Removes the entry of a rank below the length. O(log n).
    pub(super) fn remove_rank(&mut self, rank: usize) {
        debug_assert!(rank < self.len);
        self.remove_by(&mut ByRank(rank));
    }

    fn remove_by(&mut self, seek: &mut impl Seek) -> Entry {
        let removed = self.root.remove(seek, &mut self.nodes);
        self.len -= 1;
        while let Node::Inner(inner) = &mut self.root {
            if inner.children.len() > 1 {
                break;
            }
            let Some(only) = inner.children.pop() else { break };
            self.root = only;
            self.nodes.inners -= 1;
        }
        removed
    }

    /// Gives a member that is there another score. O(log n), in place if it stays between its neighbours.
    ///
    /// # Safety
    /// As for [`Tree::insert`].
    pub(super) unsafe fn update(&mut self, score: f64, member: Handle, new_score: f64) {
        let entry = Entry { score, member };
        let new = Entry { score: new_score, member };
        if !self.root.update(entry, new, Edge { first: true, last: true }) {
            self.remove(score, entry.member());
            // SAFETY: by the caller's word.
            unsafe { self.insert(new_score, member) };
        }
    }

    /// The number of entries before this one. O(log n).
    pub(super) fn rank(&self, score: f64, member: &[u8]) -> usize {
        self.count_before(|entry| order(entry.key(), (score, member)).is_lt())
    }

    /// The number of entries for which the condition holds, which it does for all before a point and none after it.
    /// O(log n).
    pub(super) fn count_scores(&self, before: impl Fn(f64) -> bool) -> usize {
        self.count_before(|entry| before(entry.score))
    }

    /// The same, with a condition for members.
    pub(super) fn count_members(&self, before: impl Fn(&[u8]) -> bool) -> usize {
        self.count_before(|entry| before(entry.member()))
    }

    fn count_before(&self, before: impl Fn(&Entry) -> bool) -> usize {
        let (mut node, mut rank) = (&self.root, 0);
        loop {
            match node {
                Node::Leaf(entries) => return rank + entries.partition_point(&before),
                Node::Inner(inner) => {
                    let child = inner.firsts.partition_point(&before).saturating_sub(1);
                    rank += inner.counts[..child].iter().sum::<usize>();
                    node = &inner.children[child];
                }
            }
        }
    }

    /// The entries from a rank below the length on. O(log n) for each leaf.
    pub(super) fn walk(&self, rank: usize) -> Walk<'_> {
        Walk { tree: self, leaf: &[], leaf_rank: rank, rank }
    }

    /// The leaf in which this rank is, and the rank of its first entry.
    fn leaf(&self, rank: usize) -> (&[Entry], usize) {
        let (mut node, mut seek) = (&self.root, ByRank(rank));
        loop {
            match node {
                Node::Leaf(entries) => return (entries, rank - seek.0),
                Node::Inner(inner) => node = &inner.children[seek.child(inner)],
            }
        }
    }
}

impl Node {
    fn count(&self) -> usize {
        match self {
            Node::Leaf(entries) => entries.len(),
            Node::Inner(inner) => inner.counts.iter().sum(),
        }
    }

    /// The first entry; a node in a tree of more than one has one.
    fn first(&self) -> Option<Entry> {
        match self {
            Node::Leaf(entries) => entries.first().copied(),
            Node::Inner(inner) => inner.firsts.first().copied(),
        }
    }

    /// Inserts below this node, and returns its new right neighbour if it had to split.
    fn insert(
        &mut self,
        seek: &mut impl Seek,
        entry: Entry,
        edge: Edge,
        nodes: &mut NodeCounts,
    ) -> Option<Node> {
        match self {
            Node::Leaf(entries) => {
                let at = seek.entry(entries);
                let right = insert_into_leaf(entries, at, entry, edge);
                nodes.leaves += usize::from(right.is_some());
                right.map(Node::Leaf)
            }
            Node::Inner(inner) => {
                let at = seek.child(inner);
                let edge =
                    Edge { first: edge.first && at == 0, last: edge.last && at + 1 == inner.children.len() };
                let right = inner.children[at].insert(seek, entry, edge, nodes);
                inner.counts[at] += 1;
                inner.refresh_first(at);
                let right = right?;
                inner.counts[at] -= right.count();
                inner.insert_child(at + 1, right);
                let right = inner.split_if_full(edge)?;
                nodes.inners += 1;
                Some(Node::Inner(Box::new(right)))
            }
        }
    }

    fn remove(&mut self, seek: &mut impl Seek, nodes: &mut NodeCounts) -> Entry {
        match self {
            Node::Leaf(entries) => entries.remove(seek.entry(entries)),
            Node::Inner(inner) => {
                let at = seek.child(inner);
                let removed = inner.children[at].remove(seek, nodes);
                inner.counts[at] -= 1;
                if inner.children[at].width() < UNDERFULL && inner.children.len() > 1 {
                    inner.refill(at, nodes);
                } else {
                    inner.refresh_first(at);
                }
                removed
            }
        }
    }

    /// Replaces an entry by one of the same member, if that keeps the order and stays in the leaf.
    fn update(&mut self, entry: Entry, new: Entry, edge: Edge) -> bool {
        let mut seek = ByKey(entry.key());
        match self {
            Node::Leaf(entries) => {
                let at = seek.entry(entries);
                let after_previous = match at.checked_sub(1) {
                    Some(previous) => order(entries[previous].key(), new.key()).is_lt(),
                    None => edge.first || order(entry.key(), new.key()).is_le(),
                };
                let before_next = match entries.get(at + 1) {
                    Some(next) => order(new.key(), next.key()).is_lt(),
                    None => edge.last || order(new.key(), entry.key()).is_le(),
                };
                let fits = after_previous && before_next;
                if fits {
                    entries[at] = new;
                }
                fits
            }
            Node::Inner(inner) => {
                let at = seek.child(inner);
                let edge =
                    Edge { first: edge.first && at == 0, last: edge.last && at + 1 == inner.children.len() };
                let updated = inner.children[at].update(entry, new, edge);
                if updated {
                    inner.refresh_first(at);
                }
                updated
            }
        }
    }

    /// Entries of a leaf, children of an inner node.
    fn width(&self) -> usize {
        match self {
            Node::Leaf(entries) => entries.len(),
            Node::Inner(inner) => inner.children.len(),
        }
    }
}

fn insert_into_leaf(entries: &mut Vec<Entry>, at: usize, entry: Entry, edge: Edge) -> Option<Vec<Entry>> {
    if entries.len() < LEAF_MAX {
        entries.insert(at, entry);
        return None;
    }
    let middle = match at {
        LEAF_MAX if edge.last => LEAF_MAX,
        0 if edge.first => 0,
        _ => LEAF_MAX / 2,
    };
    let mut right = Vec::with_capacity(LEAF_MAX);
    right.extend(entries.drain(middle..));
    if at <= middle && middle < LEAF_MAX {
        entries.insert(at, entry);
    } else {
        right.insert(at - middle, entry);
    }
    Some(right)
}

impl Inner {
    fn with_capacity() -> Self {
        // One more than the maximum: a node is split after the insertion that was too much.
        Self {
            firsts: Vec::with_capacity(INNER_MAX + 1),
            counts: Vec::with_capacity(INNER_MAX + 1),
            children: Vec::with_capacity(INNER_MAX + 1),
        }
    }

    fn insert_child(&mut self, at: usize, child: Node) {
        let Some(first) = child.first() else { return };
        self.firsts.insert(at, first);
        self.counts.insert(at, child.count());
        self.children.insert(at, child);
    }

    fn refresh_first(&mut self, at: usize) {
        if let Some(first) = self.children[at].first() {
            self.firsts[at] = first;
        }
    }

    fn split_if_full(&mut self, edge: Edge) -> Option<Inner> {
        if self.children.len() <= INNER_MAX {
            return None;
        }
        let middle = match edge {
            Edge { last: true, first: false } => INNER_MAX - UNDERFULL,
            Edge { first: true, last: false } => UNDERFULL,
            _ => INNER_MAX / 2,
        };
        let mut right = Inner::with_capacity();
        right.firsts.extend(self.firsts.drain(middle..));
        right.counts.extend(self.counts.drain(middle..));
        right.children.extend(self.children.drain(middle..));
        Some(right)
    }

    /// Merges an underfull child with a neighbour, or evens both out.
    fn refill(&mut self, at: usize, nodes: &mut NodeCounts) {
        let left = at.saturating_sub(1);
        let (before, after) = self.children.split_at_mut(left + 1);
        let (one, two) = (&mut before[left], &mut after[0]);
        let merge = one.width() + two.width() <= MERGED_MAX;
        match (one, two) {
            (Node::Leaf(one), Node::Leaf(two)) => {
                even_out(one, two, merge);
                nodes.leaves -= usize::from(merge);
            }
            (Node::Inner(one), Node::Inner(two)) => {
                even_out(&mut one.firsts, &mut two.firsts, merge);
                even_out(&mut one.counts, &mut two.counts, merge);
                even_out(&mut one.children, &mut two.children, merge);
                nodes.inners -= usize::from(merge);
            }
            _ => debug_assert!(false, "leaves are all at one depth"),
        }
        if merge {
            self.firsts.remove(left + 1);
            self.counts.remove(left + 1);
            self.children.remove(left + 1);
        } else {
            self.counts[left + 1] = self.children[left + 1].count();
            self.refresh_first(left + 1);
        }
        self.counts[left] = self.children[left].count();
        self.refresh_first(left);
    }
}

/// Moves everything from the second to the first, or as much as makes them the same length.
fn even_out<T>(one: &mut Vec<T>, two: &mut Vec<T>, merge: bool) {
    let half = (one.len() + two.len()) / 2;
    if merge {
        one.append(two);
    } else if one.len() < half {
        one.extend(two.drain(..half - one.len()));
    } else {
        two.splice(0..0, one.drain(half..));
    }
}

/// A place between two entries, to walk from in both directions.
#[derive(Clone)]
pub(super) struct Walk<'a> {
    tree: &'a Tree,
    /// The leaf last looked at, and the rank of its first entry.
    leaf: &'a [Entry],
    leaf_rank: usize,
    rank: usize,
}

impl<'a> Walk<'a> {
    /// The entry before this place, which moves there; there must be one.
    #[inline]
    pub(super) fn previous(&mut self) -> (&'a [u8], f64) {
        self.rank -= 1;
        self.at(self.rank)
    }

    /// The entry after this place, which moves behind it; there must be one.
    #[inline]
    pub(super) fn next(&mut self) -> (&'a [u8], f64) {
        self.rank += 1;
        self.at(self.rank - 1)
    }

    #[inline]
    fn at(&mut self, rank: usize) -> (&'a [u8], f64) {
        if !(self.leaf_rank..self.leaf_rank + self.leaf.len()).contains(&rank) {
            (self.leaf, self.leaf_rank) = self.tree.leaf(rank);
        }
        let leaf = self.leaf;
        let entry = &leaf[rank - self.leaf_rank];
        (entry.member(), entry.score)
    }
}

#[cfg(test)]
impl Tree {
    /// Walks the whole tree and checks all that it says of itself.
    pub(super) fn check(&self) {
        let mut nodes = NodeCounts::default();
        let mut last: Option<Entry> = None;
        let depth = check_node(&self.root, true, &mut nodes, &mut last);
        assert!(depth <= 6);
        assert_eq!(self.root.count(), self.len);
        assert_eq!(nodes, self.nodes);
    }
}

#[cfg(test)]
fn check_node(node: &Node, is_root: bool, nodes: &mut NodeCounts, last: &mut Option<Entry>) -> usize {
    match node {
        Node::Leaf(entries) => {
            nodes.leaves += 1;
            assert!(entries.len() <= LEAF_MAX && (is_root || !entries.is_empty()));
            assert!(entries.capacity() <= LEAF_MAX, "{}", entries.capacity());
            for entry in entries {
                assert!(last.is_none_or(|last| order(last.key(), entry.key()).is_lt()));
                *last = Some(*entry);
            }
            1
        }
        Node::Inner(inner) => {
            nodes.inners += 1;
            assert!((2..=INNER_MAX).contains(&inner.children.len()));
            assert_eq!(inner.children.len(), inner.firsts.len());
            assert_eq!(inner.children.len(), inner.counts.len());
            let depths = inner.children.iter().enumerate().map(|(at, child)| {
                assert_eq!(child.count(), inner.counts[at]);
                let first = child.first().unwrap();
                assert!(first.score.to_bits() == inner.firsts[at].score.to_bits());
                assert!(first.member().as_ptr() == inner.firsts[at].member().as_ptr());
                check_node(child, false, nodes, last)
            });
            let depths: Vec<_> = depths.collect();
            assert!(depths.iter().all(|&depth| depth == depths[0]));
            depths[0] + 1
        }
    }
}
