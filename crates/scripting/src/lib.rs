//! A shard's Lua VM: sandbox, the redis.* API, libraries, conversions, kill.

pub mod bitlib;
pub mod cjson;
pub mod cmsgpack;
mod lua_stack;
pub mod luajit_check;
pub mod structlib;
