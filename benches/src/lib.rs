//! Load comparisons of Moonshard with redis-server, and with a server that does nothing but parse and answer.
//!
//! The binary `load` runs them ([`load`]), the binary `bound` is that other server ([`bound`]). The binary
//! `instructions` compares builds of Moonshard by the instructions that a request takes ([`instructions`]). The criterion
//! benches of single parts are in `benches/micro`.

pub mod bound;
pub mod instructions;
pub mod load;
