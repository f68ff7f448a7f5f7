//! The backend socket: the private Unix socket between the gate and tiny_http.
//!
//! It is bound under a name for a moment, held by an O_PATH descriptor, and unlinked before it
//! listens. From then on it is reached through `/proc/self/fd`, by this process only; nothing is
//! left on disk, `kill -9` or not. The way to the directory goes through a descriptor as well,
//! because a socket's path may have 107 bytes and a data directory's may have more.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;

use rustix::fs::{AtFlags, Mode, OFlags, open, openat, unlinkat};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
use rustix::net::{bind, listen, socket_with};

use crate::types::error::{Error, Kind, io_cause};
use crate::types::limits::PASSAGE_BACKLOG;

/// The way to tiny_http.
pub struct BackendSocket {
    socket: OwnedFd,
}

impl BackendSocket {
    /// Makes the socket in `dir`; returns the way to it and the listener at its end.
    ///
    /// # Errors
    /// `bad_request` if `dir` cannot hold a socket, `internal` if `/proc` is not mounted.
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
            Error::bad_request(
                format!("cannot make a socket in directory '{dir}': {}", io_cause(&e)),
                "Name a writable directory with --data DIR.",
            )
        })
    }

    /// Connects to tiny_http.
    ///
    /// # Errors
    /// When descriptors are used up, or nobody listens any more.
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
    listen(&socket, PASSAGE_BACKLOG)?;
    let listener = UnixListener::from(socket);
    backend_socket.try_out(&listener)?;
    Ok((backend_socket, listener))
}

impl BackendSocket {
    /// Walks the backend socket once: a socket swapped under its name, or a `/proc` that does not lead to
    /// sockets, shows at the start and not at the first request.
    fn try_out(&self, listener: &UnixListener) -> io::Result<()> {
        let _walker = self.connect()?;
        listener.set_nonblocking(true)?;
        listener.accept()?;
        listener.set_nonblocking(false)
    }
}

/// Returns a name no other process has, were it in another container with the same process id.
fn unique_name() -> io::Result<String> {
    let mut bytes = [0; 8];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(format!(".gate-{:016x}", u64::from_ne_bytes(bytes)))
}
