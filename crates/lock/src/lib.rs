//! The shard's lock: in-place when free, first come first served without blocking a thread when not.
