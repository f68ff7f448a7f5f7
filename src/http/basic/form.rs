//! The fields of a form as browsers send them: `application/x-www-form-urlencoded`.

use crate::types::limits;

/// A form that was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FormFields(Vec<(String, String)>);

impl FormFields {
    /// Splits a body into fields. Everything is a form to it: what is not UTF-8 becomes U+FFFD, and
    /// a field that is missing has no text. Fields after the first [`limits::FORM_FIELDS_MAX`] are
    /// left out.
    pub fn of(body: &[u8]) -> FormFields {
        let fields = form_urlencoded::parse(body).take(limits::FORM_FIELDS_MAX);
        // Browsers end the lines of a text field with CRLF.
        let text = |text: &str| text.replace("\r\n", "\n").replace('\r', "\n");
        FormFields(fields.map(|(name, value)| (name.into_owned(), text(&value))).collect())
    }

    /// Returns the text of a field; the first if several have the name.
    pub fn text(&self, name: &str) -> &str {
        let field = self.0.iter().find(|(known, _)| known == name);
        field.map_or("", |(_, text)| text.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_has_the_text_that_was_typed() {
        let form = FormFields::of(b"question=2%2B2+%3D+4%0D%0A%E6%95%B0&mode=math&mode=code&work");
        assert_eq!(form.text("question"), "2+2 = 4\n\u{6570}");
        assert_eq!((form.text("mode"), form.text("work"), form.text("none")), ("math", "", ""));
        assert_eq!(FormFields::of(b"a=%FF%zz%").text("a"), "\u{fffd}%zz%");
        let many = format!("{}question=2", "a&".repeat(limits::FORM_FIELDS_MAX));
        assert_eq!(FormFields::of(many.as_bytes()).text("question"), "");
        assert_eq!(FormFields::of(b"{\"question\": \"2+2?\"}").text("question"), "");
    }
}
