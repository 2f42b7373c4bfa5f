//! The section `clients`.

use super::Report;
use crate::clients::flag;
use std::sync::atomic::Ordering::Relaxed;

pub(super) fn clients(report: &mut Report<'_>) {
    let clients = report.server.clients.all();
    let most_input = clients.iter().map(|client| client.query_buffer.load(Relaxed)).max();
    let most_output = clients.iter().map(|client| client.output_buffer.load(Relaxed)).max();
    report.section("Clients");
    report.field("connected_clients", clients.len());
    report.field("cluster_connections", 0);
    report.field("maxclients", report.server.config.load().maxclients);
    report.field("client_recent_max_input_buffer", most_input.unwrap_or(0));
    report.field("client_recent_max_output_buffer", most_output.unwrap_or(0));
    let blocked = clients.iter().filter(|client| client.has_flag(flag::BLOCKED)).count();
    report.field("blocked_clients", blocked);
    report.field("tracking_clients", report.server.tracking.clients());
    report.field("clients_in_timeout_table", 0);
}
