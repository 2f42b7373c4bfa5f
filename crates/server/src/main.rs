//! The binary `moonshard`.
fn main() {}
