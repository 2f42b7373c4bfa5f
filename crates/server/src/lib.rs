//! The Moonshard server.

pub mod config;
