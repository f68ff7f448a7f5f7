//! The adapter sets: which LoRA adapters exist, and which combination is active.
//!
//! An adapter is added to the model's weights for a whole pass, not for a sequence. Each
//! combination of adapters and scales that a question asked for is an *adapter set*; the first one
//! is empty. An adapter is loaded when a question first needs it, and stays loaded. Activating
//! another set costs llama.cpp a new graph, so `run_loop` does it about once a second, not in every
//! step.

use super::llama::{Context, LoraAdapter, Model};
use super::protocol::AdapterSetId;
use crate::types::error::{Error, Kind};
use crate::types::mode::AdapterRef;
use crate::types::plan::Plan;

/// The plan's adapters and the sets made of them.
pub(crate) struct AdapterSets<'m> {
    model: &'m Model,
    plan: &'m Plan,
    /// In the plan's order; `None` where not loaded yet.
    adapters: Vec<Option<LoraAdapter>>,
    sets: Vec<Vec<ScaledAdapter>>,
    active: AdapterSetId,
}

/// An adapter of a set.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct ScaledAdapter {
    /// The index in [`Plan::adapters`].
    pub(crate) index: usize,
    pub(crate) scale: f32,
}

impl<'m> AdapterSets<'m> {
    /// Starts with the empty set active and no adapter loaded.
    pub(crate) fn new(model: &'m Model, plan: &'m Plan) -> AdapterSets<'m> {
        let adapters = plan.adapters.iter().map(|_| None).collect();
        AdapterSets { model, plan, adapters, sets: vec![Vec::new()], active: AdapterSetId::NONE }
    }

    /// Returns the adapter set a question asks for, and loads its adapters.
    ///
    /// # Errors
    /// `not_found` naming an unknown adapter, `bad_request` naming a repeated one, `bad_model` if
    /// one cannot be loaded.
    pub(crate) fn resolve(&mut self, named: &[AdapterRef]) -> Result<AdapterSetId, Error> {
        let mut wanted: Vec<ScaledAdapter> = Vec::new();
        for AdapterRef { adapter, scale } in named.iter().filter(|named| named.scale != 0.0) {
            let index = self.plan.adapter(adapter).ok_or_else(|| self.unknown(adapter))?;
            if wanted.iter().any(|other| other.index == index) {
                return Err(named_twice(adapter));
            }
            wanted.push(ScaledAdapter { index, scale: *scale });
        }
        wanted.sort_by_key(|adapter| adapter.index);
        if let Some(known) = self.sets.iter().position(|set| *set == wanted) {
            return Ok(AdapterSetId(known));
        }
        for &ScaledAdapter { index, .. } in &wanted {
            if self.adapters[index].is_none() {
                let file = &self.plan.adapters[index];
                self.adapters[index] = Some(self.model.load_adapter(file)?);
                log::info!("loaded {file}");
            }
        }
        self.sets.push(wanted);
        Ok(AdapterSetId(self.sets.len() - 1))
    }

    fn unknown(&self, name: &str) -> Error {
        let names: Vec<String> = self.plan.adapters.iter().map(|known| known.stem()).collect();
        let remedy = match names.as_slice() {
            [] => "No adapters are loaded; omit the field.".to_string(),
            names => format!("Choose one of: {}.", names.join(", ")),
        };
        let what = format!("no adapter is called '{}'", name.escape_debug());
        Error::new(Kind::NotFound, what, remedy)
    }

    /// Returns the adapters of a set, in the plan's order.
    pub(crate) fn adapters(&self, adapter_set: AdapterSetId) -> &[ScaledAdapter] {
        &self.sets[adapter_set.0]
    }

    pub(crate) fn active(&self) -> AdapterSetId {
        self.active
    }

    /// Makes `adapter_set` the active one for later passes.
    ///
    /// # Errors
    /// `internal` if llama.cpp rejects it.
    pub(crate) fn activate(
        &mut self,
        adapter_set: AdapterSetId,
        context: &mut Context<'_>,
    ) -> Result<(), Error> {
        if adapter_set != self.active {
            let loaded =
                |part: &ScaledAdapter| Some((self.adapters[part.index].as_ref()?, part.scale));
            let adapters: Vec<(&LoraAdapter, f32)> =
                self.sets[adapter_set.0].iter().filter_map(loaded).collect();
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
