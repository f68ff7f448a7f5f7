//! The other commands that make and measure models: bench, imatrix, quantize, verify.

use super::model::loading;
use super::output;
use crate::cli::{BenchFlags, ImatrixFlags, QuantizeFlags, VerifyFlags};
use crate::commands::bench::{BenchOptions, Extent};
use crate::commands::imatrix::ImatrixOptions;
use crate::commands::quantize::{Again, QuantizeOptions};
use crate::commands::verify::VerifyOptions;
use crate::model::plan::cores;
use crate::types::error::Error;
use crate::types::quantize::OutputHead;

impl TryFrom<BenchFlags> for BenchOptions {
    type Error = Error;

    fn try_from(flags: BenchFlags) -> Result<BenchOptions, Error> {
        Ok(BenchOptions {
            loading: loading(flags.model)?,
            extent: if flags.quick { Extent::Quick } else { Extent::Full },
            output: output(flags.json),
            svg: flags.svg,
        })
    }
}

impl TryFrom<ImatrixFlags> for ImatrixOptions {
    type Error = Error;

    fn try_from(flags: ImatrixFlags) -> Result<ImatrixOptions, Error> {
        Ok(ImatrixOptions { loading: loading(flags.model)?, text: flags.text, to: flags.to })
    }
}

impl From<QuantizeFlags> for QuantizeOptions {
    fn from(flags: QuantizeFlags) -> QuantizeOptions {
        QuantizeOptions {
            from: flags.from,
            to: flags.to,
            mix: flags.mix,
            head: flags.keep_head.unwrap_or(OutputHead::AsMixed),
            importance: flags.imatrix,
            again: if flags.requantize { Again::Allowed } else { Again::Refused },
            threads: flags.threads.unwrap_or_else(cores),
        }
    }
}

impl From<VerifyFlags> for VerifyOptions {
    fn from(flags: VerifyFlags) -> VerifyOptions {
        VerifyOptions {
            files: flags.files,
            folder: flags.models,
            base: flags.base,
            output: output(flags.json),
        }
    }
}
