//! The files of the page, which are part of the program.

use super::reply::Reply;

/// Returns the file of the page at `path`, if there is one.
pub fn file(path: &str) -> Option<Reply> {
    match path {
        "/" => Some(Reply::new("text/html; charset=utf-8", include_str!("page/index.html"))),
        "/page.css" => Some(Reply::new("text/css; charset=utf-8", include_str!("page/page.css"))),
        "/page.js" => {
            Some(Reply::new("text/javascript; charset=utf-8", include_str!("page/page.js")))
        }
        _ => None,
    }
}
