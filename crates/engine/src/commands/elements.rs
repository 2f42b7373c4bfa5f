//! Elements of collections as replies.

use moonshard_protocol::Reply;
use moonshard_store::Element;

/// Writes an element as a bulk string.
#[inline]
pub(super) fn bulk_element(reply: &mut Reply, element: Element<'_>) {
    match element {
        Element::Int(value) => reply.bulk_int(value),
        Element::Bytes(bytes) => reply.bulk(bytes),
    }
}
