//! A shard's Lua VM: sandbox, the redis.* API, libraries, conversions, kill.
