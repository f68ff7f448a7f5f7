//! `solverbox serve` and `solverbox console`: one command, with and without HTTP.

use std::net::SocketAddr;
use std::time::Duration;

use super::model::{chosen, loading, modes};
use crate::cli::{ConsoleFlags, ServeFlags, ServerFlags};
use crate::commands::serve::ServeOptions;
use crate::config;
use crate::console::wire::Wire;
use crate::desk::Capacity;
use crate::http::Admission;
use crate::store::Keeping;
use crate::types::error::Error;
use crate::types::kernels::SelfTest;
use crate::types::mode::AdapterRef;

impl TryFrom<ServeFlags> for ServeOptions {
    type Error = Error;

    fn try_from(flags: ServeFlags) -> Result<ServeOptions, Error> {
        let admission = config::admission(&flags.admission)?;
        options(flags.common, Some((flags.listen, admission)), flags.serial)
    }
}

impl TryFrom<ConsoleFlags> for ServeOptions {
    type Error = Error;

    fn try_from(flags: ConsoleFlags) -> Result<ServeOptions, Error> {
        options(flags.common, None, flags.serial)
    }
}

fn options(
    flags: ServerFlags,
    door: Option<(SocketAddr, Admission)>,
    consoles: Vec<Wire>,
) -> Result<ServeOptions, Error> {
    let modes = modes(&flags.modes, &chosen(&flags.model)?)?;
    let adapters: Vec<AdapterRef> = modes.iter().flat_map(|mode| mode.adapters.clone()).collect();
    let data = config::data_folder(flags.model.data.as_deref())?;
    Ok(ServeOptions {
        loading: loading(flags.model)?.with_adapters(&adapters),
        modes,
        door,
        consoles,
        data,
        keeping: Keeping {
            sync: Duration::from_secs(flags.sync_seconds.into()),
            history: Duration::from_secs(u64::from(flags.history_days) * 86_400),
            history_bytes: u64::from(flags.history_mb) << 20,
            model: String::new(),
        },
        capacity: Capacity {
            line_jobs_max: flags.queue_jobs_max as usize,
            client_jobs_max: flags.client_jobs_max as usize,
        },
        selftest: if flags.no_selftest { SelfTest::Skip } else { SelfTest::Run },
        supervisor: config::supervisor(),
    })
}
