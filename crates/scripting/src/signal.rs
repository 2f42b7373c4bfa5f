//! The signal that reaches into a running script.
//!
//! Nothing in Lua looks at a clock or a flag while a script is fast. When one is slow, or is to be killed, its thread
//! gets a signal, whose handler sets the VM's debug hook, as the interpreter's own program does for Ctrl-C.

use crate::vm::Interruptible;
use std::cell::Cell;
use std::ffi::c_int;
use std::ptr::null;
use std::sync::OnceLock;

thread_local! {
    /// The script that runs on this thread, for the handler. Constant and without a destructor, so that reading it
    /// there neither allocates nor registers anything.
    static CURRENT: Cell<*const Interruptible> = const { Cell::new(null()) };
    /// The kernel's number of this thread, once it was asked for.
    static THREAD: Cell<i32> = const { Cell::new(0) };
}

static INSTALLED: OnceLock<Result<(), i32>> = OnceLock::new();

/// A signal of the real-time range, which nobody else in this process uses.
fn number() -> c_int {
    libc::SIGRTMIN() + 5
}

/// The kernel's number of this thread.
#[inline]
pub(crate) fn this_thread() -> i32 {
    THREAD.with(|thread| {
        if thread.get() == 0 {
            // SAFETY: no preconditions.
            thread.set(unsafe { libc::gettid() });
        }
        thread.get()
    })
}

/// Makes `script` the one that a signal to this thread interrupts; null for none.
#[inline]
pub(crate) fn set_current(script: *const Interruptible) {
    CURRENT.with(|current| current.set(script));
    // The handler runs on this very thread: only the compiler could move the store.
    std::sync::atomic::compiler_fence(std::sync::atomic::Ordering::SeqCst);
}

/// The script that runs on this thread; null if none does.
#[inline]
pub(crate) fn current() -> *const Interruptible {
    CURRENT.with(Cell::get)
}

/// Signals a thread. One that has gone is not an error.
pub(crate) fn send(thread: i32) {
    // SAFETY: the handler was installed before any script ran, and a thread's number, even one that was given to
    // another thread since, gets a signal whose handler does nothing where no script runs.
    unsafe {
        libc::syscall(libc::SYS_tgkill, libc::getpid(), thread, number());
    }
}

extern "C" fn handle(_signal: c_int) {
    let script = current();
    if !script.is_null() {
        // SAFETY: not null means that the script is on this thread's stack, below this handler.
        unsafe { (*script).interrupt() };
    }
}

/// Installs the handler, once for the process.
///
/// # Errors
/// The system's, should it refuse.
pub(crate) fn install() -> std::io::Result<()> {
    let installed = INSTALLED.get_or_init(|| {
        // SAFETY: a zeroed sigaction is valid, and the handler only reads a thread local and sets Lua's hook, which
        // is made to be called from signal handlers.
        let result = unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = handle as extern "C" fn(c_int) as usize;
            // System calls of the command that is running go on; the handler needs no room on Lua's C stack.
            action.sa_flags = libc::SA_RESTART | libc::SA_ONSTACK;
            libc::sigemptyset(&mut action.sa_mask);
            libc::sigaction(number(), &action, std::ptr::null_mut())
        };
        if result == 0 {
            Ok(())
        } else {
            Err(std::io::Error::last_os_error().raw_os_error().unwrap_or_default())
        }
    });
    installed.map_err(std::io::Error::from_raw_os_error)
}
