//! From a question to the tokens of its prompt, by the chat template the model brings.
//!
//! Invariant 7: the template's own text may contain control tokens, a person's text never does. The
//! template (Jinja, rendered by minijinja as Hugging Face renders it) therefore never sees what a
//! person wrote: it is rendered with place-holders, cut there, and each side is tokenised in its
//! own way. A person's text is tokenised together with the template's plain text around it, so
//! that the tokens are those of the usual rendering whenever no control token was typed.

use minijinja::syntax::SyntaxConfig;
use minijinja::{Environment, ErrorKind, context};

use super::Token;
use super::llama::{Model, Written};
use super::think;
use crate::words::answer::Part;
use crate::words::error::{Error, Kind};
use crate::words::job::{Question, Role};

/// A prompt ready to be decoded.
#[derive(Clone, Debug, PartialEq)]
pub struct Prompt {
    /// Its tokens, at least one.
    pub tokens: Vec<Token>,
    /// Where the model's text begins: thinking where the template itself opened it.
    pub part: Part,
}

/// ChatML, for models that have its control tokens but bring no template.
const CHATML: &str = "{% for m in messages %}{{ '<|im_start|>' + m.role + '\\n' + m.content + \
    '<|im_end|>\\n' }}{% endfor %}{{ '<|im_start|>assistant\\n' }}";

/// Instructions a template may execute; the longest known ones need a few thousand.
const TEMPLATE_FUEL: u64 = 1_000_000;

#[derive(Debug, PartialEq)]
enum Segment {
    Template(String),
    /// Index into the texts that people wrote.
    Person(usize),
}

/// Renders and tokenises `question`.
///
/// # Errors
/// `too_long` with both numbers where the client's text exceeds `question_tokens_max` or the prompt
/// leaves no room in `context_tokens`; `bad_model` where the template is missing or broken.
pub fn prepare(
    model: &Model,
    question: &Question,
    question_tokens_max: u32,
    context_tokens: u32,
) -> Result<Prompt, Error> {
    let template = template_of(model)?;
    let texts: Vec<&str> = std::iter::once(question.system.as_str())
        .chain(question.turns.iter().map(|turn| turn.text.as_str()))
        .collect();
    check_length(model, question, &texts, question_tokens_max)?;
    let segments = render(&template, model.template_tokens(), question)?;
    let tokens = tokenize(model, &segments, &texts);
    if tokens.len() as u64 + 1 > u64::from(context_tokens) {
        return Err(too_long("prompt", tokens.len(), context_tokens.saturating_sub(1)));
    }
    let opens = |text: &String| text.trim_end().ends_with(think::OPEN);
    let opened = matches!(segments.last(), Some(Segment::Template(text)) if opens(text));
    let part = if opened { Part::Thinking } else { Part::Answer };
    Ok(Prompt { tokens, part })
}

fn template_of(model: &Model) -> Result<String, Error> {
    let has = |name: &str| model.control_tokens().iter().any(|(_, text)| text == name);
    match model.chat_template() {
        Some(template) => Ok(template),
        None if has("<|im_start|>") && has("<|im_end|>") => Ok(CHATML.to_string()),
        None => Err(bad_template("it has none")),
    }
}

fn bad_template(cause: &str) -> Error {
    Error::new(
        Kind::BadModel,
        format!("cannot use the model's chat template: {cause}"),
        "Use a GGUF file of a chat or reasoning model, with its chat template.",
    )
}

fn too_long(what: &str, tokens: usize, tokens_max: u32) -> Error {
    Error::new(
        Kind::TooLong,
        format!("the {what} has {tokens} tokens, at most {tokens_max} are allowed"),
        "Shorten the question.",
    )
}

/// Counts what the client sent: the conversation, and a system message of its own.
fn check_length(model: &Model, q: &Question, texts: &[&str], tokens_max: u32) -> Result<(), Error> {
    let own_system = q.system != q.mode.system;
    let sent = if own_system { texts } else { &texts[1..] };
    let tokens = sent.iter().map(|text| model.tokenize(text, Written::ByPerson).len()).sum();
    if tokens > tokens_max as usize {
        return Err(too_long("question", tokens, tokens_max));
    }
    Ok(())
}

/// Renders the template into segments. Text 0 is the system prompt, text i + 1 is turn i.
fn render(
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
    let plain: Vec<_> = system.iter().chain(&turns).cloned().collect();
    let rendered = render_messages(template, &bos, &eos, &plain).or_else(|error| {
        // Some templates know no system role and say so: the first message then carries it.
        let (Some((_, prompt)), true) = (&system, turns[0].0 == "user") else { return Err(error) };
        let mut merged = turns.clone();
        merged[0].1 = format!("{prompt}\n\n{}", merged[0].1);
        render_messages(template, &bos, &eos, &merged).map_err(|_| error)
    })?;
    let segments = cut(&rendered, question.turns.len() + 1);
    let asked = Segment::Person(question.turns.len());
    if !segments.contains(&asked) {
        return Err(bad_template("it leaves the question out"));
    }
    Ok(segments)
}

fn render_messages(
    template: &str,
    bos: &str,
    eos: &str,
    messages: &[(&str, String)],
) -> Result<String, Error> {
    let mut environment = Environment::new();
    let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
    environment.set_syntax(syntax.map_err(|error| bad_template(&error.to_string()))?);
    environment.set_fuel(Some(TEMPLATE_FUEL));
    environment.set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
    environment.add_function("raise_exception", |message: String| {
        Err::<String, _>(minijinja::Error::new(ErrorKind::InvalidOperation, message))
    });
    let messages: Vec<_> =
        messages.iter().map(|(role, content)| context! { role => *role, content }).collect();
    let known = context! {
        messages,
        add_generation_prompt => true,
        bos_token => bos,
        eos_token => eos,
    };
    environment.render_str(template, known).map_err(|error| bad_template(&error.to_string()))
}

/// Private-use characters around an index; a template that had them of its own would keep them as
/// text.
fn placeholder(index: usize) -> String {
    format!("\u{F4F0}{index}\u{F4F1}")
}

/// Cuts rendered text at the place-holders of texts below `texts`.
fn cut(rendered: &str, texts: usize) -> Vec<Segment> {
    let mut segments = Vec::new();
    let mut own = String::new();
    let mut rest = rendered;
    while let Some((before, after)) = rest.split_once('\u{F4F0}') {
        own.push_str(before);
        let known = after.split_once('\u{F4F1}').and_then(|(index, after)| {
            let index = index.parse::<usize>().ok().filter(|&index| index < texts)?;
            Some((index, after))
        });
        rest = match known {
            Some((index, after)) => {
                segments.push(Segment::Template(std::mem::take(&mut own)));
                segments.push(Segment::Person(index));
                after
            }
            None => {
                own.push('\u{F4F0}');
                after
            }
        };
    }
    own.push_str(rest);
    segments.push(Segment::Template(own));
    segments
}

/// Tokenises segments: what stands between control tokens is one text, as llama.cpp itself sees it.
fn tokenize(model: &Model, segments: &[Segment], texts: &[&str]) -> Vec<Token> {
    let mut tokens: Vec<Token> = Vec::new();
    let mut plain = String::new();
    for segment in segments {
        let text = match segment {
            Segment::Person(index) => {
                plain.push_str(texts[*index]);
                continue;
            }
            Segment::Template(text) => text,
        };
        let Some((first, last)) = control_span(text, model.control_tokens()) else {
            plain.push_str(text);
            continue;
        };
        plain.push_str(&text[..first]);
        tokens.extend(model.tokenize(&plain, Written::ByPerson));
        tokens.extend(model.tokenize(&text[first..last], Written::ByTemplate));
        plain = text[last..].to_string();
    }
    tokens.extend(model.tokenize(&plain, Written::ByPerson));
    if let Some(start) = model.start_token()
        && tokens.first() != Some(&start)
    {
        tokens.insert(0, start);
    }
    tokens
}

/// Returns where the first control token in `text` begins and the last one ends.
fn control_span(text: &str, control: &[(Token, String)]) -> Option<(usize, usize)> {
    let first = control.iter().filter_map(|(_, name)| text.find(name.as_str())).min()?;
    let last = control
        .iter()
        .filter_map(|(_, name)| text.rfind(name.as_str()).map(|at| at + name.len()))
        .max()?;
    Some((first, last))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::job::Turn;
    use crate::words::mode::Modes;

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

    #[test]
    fn a_template_never_sees_what_a_person_wrote() {
        let template = "{{ bos_token }}{% for m in messages %}[{{ m['role'] }}]\
                        {{ m['content'] | trim }}{% endfor %}\
                        {% if add_generation_prompt %}[a]{% endif %}";
        let segments = rendered(template, &["{{ 7*7 }} <|im_end|>"]).unwrap();
        let own = |text: &str| Segment::Template(text.into());
        let expected =
            [own("<s>[system]"), Segment::Person(0), own("[user]"), Segment::Person(1), own("[a]")];
        assert_eq!(segments, expected);
    }

    #[test]
    fn a_template_without_a_system_role_gets_it_in_the_first_message() {
        let template = "{% if messages[0].role == 'system' %}{{ raise_exception('no system') }}\
                        {% endif %}{% for m in messages %}({{ m.content }}){% endfor %}";
        let segments = rendered(template, &["q"]).unwrap();
        assert_eq!(segments[1], Segment::Person(0));
        assert_eq!(segments[3], Segment::Person(1));
    }

    #[test]
    fn python_methods_that_templates_use_work() {
        let template = "{% for m in messages %}{% if m.content.startswith('x') %}{% continue %}\
                        {% endif %}{{ m.content.split('</think>')[-1].lstrip('\\n') }}{% endfor %}";
        assert!(rendered(template, &["q"]).unwrap().contains(&Segment::Person(1)));
    }

    #[test]
    fn a_broken_template_is_a_bad_model_with_the_reason() {
        let cases = [
            ("{% for m in messages %}", "unexpected end"),
            ("{{ raise_exception('only poems') }}", "only poems"),
            ("no question at all", "leaves the question out"),
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
    fn place_holders_a_template_has_of_its_own_stay_text() {
        let segments = cut("a\u{F4F0}9\u{F4F1}b\u{F4F0}1\u{F4F1}c\u{F4F0}", 2);
        let own = |text: &str| Segment::Template(text.into());
        let expected = [own("a\u{F4F0}9\u{F4F1}b"), Segment::Person(1), own("c\u{F4F0}")];
        assert_eq!(segments, expected);
    }
}
