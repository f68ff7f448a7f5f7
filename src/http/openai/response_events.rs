//! The typed events of a streamed response: items that are added, grow and are done.
//!
//! Their order is that of OpenAI's reference: an item is added, then its one part, then the part
//! grows, and both are done before the next item is added. Every event has the next
//! `sequence_number`.

use serde_json::{Value, json};

use super::responses::{ThinkingField, content, item, item_id};
use crate::http::stream::{Events, ReaderGone};
use crate::types::answer::{Part, Piece};
use crate::types::job::JobName;

/// The events of one response so far.
pub struct ResponseEvents {
    job: JobName,
    thinking: ThinkingField,
    sequence_number: u64,
    /// The item that grows.
    open: Option<OpenItem>,
    /// The items that are done.
    output: Vec<Value>,
}

struct OpenItem {
    id: String,
    part: Part,
    text: String,
}

/// The names of the events of one kind of item.
struct EventNames {
    part: &'static str,
    text: &'static str,
    index: &'static str,
}

impl ResponseEvents {
    /// Starts before the first event.
    pub fn new(job: JobName, thinking: ThinkingField) -> ResponseEvents {
        ResponseEvents { job, thinking, sequence_number: 0, open: None, output: Vec::new() }
    }

    /// Sends one event, with its type and its number.
    pub fn send(
        &mut self,
        events: &mut Events,
        kind: &str,
        mut fields: Value,
    ) -> Result<(), ReaderGone> {
        fields["type"] = kind.into();
        fields["sequence_number"] = self.sequence_number.into();
        self.sequence_number += 1;
        events.typed(kind, &fields)
    }

    /// Sends more text, in an item of its part.
    pub fn text(&mut self, events: &mut Events, piece: &Piece) -> Result<(), ReaderGone> {
        let open = self.open_for(events, piece.part)?;
        open.text.push_str(&piece.text);
        let mut fields = json!({"item_id": open.id, "delta": piece.text});
        if piece.part == Part::Answer {
            fields["logprobs"] = json!([]);
        }
        let kind = format!("response.{}.delta", self.names(piece.part).text);
        self.send_in_part(events, piece.part, &kind, fields)
    }

    /// Ends the item that grows, with this status; a response without an answer gets an empty one.
    /// Returns all items.
    pub fn end_items(
        &mut self,
        events: &mut Events,
        status: &str,
    ) -> Result<Vec<Value>, ReaderGone> {
        self.open_for(events, Part::Answer)?;
        self.close(events, status)?;
        Ok(std::mem::take(&mut self.output))
    }

    /// Returns the item that grows, after another has been ended if that is of another part.
    fn open_for(&mut self, events: &mut Events, part: Part) -> Result<&mut OpenItem, ReaderGone> {
        if self.open.as_ref().is_none_or(|open| open.part != part) {
            self.close(events, "completed")?;
            let id = item_id(self.job, part, self.output.len());
            let added = item(&id, part, self.thinking, "in_progress", None);
            let fields = json!({"output_index": self.output.len(), "item": added});
            self.send(events, "response.output_item.added", fields)?;
            let fields = json!({"item_id": id, "part": content(part, self.thinking, "")});
            let kind = format!("response.{}.added", self.names(part).part);
            self.send_in_part(events, part, &kind, fields)?;
            self.open = Some(OpenItem { id, part, text: String::new() });
        }
        Ok(self.open.as_mut().expect("it was opened above"))
    }

    fn close(&mut self, events: &mut Events, status: &str) -> Result<(), ReaderGone> {
        let Some(OpenItem { id, part, text }) = self.open.take() else { return Ok(()) };
        let names = self.names(part);
        let mut fields = json!({"item_id": id, "text": text});
        if part == Part::Answer {
            fields["logprobs"] = json!([]);
        }
        self.send_in_part(events, part, &format!("response.{}.done", names.text), fields)?;
        let fields = json!({"item_id": id, "part": content(part, self.thinking, &text)});
        self.send_in_part(events, part, &format!("response.{}.done", names.part), fields)?;
        let done = item(&id, part, self.thinking, status, Some(&text));
        let fields = json!({"output_index": self.output.len(), "item": done});
        self.output.push(done);
        self.send(events, "response.output_item.done", fields)
    }

    /// Sends an event about the part of the item that grows.
    fn send_in_part(
        &mut self,
        events: &mut Events,
        part: Part,
        kind: &str,
        mut fields: Value,
    ) -> Result<(), ReaderGone> {
        fields["output_index"] = self.output.len().into();
        fields[self.names(part).index] = 0.into();
        self.send(events, kind, fields)
    }

    fn names(&self, part: Part) -> EventNames {
        let (part, text, index) = match (part, self.thinking) {
            (Part::Answer, _) => ("content_part", "output_text", "content_index"),
            (Part::Thinking, ThinkingField::Content) => {
                ("content_part", "reasoning_text", "content_index")
            }
            (Part::Thinking, ThinkingField::Summary) => {
                ("reasoning_summary_part", "reasoning_summary_text", "summary_index")
            }
        };
        EventNames { part, text, index }
    }
}
