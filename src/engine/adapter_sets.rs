//! Which adapters are active: they are added to the model's weights in a whole pass, not for a
//! sequence.
//!
//! Each combination of adapters and scales is an *adapter set*; the first is none at all. Adapters are
//! read when a question first needs them, and stay. Changing sets costs llama.cpp a new graph,
//! so `run_loop` does it about once a second and not in every step.

use super::llama::{Adapter, Context, Model};
use crate::types::error::{Error, Kind};
use crate::types::mode::AdapterRef;
use crate::types::plan::Plan;

/// Names one adapter set; 0 is no adapter.
pub type AdapterSetId = usize;

/// The adapters of a box and the sets made of them.
pub struct AdapterSets<'m> {
    model: &'m Model,
    plan: &'m Plan,
    /// By place in the plan, once read.
    adapters: Vec<Option<Adapter>>,
    sets: Vec<Vec<(usize, f32)>>,
    active: AdapterSetId,
}

impl<'m> AdapterSets<'m> {
    /// Makes one in which nothing is active and nothing is read yet.
    pub fn new(model: &'m Model, plan: &'m Plan) -> AdapterSets<'m> {
        let adapters = plan.adapters.iter().map(|_| None).collect();
        AdapterSets { model, plan, adapters, sets: vec![Vec::new()], active: 0 }
    }

    /// Finds the adapter set a question asks for, and reads what it needs.
    ///
    /// # Errors
    /// `not_found` naming an adapter this box has not, `bad_request` naming one that is named
    /// twice; `bad_model` where one cannot be read.
    pub fn adapter_set(&mut self, named: &[AdapterRef]) -> Result<AdapterSetId, Error> {
        let mut wanted: Vec<(usize, f32)> = Vec::new();
        for active in named.iter().filter(|active| active.scale != 0.0) {
            let at =
                self.plan.adapter(&active.adapter).ok_or_else(|| self.unknown(&active.adapter))?;
            if wanted.iter().any(|&(known, _)| known == at) {
                return Err(named_twice(&active.adapter));
            }
            wanted.push((at, active.scale));
        }
        wanted.sort_by_key(|&(at, _)| at);
        if let Some(known) = self.sets.iter().position(|adapter_set| *adapter_set == wanted) {
            return Ok(known);
        }
        for &(at, _) in &wanted {
            if self.adapters[at].is_none() {
                self.adapters[at] = Some(self.model.read_adapter(&self.plan.adapters[at])?);
                log::info!("{} is read", self.plan.adapters[at]);
            }
        }
        self.sets.push(wanted);
        Ok(self.sets.len() - 1)
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

    /// Returns the adapters of an adapter set, by place in the plan, with their scales.
    pub fn parts(&self, adapter_set: AdapterSetId) -> &[(usize, f32)] {
        &self.sets[adapter_set]
    }

    /// Returns what is active.
    pub fn active(&self) -> AdapterSetId {
        self.active
    }

    /// Changes into `adapter_set` for the passes to come.
    ///
    /// # Errors
    /// `internal` where llama.cpp does not take it.
    pub fn activate(
        &mut self,
        adapter_set: AdapterSetId,
        context: &mut Context<'_>,
    ) -> Result<(), Error> {
        if adapter_set != self.active {
            let of = |&(at, scale): &(usize, f32)| Some((self.adapters[at].as_ref()?, scale));
            let adapters: Vec<(&Adapter, f32)> =
                self.sets[adapter_set].iter().filter_map(of).collect();
            context.activate(&adapters)?;
            self.active = adapter_set;
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
