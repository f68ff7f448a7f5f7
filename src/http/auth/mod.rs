//! Authentication and authorization: who sends a request, and whether this box answers it.
//!
//! `identity` is the one way in: it checks the Host header (`host`), the page a browser sent the
//! request from (`origin`), and the credentials (`client`: API `keys`, a `cookie` sealed with the
//! box's `secret`, an address). `browser` protects the forms of pages without script. `owner` signs
//! the owner in with a PIN. `private` writes the files these are kept in.

pub mod browser;
pub mod client;
pub mod cookie;
pub mod host;
pub mod identity;
pub mod keys;
pub mod origin;
pub mod owner;
pub mod private;
pub mod secret;
