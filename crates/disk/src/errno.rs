//! The names of the system's errors.

/// Errors that a disk may have, by name.
const ERRORS: &[(&str, i32)] = &[
    ("EACCES", libc::EACCES),
    ("EAGAIN", libc::EAGAIN),
    ("EBADF", libc::EBADF),
    ("EDQUOT", libc::EDQUOT),
    ("EEXIST", libc::EEXIST),
    ("EFBIG", libc::EFBIG),
    ("EINTR", libc::EINTR),
    ("EINVAL", libc::EINVAL),
    ("EIO", libc::EIO),
    ("EISDIR", libc::EISDIR),
    ("EMFILE", libc::EMFILE),
    ("ENFILE", libc::ENFILE),
    ("ENODEV", libc::ENODEV),
    ("ENOENT", libc::ENOENT),
    ("ENOMEM", libc::ENOMEM),
    ("ENOSPC", libc::ENOSPC),
    ("ENOTDIR", libc::ENOTDIR),
    ("EPERM", libc::EPERM),
    ("EROFS", libc::EROFS),
    ("ETIMEDOUT", libc::ETIMEDOUT),
    ("EXDEV", libc::EXDEV),
];

/// The number of an error by its name in any case: `ENOSPC`.
pub fn errno_of(name: &str) -> Option<i32> {
    ERRORS.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, errno)| *errno)
}

/// The name of an error, if it is one that a disk may have.
pub fn errno_name(errno: i32) -> Option<&'static str> {
    ERRORS.iter().find(|(_, known)| *known == errno).map(|(name, _)| *name)
}
