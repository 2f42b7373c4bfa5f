//! One node of a list, and what is done to a single packed node wherever it sits.

use super::{Coded, Element, End, ListLimits, Packed};
use crate::number::parse_i64;
use crate::packed;

/// A node holds at least one element.
#[derive(Clone, Debug)]
pub(super) enum Node {
    Packed(Packed),
    /// One element too long for a packed node.
    Plain(Box<[u8]>),
}

/// A borrowed node, wherever it sits.
#[derive(Clone, Copy)]
pub(super) enum NodeRef<'a> {
    Packed(&'a Packed),
    Plain(&'a [u8]),
}

impl Node {
    pub(super) fn new(element: Element<'_>, limits: ListLimits) -> Self {
        match element {
            Element::Bytes(bytes) if is_plain(element, limits) => Node::Plain(bytes.into()),
            _ => {
                let mut packed = Packed::new();
                packed.push_back_element(element);
                Node::Packed(packed)
            }
        }
    }

    pub(super) fn view(&self) -> NodeRef<'_> {
        match self {
            Node::Packed(packed) => NodeRef::Packed(packed),
            Node::Plain(bytes) => NodeRef::Plain(bytes),
        }
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Node::Packed(packed) => packed.len(),
            Node::Plain(_) => 1,
        }
    }

    pub(super) fn memory_bytes(&self) -> usize {
        match self {
            Node::Packed(packed) => packed.memory_bytes(),
            Node::Plain(bytes) => bytes.len(),
        }
    }

    /// The packed node, if the element may go into it.
    pub(super) fn with_room(&mut self, element: Element<'_>, limits: ListLimits) -> Option<&mut Packed> {
        match self {
            Node::Packed(packed) if fits(packed, element, limits) => Some(packed),
            _ => None,
        }
    }

    /// Takes `other` in if both are packed and the limits allow it.
    pub(super) fn absorb(&mut self, other: &Node, limits: ListLimits) -> bool {
        let (Node::Packed(left), Node::Packed(right)) = (self, other) else { return false };
        let allowed = limits.allow(left.bytes_len() + right.bytes_len(), left.len() + right.len());
        if allowed {
            left.append(right);
        }
        allowed
    }
}

impl<'a> NodeRef<'a> {
    pub(super) fn front(self) -> Option<Element<'a>> {
        match self {
            NodeRef::Packed(packed) => packed.front(),
            NodeRef::Plain(bytes) => Some(Element::Bytes(bytes)),
        }
    }

    pub(super) fn back(self) -> Option<Element<'a>> {
        match self {
            NodeRef::Packed(packed) => packed.back(),
            NodeRef::Plain(bytes) => Some(Element::Bytes(bytes)),
        }
    }

    pub(super) fn get(self, index: usize) -> Option<Element<'a>> {
        match self {
            NodeRef::Packed(packed) => packed.get(index),
            NodeRef::Plain(bytes) => (index == 0).then_some(Element::Bytes(bytes)),
        }
    }

    pub(super) fn iter_from(self, index: usize) -> NodeIter<'a> {
        match self {
            NodeRef::Packed(packed) => NodeIter::Packed(packed.iter_from(index)),
            NodeRef::Plain(bytes) => NodeIter::Plain((index == 0).then_some(bytes)),
        }
    }

    /// The elements up to and including `index`.
    pub(super) fn iter_through(self, index: usize) -> NodeIter<'a> {
        match self {
            NodeRef::Packed(packed) => NodeIter::Packed(packed.iter_until(index.saturating_add(1))),
            NodeRef::Plain(bytes) => NodeIter::Plain(Some(bytes)),
        }
    }
}

/// Elements of one node, from either end.
#[derive(Clone, Debug)]
pub(super) enum NodeIter<'a> {
    Packed(packed::Iter<'a>),
    Plain(Option<&'a [u8]>),
}

impl<'a> NodeIter<'a> {
    #[inline]
    pub(super) fn next(&mut self) -> Option<Element<'a>> {
        match self {
            NodeIter::Packed(iter) => iter.next(),
            NodeIter::Plain(bytes) => bytes.take().map(Element::Bytes),
        }
    }

    #[inline]
    pub(super) fn next_back(&mut self) -> Option<Element<'a>> {
        match self {
            NodeIter::Packed(iter) => iter.next_back(),
            NodeIter::Plain(bytes) => bytes.take().map(Element::Bytes),
        }
    }
}

/// Whether the element is too long for packed nodes.
pub(super) fn is_plain(element: Element<'_>, limits: ListLimits) -> bool {
    matches!(element, Element::Bytes(bytes) if bytes.len() > limits.node_bytes() - OVERHEAD_MAX)
}

/// The most an element takes beside its text.
const OVERHEAD_MAX: usize = 10;

/// Whether the element may be added to the node.
pub(super) fn fits(packed: &Packed, element: Element<'_>, limits: ListLimits) -> bool {
    // A few bytes too many are no matter, and spare encoding the element twice.
    let text = match element {
        Element::Int(_) => 0,
        Element::Bytes(bytes) => bytes.len(),
    };
    !is_plain(element, limits) && limits.allow(packed.bytes_len() + text + OVERHEAD_MAX, packed.len() + 1)
}

pub(super) fn push(packed: &mut Packed, end: End, element: Element<'_>) {
    match end {
        End::Front => packed.push_front_element(element),
        End::Back => packed.push_back_element(element),
    }
}

/// Replaces an element where it is; false if the node would get too large by it.
pub(super) fn replace(packed: &mut Packed, index: usize, value: &[u8], limits: ListLimits) -> bool {
    let Some(pos) = packed.seek(index) else { return false };
    let old = Coded::element(packed.at(pos)).total();
    let new = Coded::new(value).total();
    let allowed = new <= old || packed.bytes_len() - old + new <= limits.node_bytes();
    if allowed {
        packed.replace(pos, value);
    }
    allowed
}

/// Removes up to `limit` elements equal to `value`, those nearest to `end`.
pub(super) fn remove_equal(packed: &mut Packed, value: &[u8], end: End, limit: usize) -> usize {
    let skip = match end {
        End::Front => 0,
        End::Back if limit == usize::MAX => 0,
        End::Back => packed.count_equal(value).saturating_sub(limit),
    };
    packed.remove_equal(value, skip, limit)
}

/// The one element that nodes would give out for these bytes, to compare with [`same`].
pub(super) fn canonical(value: &[u8]) -> Element<'_> {
    parse_i64(value).map_or(Element::Bytes(value), Element::Int)
}

/// Equality of elements that are both canonical: cheaper than the general one.
#[inline]
pub(super) fn same(a: Element<'_>, b: Element<'_>) -> bool {
    match (a, b) {
        (Element::Int(a), Element::Int(b)) => a == b,
        (Element::Bytes(a), Element::Bytes(b)) => a == b,
        _ => false,
    }
}
