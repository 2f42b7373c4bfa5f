//! The Moonshard server: listeners, connections, routing to shards, and the commands about connections and server.

mod acl;
pub mod allocator;
mod balance;
pub mod check;
mod clients;
mod cluster;
mod commands;
pub mod config;
mod connection;
mod cron;
mod debugging;
mod effects;
mod figures;
mod latency;
mod listener;
mod logging;
mod memory;
mod monitors;
mod observe;
mod output_limit;
mod pause;
mod persistence;
pub mod ping;
mod pubsub;
mod pushes;
mod reaper;
mod runtime;
mod script_figures;
mod scripts;
mod sensitive;
mod server;
mod shards;
mod shutdown;
mod slowlog;
pub mod startup;
mod stats;
mod tracking;
mod wakes;

/// The version of Redis whose behaviour this server has, as INFO and HELLO tell it to clients.
pub const REDIS_VERSION: &str = "7.0.15";
