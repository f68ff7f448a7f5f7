//! HTML whose text cannot become markup.
//!
//! A page is built from two kinds of strings: markup, which is part of the program, and text, which
//! is escaped here and nowhere else. So neither a question nor a model's answer can add an element.

/// A piece of HTML.
#[derive(Clone, Debug, Default)]
pub struct Html(String);

impl Html {
    /// Adds markup, which the program itself contains.
    pub fn markup(&mut self, markup: &'static str) -> &mut Html {
        self.0.push_str(markup);
        self
    }

    /// Adds text, within an element or the quotes of an attribute.
    pub fn text(&mut self, text: &str) -> &mut Html {
        text.chars().for_each(|c| escape(c, &mut self.0));
        self
    }

    /// Adds an element with text and nothing else.
    pub fn element(&mut self, name: &'static str, text: &str) -> &mut Html {
        self.markup("<").markup(name).markup(">").text(text);
        self.markup("</").markup(name).markup(">\n")
    }

    /// Adds a paragraph of a class.
    pub fn paragraph(&mut self, class: &'static str, text: &str) -> &mut Html {
        self.markup("<p class=\"").markup(class).markup("\">").text(text).markup("</p>\n")
    }

    /// Adds a field that a form sends unseen.
    pub fn hidden(&mut self, name: &'static str, value: &str) -> &mut Html {
        self.markup("<input type=\"hidden\" name=\"").markup(name);
        self.markup("\" value=\"").text(value).markup("\">\n")
    }

    /// Adds the button that sends a form.
    pub fn button(&mut self, label: &str) -> &mut Html {
        self.markup("<input type=\"submit\" value=\"").text(label).markup("\">\n")
    }

    /// Adds a link; `address` is a path of this box.
    pub fn link(&mut self, address: &str, label: &str) -> &mut Html {
        // An isolated label keeps its direction marks to itself.
        self.markup("<a href=\"").text(address).markup("\"><bdi>").text(label);
        self.markup("</bdi></a>")
    }

    /// Adds a long text with its line ends, isolated like a label.
    pub fn block(&mut self, class: &'static str, text: &str) -> &mut Html {
        self.markup("<div dir=\"auto\" class=\"").markup(class).markup("\">");
        self.text(text).markup("</div>\n")
    }

    /// Adds another piece of HTML.
    pub fn append(&mut self, content: Html) -> &mut Html {
        self.0.push_str(&content.0);
        self
    }

    /// Returns the HTML as it is sent.
    pub fn into_string(self) -> String {
        self.0
    }
}

fn escape(c: char, out: &mut String) {
    match c {
        '&' => out.push_str("&amp;"),
        '<' => out.push_str("&lt;"),
        '>' => out.push_str("&gt;"),
        '"' => out.push_str("&quot;"),
        '\'' => out.push_str("&#39;"),
        '\n' | '\t' => out.push(c),
        c if c.is_control() => out.push('\u{fffd}'),
        c => out.push(c),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_stays_text_in_an_element_and_in_an_attribute() {
        let mut html = Html::default();
        html.element("p", "<script>alert('&amp;')</script>").hidden("key", "\"><img src=x>");
        assert_eq!(
            html.into_string(),
            "<p>&lt;script&gt;alert(&#39;&amp;amp;&#39;)&lt;/script&gt;</p>\n\
             <input type=\"hidden\" name=\"key\" value=\"&quot;&gt;&lt;img src=x&gt;\">\n"
        );
    }

    #[test]
    fn control_characters_are_replaced_and_lines_stay() {
        let mut html = Html::default();
        html.text("a\0b\u{1b}[31m\r\u{85}\n\tc");
        let shown = "a\u{fffd}b\u{fffd}[31m\u{fffd}\u{fffd}\n\tc";
        assert_eq!(html.into_string(), shown);
    }
}
