//! The backend socket: the private Unix socket between the gate and tiny_http.
//!
//! It is bound under a name for a moment, held by an O_PATH descriptor, and unlinked before it
//! listens. From then on only this process reaches it, through `/proc/self/fd`; nothing is left on
//! disk, even after `kill -9`. The directory is addressed through a descriptor as well, because a
//! socket's path is limited to 107 bytes and a data directory's is not.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;

use rustix::fs::{AtFlags, Mode, OFlags, open, openat, unlinkat};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
use rustix::net::{bind, listen, socket_with};

use crate::random;
use crate::types::error::{Error, Kind, io_cause};
use crate::types::limits::BACKEND_BACKLOG;

/// Connects the gate to tiny_http.
pub struct BackendSocket {
    socket: OwnedFd,
}

impl BackendSocket {
    /// Makes the socket in `dir`; returns both of its ends, the connector and the listener.
    ///
    /// # Errors
    /// `environment` if `dir` cannot hold a socket, `internal` if `/proc` is not mounted.
    pub fn open(dir: &Path) -> Result<(BackendSocket, UnixListener), Error> {
        if !Path::new("/proc/self/fd").exists() {
            return Err(Error::new(
                Kind::Internal,
                "cannot open the server's private socket: '/proc' is not mounted",
                "Mount it with `mount -t proc proc /proc` and start again.",
            ));
        }
        bind_unnamed(dir).map_err(|e| {
            let dir = dir.display();
            Error::new(
                Kind::Environment,
                format!("cannot make a socket in directory '{dir}': {}", io_cause(&e)),
                "Name a writable directory with --data DIR.",
            )
        })
    }

    /// Connects to tiny_http.
    ///
    /// # Errors
    /// If no descriptor is free, or tiny_http no longer listens.
    pub fn connect(&self) -> io::Result<UnixStream> {
        UnixStream::connect(format!("/proc/self/fd/{}", self.socket.as_raw_fd()))
    }
}

fn bind_unnamed(dir: &Path) -> io::Result<(BackendSocket, UnixListener)> {
    let dir = open(dir, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    let name = unique_name()?;
    let family = AddressFamily::UNIX;
    let socket = socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    bind(&socket, &SocketAddrUnix::new(format!("/proc/self/fd/{}/{name}", dir.as_raw_fd()))?)?;
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let held = openat(&dir, &name, flags, Mode::empty());
    unlinkat(&dir, &name, AtFlags::empty())?;
    let backend_socket = BackendSocket { socket: held? };
    // Listens only now that the name is gone: nobody else can have connected.
    listen(&socket, BACKEND_BACKLOG)?;
    let listener = UnixListener::from(socket);
    backend_socket.try_out(&listener)?;
    Ok((backend_socket, listener))
}

impl BackendSocket {
    /// Connects once at start-up, so that a hijacked name or an unusable `/proc` fails here and not
    /// at the first request.
    fn try_out(&self, listener: &UnixListener) -> io::Result<()> {
        let _client = self.connect()?;
        listener.set_nonblocking(true)?;
        listener.accept()?;
        listener.set_nonblocking(false)
    }
}

/// Returns a name that no other process uses, even in another container with the same process ID.
fn unique_name() -> io::Result<String> {
    let number = random::bytes().map(u64::from_ne_bytes).map_err(io::Error::other)?;
    Ok(format!(".gate-{number:016x}"))
}
