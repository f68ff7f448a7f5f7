//! A browser that runs no script: its cookie, and the token that its forms carry.
//!
//! Old browsers send no `Origin` with a form, so another site's form would look like the box's own
//! to `origin`. The token is an HMAC of the cookie's ID under the box's `secret`: another site can
//! have a browser send the cookie, but cannot know the token. Scripts need none, because they
//! cannot send JSON to the box from another site.

use super::client;
use super::secret::Secret;
use crate::types::error::Error;

/// A browser that asked for a page with forms.
#[derive(Debug, PartialEq, Eq)]
pub struct Browser {
    /// The token for its forms.
    pub token: String,
    /// The `Set-Cookie` that makes it known; `None` if it has a valid cookie.
    pub set_cookie: Option<String>,
}

impl Browser {
    /// Recognizes a browser that sent `cookies`, or makes a new one.
    ///
    /// # Errors
    /// `internal` if no random bytes are available.
    pub fn of(cookies: Option<&str>, secret: &Secret) -> Result<Browser, Error> {
        if let Some(id) = cookies.and_then(|cookies| client::id_of(cookies, secret)) {
            return Ok(Browser { token: secret.form_token(id), set_cookie: None });
        }
        let cookie = secret.cookie()?;
        let id = secret.id_of(&cookie).unwrap_or_default();
        let token = secret.form_token(id);
        Ok(Browser { token, set_cookie: Some(client::set_cookie(&cookie)) })
    }

    /// Returns whether the browser has a cookie of this box, and so may have jobs.
    pub fn is_known(&self) -> bool {
        self.set_cookie.is_none()
    }
}

/// Returns whether a form with this token comes from a page that the box gave to the browser that
/// sent `cookies`. Compares in constant time.
pub fn is_own_form(cookies: Option<&str>, token: &str, secret: &Secret) -> bool {
    let id = cookies.and_then(|cookies| client::id_of(cookies, secret));
    id.is_some_and(|id| secret.is_form_token(id, token))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_worth_something_with_its_own_cookie_on_its_own_box_only() {
        let boxes = [(); 2].map(|()| tempfile::tempdir().unwrap());
        let [secret, foreign] =
            [&boxes[0], &boxes[1]].map(|data| Secret::load(data.path()).unwrap());
        let new = Browser::of(Some("solverbox=forged; theme=dark"), &secret).unwrap();
        assert!(!new.is_known());
        let set = new.set_cookie.unwrap();
        let cookie = set.split("; ").next().unwrap();
        let known = Browser::of(Some(cookie), &secret).unwrap();
        assert!(known.is_known());
        assert_eq!(known.token, new.token, "the first page's forms stay valid");
        assert!(is_own_form(Some(cookie), &known.token, &secret));

        let other = Browser::of(None, &secret).unwrap();
        let sealed = cookie.rsplit('.').next().unwrap();
        for token in ["", "0", &other.token, sealed, &known.token[1..], &known.token.to_uppercase()]
        {
            assert!(!is_own_form(Some(cookie), token, &secret), "{token}");
        }
        assert!(!is_own_form(None, &known.token, &secret));
        assert!(!is_own_form(Some(cookie), &known.token, &foreign));
    }
}
