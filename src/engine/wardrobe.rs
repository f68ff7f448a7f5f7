//! Which adapters are worn: they are added to the model's weights in a whole pass, not for a
//! sequence.
//!
//! Each combination of adapters and scales is an *outfit*; the first is none at all. Adapters are
//! read when a question first needs them, and stay. Changing outfits costs llama.cpp a new graph,
//! so `step` does it about once a second and not in every step.

use super::llama::{Adapter, Context, Model};
use crate::words::error::{Error, Kind};
use crate::words::mode::Worn;
use crate::words::plan::Plan;

/// Names one outfit; 0 is no adapter.
pub type Outfit = usize;

/// The adapters of a box and the outfits made of them.
pub struct Wardrobe<'m> {
    model: &'m Model,
    plan: &'m Plan,
    /// By place in the plan, once read.
    adapters: Vec<Option<Adapter>>,
    outfits: Vec<Vec<(usize, f32)>>,
    worn: Outfit,
}

impl<'m> Wardrobe<'m> {
    /// Makes one in which nothing is worn and nothing is read yet.
    pub fn new(model: &'m Model, plan: &'m Plan) -> Wardrobe<'m> {
        let adapters = plan.adapters.iter().map(|_| None).collect();
        Wardrobe { model, plan, adapters, outfits: vec![Vec::new()], worn: 0 }
    }

    /// Finds the outfit a question asks for, and reads what it needs.
    ///
    /// # Errors
    /// `not_found` naming an adapter this box has not, `bad_request` naming one that is named
    /// twice; `bad_model` where one cannot be read.
    pub fn outfit(&mut self, named: &[Worn]) -> Result<Outfit, Error> {
        let mut wanted: Vec<(usize, f32)> = Vec::new();
        for worn in named.iter().filter(|worn| worn.scale != 0.0) {
            let at = self.plan.adapter(&worn.adapter).ok_or_else(|| self.unknown(&worn.adapter))?;
            if wanted.iter().any(|&(known, _)| known == at) {
                return Err(named_twice(&worn.adapter));
            }
            wanted.push((at, worn.scale));
        }
        wanted.sort_by_key(|&(at, _)| at);
        if let Some(known) = self.outfits.iter().position(|outfit| *outfit == wanted) {
            return Ok(known);
        }
        for &(at, _) in &wanted {
            if self.adapters[at].is_none() {
                self.adapters[at] = Some(self.model.read_adapter(&self.plan.adapters[at])?);
                log::info!("{} is read", self.plan.adapters[at]);
            }
        }
        self.outfits.push(wanted);
        Ok(self.outfits.len() - 1)
    }

    fn unknown(&self, name: &str) -> Error {
        let names: Vec<String> = self.plan.adapters.iter().map(|known| known.stem()).collect();
        let remedy = match names.as_slice() {
            [] => "This box has none: leave it out.".to_string(),
            names => format!("Choose one of: {}.", names.join(", ")),
        };
        let what = format!("no adapter is called '{}'", name.escape_debug());
        Error::new(Kind::NotFound, what, remedy)
    }

    /// Returns the adapters of an outfit, by place in the plan, with their scales.
    pub fn parts(&self, outfit: Outfit) -> &[(usize, f32)] {
        &self.outfits[outfit]
    }

    /// Returns what is worn.
    pub fn worn(&self) -> Outfit {
        self.worn
    }

    /// Changes into `outfit` for the passes to come.
    ///
    /// # Errors
    /// `internal` where llama.cpp does not take it.
    pub fn wear(&mut self, outfit: Outfit, context: &mut Context<'_>) -> Result<(), Error> {
        if outfit != self.worn {
            let of = |&(at, scale): &(usize, f32)| Some((self.adapters[at].as_ref()?, scale));
            let adapters: Vec<(&Adapter, f32)> =
                self.outfits[outfit].iter().filter_map(of).collect();
            context.wear(&adapters)?;
            self.worn = outfit;
        }
        Ok(())
    }
}

fn named_twice(name: &str) -> Error {
    Error::bad_request(
        format!("adapter '{}' is named twice", name.escape_debug()),
        "Name each adapter once; a mode's entry may give it a larger scale.",
    )
}
