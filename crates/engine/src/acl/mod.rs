//! Users and what they may do: the rules of ACL SETUSER, how users are described, and the check of a call.
//!
//! Everything here is a value. Who keeps the users, and what becomes of clients whose user changes, is the server's
//! business.

mod access;
mod channels;
mod check;
mod commands;
mod describe;
mod password;
mod rules;
mod selector;
#[cfg(test)]
mod tests;
mod user;

pub use access::{Access, Context, Denial, Denials, Occasion, Reason};
pub use check::Denied;
pub use password::PasswordHash;
pub use rules::{RuleError, is_plain_name, join_selectors};
pub use selector::Selector;
pub use user::{NewSelectors, User};
