//! `solverbox imatrix --text FILE OUT`: computes an importance matrix, which tells the quantizer
//! which inputs of each matrix matter most.

use std::path::PathBuf;

use super::progress_bar::ProgressBar;
use super::{Loading, corpus, interrupt};
use crate::engine::measure;
use crate::model::importance::{self, CalibrationText};
use crate::model::newfile::{NewFile, check_other};
use crate::types::error::Error;

/// The options of `imatrix`.
#[derive(Debug)]
pub struct ImatrixOptions {
    /// The model to evaluate the text with.
    pub loading: Loading,
    /// File with the text.
    pub text: PathBuf,
    /// The file to write.
    pub to: PathBuf,
}

/// Evaluates the text and writes the importance matrix.
///
/// # Errors
/// Errors of the text, the model and the file.
pub fn run(options: ImatrixOptions) -> Result<(), Error> {
    interrupt::leave_nothing_behind()?;
    let documents = corpus::documents(&options.text)?;
    let [plan] = corpus::plan(&[options.loading], &documents)?;
    let adapters = plan.adapters.iter().map(|adapter| &adapter.path);
    let mut read = adapters.chain([&plan.model.path, &options.text]);
    read.try_for_each(|file| check_other(file, &options.to))?;
    // Created before hours are spent on a file that cannot be written.
    let file = NewFile::create(&options.to, plan.memory.weights_bytes() / 1_000)?;
    let mut bar = ProgressBar::start("passages");
    let mut passages = 0;
    let importance = measure::importance(&plan, &documents, |done, total| {
        passages = total as u32;
        bar.show(done as u64, total as u64);
    });
    drop(bar);
    let importance = importance?;
    let source = CalibrationText {
        text: &options.text.display().to_string(),
        passages,
        passage_tokens: plan.context_tokens,
    };
    importance::write(file, &importance, &source)?;
    let tokens = importance.iter().map(|item| item.tokens).max().unwrap_or(0);
    super::print(&format!(
        "{}: {} matrices, {tokens} tokens evaluated in {passages} passages\n",
        options.to.display(),
        importance.len()
    ))
}
