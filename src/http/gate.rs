//! stub
use std::net::{IpAddr, SocketAddr}; use std::path::Path; use std::sync::Arc; use std::sync::atomic::AtomicBool; use crate::words::error::Error;
pub struct Gate; pub struct Visitors; pub struct Visitor; pub const VISITOR_HEADER: &str = "X-Solverbox-Visitor";
impl Gate { pub fn bind(_: SocketAddr, _: &Path) -> Result<(Gate, std::os::unix::net::UnixListener), Error> { todo!() } pub fn address(&self)->SocketAddr{todo!()} pub fn visitors(&self)->Arc<Visitors>{todo!()} pub fn run(self,_:&AtomicBool){} }
impl Visitors { pub fn find(&self,_:&str)->Option<Arc<Visitor>>{None} pub fn count(&self)->usize{0} }
impl Visitor { pub fn address(&self)->IpAddr{todo!()} pub fn on_leave(&self, _: impl FnOnce()+Send+'static){} }
