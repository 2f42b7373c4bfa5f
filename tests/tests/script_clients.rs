//! Libraries that live on their scripts: queues, locks and rate limiters, as their users install them.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use moonshard_tests::corpus;
use moonshard_tests::programs::{node, python};
use moonshard_tests::server::{Kind, Server};

const ALL_FLAGS: &[&str] = &["--lua-default-flags", "allow-cross-slot-keys allow-undeclared-keys"];

fn with_flags() -> Server {
    Server::moonshard(16, ALL_FLAGS)
}

/// A cluster of one node; none while Moonshard has no clusters.
fn cluster() -> Option<Server> {
    let is_there = !corpus::is_not_yet("cluster");
    is_there.then(|| Server::cluster(Kind::Moonshard, 1, &["--shards", "16"]).remove(0))
}

fn without_flags() -> Server {
    Server::moonshard(16, &[])
}

#[test]
fn bullmq_as_it_is_with_default_flags() {
    node("bullmq.mjs", &with_flags(), &["bull", "standalone"]);
}

#[test]
fn bullmq_with_a_tagged_prefix_needs_no_flags() {
    node("bullmq.mjs", &without_flags(), &["{bull}", "standalone"]);
}

#[test]
fn bullmq_in_a_cluster() {
    let Some(server) = cluster() else { return };
    node("bullmq.mjs", &server, &["{bull}", "cluster"]);
}

#[test]
fn libraries_for_node_need_no_flags() {
    node("scripts.mjs", &without_flags(), &["standalone"]);
}

#[test]
fn libraries_for_node_in_a_cluster() {
    let Some(server) = cluster() else { return };
    node("scripts.mjs", &server, &["cluster"]);
}

#[test]
fn libraries_for_python_need_no_flags() {
    python("scripts.py", &without_flags(), &["none"]);
}

#[test]
fn libraries_for_python_with_default_flags() {
    python("scripts.py", &with_flags(), &["flags"]);
}

#[test]
fn rq_and_celery_with_default_flags() {
    for (shards, jobs) in [(1, "rq"), (16, "rq"), (1, "celery"), (16, "celery")] {
        python("jobs.py", &Server::moonshard(shards, ALL_FLAGS), &[jobs, "flags"]);
    }
}

#[test]
fn celery_with_a_tagged_prefix_and_most_of_rq_need_no_flags() {
    for jobs in ["rq", "celery"] {
        python("jobs.py", &without_flags(), &[jobs, "none"]);
    }
}
