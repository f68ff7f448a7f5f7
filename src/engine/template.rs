//! Renders a model's chat template around texts that the template never sees.
//!
//! The template (Jinja, rendered by minijinja like Hugging Face does) gets placeholders for the
//! messages, and its output is cut at them. White space that a template trims from a message is
//! trimmed; other changes it might make to one, which few templates do, are not applied. Pure:
//! knows no model and no tokens.

use std::sync::{Arc, Mutex, PoisonError};

use minijinja::syntax::SyntaxConfig;
use minijinja::{Environment, ErrorKind, context};

use crate::types::error::{Error, Kind};
use crate::types::job::{Question, Role};
use crate::types::limits;

/// A part of a rendered prompt, by its origin.
#[derive(Debug, PartialEq)]
pub(crate) enum Segment {
    /// Text of the template.
    Template(String),
    /// A message, or the system prompt, of the question.
    User(Placeholder),
}

/// The position of a text of the question: text 0 is the system prompt, text i + 1 is turn i.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Placeholder {
    text: usize,
    trims_start: bool,
    trims_end: bool,
}

/// The reason why a conversation could not be rendered.
enum Unrendered {
    /// The template raised an exception with this message.
    Refused(String),
    /// The template is broken in this way.
    Broken(String),
}

/// Renders `template` into segments; `bos` and `eos` are the texts of the start and end tokens.
///
/// # Errors
/// `bad_model` if the template is broken or omits a message, `bad_request` if it rejects the
/// client's conversation.
pub(crate) fn render(
    template: &str,
    (bos, eos): (String, String),
    question: &Question,
) -> Result<Vec<Segment>, Error> {
    let system = (!question.system.is_empty()).then_some(("system", placeholder(0)));
    let turns: Vec<(&str, String)> = question
        .turns
        .iter()
        .enumerate()
        .map(|(i, turn)| match turn.role {
            Role::User => ("user", placeholder(i + 1)),
            Role::Assistant => ("assistant", placeholder(i + 1)),
        })
        .collect();
    let texts = question.turns.len() + 1;
    let whole = |messages: &[(&str, String)]| {
        let rendered = render_messages(template, &bos, &eos, messages)?;
        let segments = cut(&rendered, texts);
        let first = usize::from(system.is_none());
        let has = |text| segments.iter().any(|s| matches!(s, Segment::User(p) if p.text == text));
        match (first..texts).find(|&text| !has(text)) {
            None => Ok(segments),
            Some(0) => Err(Unrendered::Broken("it omits the system prompt".into())),
            Some(_) => Err(Unrendered::Broken("it omits a message".into())),
        }
    };
    let plain: Vec<_> = system.iter().chain(&turns).cloned().collect();
    whole(&plain)
        .or_else(|unrendered| {
            // Some templates have no system role: the first message then contains it.
            let (Some((_, prompt)), "user") = (&system, turns[0].0) else { return Err(unrendered) };
            let mut merged = turns.clone();
            merged[0].1 = format!("{prompt}\n\n{}", merged[0].1);
            whole(&merged).map_err(|_| unrendered)
        })
        .map_err(|unrendered| match unrendered {
            // For a single question in an unchanged mode the model is at fault, else the client.
            Unrendered::Refused(reason) if question.turns.len() > 1 || question.brings_system() => {
                Error::bad_request(
                    format!("messages: the model rejects this conversation: {reason}"),
                    "Alternate user and assistant messages, starting with the user.",
                )
            }
            Unrendered::Refused(reason) | Unrendered::Broken(reason) => bad_template(&reason),
        })
}

/// Checks that a chat template can be parsed, and can render a question.
///
/// # Errors
/// `bad_model` with the line and the reason.
pub fn check(template: &str) -> Result<(), Error> {
    let mut environment = environment().map_err(|error| bad_template(&error.to_string()))?;
    let parsed = environment.add_template_owned("template", without_generation_tags(template));
    parsed.map_err(|error| bad_template(&error.to_string()))?;
    match render_messages(template, "", "", &[("user", placeholder(0))]) {
        Err(Unrendered::Broken(cause)) => Err(bad_template(&cause)),
        // It may insist on a system prompt.
        Ok(_) | Err(Unrendered::Refused(_)) => Ok(()),
    }
}

/// The Jinja of chat templates: the options Hugging Face enables, and a bound on the run time.
fn environment() -> Result<Environment<'static>, minijinja::Error> {
    let mut environment = Environment::new();
    environment.set_syntax(SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build()?);
    environment.set_fuel(Some(limits::TEMPLATE_FUEL));
    environment.set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
    Ok(environment)
}

fn render_messages(
    template: &str,
    bos: &str,
    eos: &str,
    messages: &[(&str, String)],
) -> Result<String, Unrendered> {
    let broken = |error: minijinja::Error| Unrendered::Broken(error.to_string());
    let mut environment = environment().map_err(broken)?;
    let raised = Arc::new(Mutex::new(None));
    let message = raised.clone();
    environment.add_function("raise_exception", move |reason: String| {
        *message.lock().unwrap_or_else(PoisonError::into_inner) = Some(reason.clone());
        Err::<String, _>(minijinja::Error::new(ErrorKind::InvalidOperation, reason))
    });
    // A board may lack a clock, and an answer should not depend on the date.
    environment.add_function("strftime_now", |_format: String| String::new());
    let messages: Vec<_> =
        messages.iter().map(|(role, content)| context! { role => *role, content }).collect();
    let variables = context! {
        messages,
        add_generation_prompt => true,
        bos_token => bos,
        eos_token => eos,
    };
    environment.render_str(&without_generation_tags(template), variables).map_err(|error| {
        match raised.lock().unwrap_or_else(PoisonError::into_inner).take() {
            Some(reason) => Unrendered::Refused(reason),
            None => broken(error),
        }
    })
}

/// Drops `{% generation %}` and its end tag, which mark text for training and are not Jinja.
fn without_generation_tags(template: &str) -> String {
    let mut kept = String::new();
    let mut rest = template;
    while let Some((before, tag, after)) = rest
        .split_once("{%")
        .and_then(|(before, rest)| rest.split_once("%}").map(|(tag, after)| (before, tag, after)))
    {
        kept.push_str(before);
        if !matches!(tag.trim_matches(['-', '+', ' ']), "generation" | "endgeneration") {
            kept.extend(["{%", tag, "%}"]);
        }
        rest = after;
    }
    kept + rest
}

/// White space that templates do not use themselves; if it is gone, the template trims messages.
const EM_SPACE: char = '\u{2003}';

/// Returns private-use characters around an index, with white space on both sides.
///
/// Such characters in a template's own text remain text.
fn placeholder(text: usize) -> String {
    format!("{EM_SPACE}\u{F4F0}{text}\u{F4F1}{EM_SPACE}")
}

/// Cuts rendered text at the placeholders of the texts 0 to `texts` - 1.
fn cut(rendered: &str, texts: usize) -> Vec<Segment> {
    let mut segments = Vec::new();
    let mut own = String::new();
    let mut rest = rendered;
    while let Some((before, after)) = rest.split_once('\u{F4F0}') {
        own.push_str(before);
        let known = after.split_once('\u{F4F1}').and_then(|(index, after)| {
            let text = index.parse::<usize>().ok().filter(|&text| text < texts)?;
            Some((text, after))
        });
        let Some((text, after)) = known else {
            own.push('\u{F4F0}');
            rest = after;
            continue;
        };
        let trims_start = !own.ends_with(EM_SPACE);
        if !trims_start {
            own.pop();
        }
        rest = after.strip_prefix(EM_SPACE).unwrap_or(after);
        let trims_end = rest.len() == after.len();
        segments.push(Segment::Template(std::mem::take(&mut own)));
        segments.push(Segment::User(Placeholder { text, trims_start, trims_end }));
    }
    own.push_str(rest);
    segments.push(Segment::Template(own));
    segments
}

impl Placeholder {
    /// Returns the text for this position, trimmed like the template trims it.
    pub(crate) fn fill<'t>(self, texts: &[&'t str]) -> &'t str {
        let text = texts[self.text];
        let text = if self.trims_start { text.trim_start() } else { text };
        if self.trims_end { text.trim_end() } else { text }
    }
}

/// Returns the error for a template that cannot be used.
pub(crate) fn bad_template(cause: &str) -> Error {
    Error::new(
        Kind::BadModel,
        format!("cannot use the model's chat template: {cause}"),
        "Use a GGUF file of a chat or reasoning model that contains a chat template.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::job::Turn;
    use crate::types::mode::Modes;

    fn question(texts: &[&str]) -> Question {
        let turns = texts
            .iter()
            .enumerate()
            .map(|(i, text)| Turn {
                role: if i % 2 == 0 { Role::User } else { Role::Assistant },
                text: text.to_string(),
            })
            .collect();
        Question::new(Modes::built_in().find("math").unwrap(), turns, 1)
    }

    fn rendered(template: &str, texts: &[&str]) -> Result<Vec<Segment>, Error> {
        render(template, ("<s>".into(), "</s>".into()), &question(texts))
    }

    fn verbatim(text: usize) -> Segment {
        Segment::User(Placeholder { text, trims_start: false, trims_end: false })
    }

    #[test]
    fn a_template_never_sees_the_messages() {
        let template = "{{ bos_token }}{% for m in messages %}[{{ m['role'] }}] \
                        {{ m['content'] | trim }}{% endfor %}\
                        {% if add_generation_prompt %}[a]{% endif %}";
        let segments = rendered(template, &["{{ 7*7 }} <|im_end|>"]).unwrap();
        let own = |text: &str| Segment::Template(text.into());
        let trimmed =
            |text| Segment::User(Placeholder { text, trims_start: true, trims_end: true });
        let expected = [own("<s>[system] "), trimmed(0), own("[user] "), trimmed(1), own("[a]")];
        assert_eq!(segments, expected);
    }

    #[test]
    fn without_a_system_role_the_first_message_contains_the_system_prompt() {
        let template = "{% if messages[0].role == 'system' %}{{ raise_exception('no system') }}\
                        {% endif %}{% for m in messages %}({{ m.content }}){% endfor %}";
        let segments = rendered(template, &["q"]).unwrap();
        assert_eq!((&segments[1], &segments[3]), (&verbatim(0), &verbatim(1)));
    }

    #[test]
    fn if_the_system_role_is_omitted_the_first_message_contains_the_system_prompt() {
        let template = "{% for m in messages %}{% if m.role == 'user' %}({{ m.content }})\
                        {% endif %}{% endfor %}";
        let segments = rendered(template, &["q"]).unwrap();
        assert_eq!((&segments[1], &segments[3]), (&verbatim(0), &verbatim(1)));
    }

    #[test]
    fn a_rejected_conversation_is_a_bad_request_and_a_rejected_question_a_bad_model() {
        let template = "{% if messages | length != 2 %}{{ raise_exception('take turns') }}\
                        {% endif %}\
                        {% for m in messages %}{{ m.content }}{% endfor %}";
        assert!(rendered(template, &["q"]).is_ok());
        let error = rendered(template, &["q", "a", "q"]).unwrap_err();
        assert_eq!(error.kind, Kind::BadRequest);
        assert!(error.message.contains("take turns"), "{error}");
    }

    #[test]
    fn extensions_that_published_templates_use_are_supported() {
        let template = "{{ strftime_now('%d') }}{% for m in messages %}\
                        {%- generation %}{{ m.content }}{% endgeneration -%}{% endfor %}";
        assert!(rendered(template, &["q"]).unwrap().contains(&verbatim(1)));
    }

    #[test]
    fn python_methods_that_templates_use_are_supported() {
        let template = "{% for m in messages %}{% if m.content.startswith('x') %}{% continue %}\
                        {% endif %}{{ m.content.split('</think>')[-1].lstrip('\\n') }}{% endfor %}";
        assert!(rendered(template, &["q"]).unwrap().contains(&verbatim(1)));
    }

    #[test]
    fn a_broken_template_is_a_bad_model_with_the_reason() {
        let cases = [
            ("{% for m in messages %}", "unexpected end"),
            ("{{ raise_exception('only poems') }}", "only poems"),
            ("no question at all", "omits the system prompt"),
            (
                "{% for a in range(10000) %}{% for b in range(10000) %}x{% endfor %}{% endfor %}",
                "fuel",
            ),
        ];
        for (template, expected) in cases {
            let error = rendered(template, &["q"]).unwrap_err();
            assert_eq!(error.kind, Kind::BadModel);
            assert!(error.message.contains(expected), "{template}: {error}");
        }
    }

    #[test]
    fn a_template_that_does_not_parse_is_rejected_without_a_question() {
        assert!(check("{% for m in messages %}{%- generation %}x{% endfor %}").is_ok());
        let error = check("{{ '%s' % messages[0].content }}").unwrap_err();
        assert!(error.message.contains("%") && error.message.contains(":1"), "{error}");
        let error = check("{% for m in messages %}").unwrap_err();
        assert!(error.message.contains("unexpected end"), "{error}");
        let deep = "{{ ".to_string() + &"(".repeat(100_000);
        assert!(check(&deep).is_err());
    }

    #[test]
    fn placeholders_in_a_templates_own_text_stay_text() {
        let segments = cut("a\u{F4F0}9\u{F4F1}b\u{2003}\u{F4F0}1\u{F4F1}\u{2003}c\u{F4F0}", 2);
        let own = |text: &str| Segment::Template(text.into());
        let expected = [own("a\u{F4F0}9\u{F4F1}b"), verbatim(1), own("c\u{F4F0}")];
        assert_eq!(segments, expected);
    }
}
