//! The Moonshard server.
