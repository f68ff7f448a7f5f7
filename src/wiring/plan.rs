//! `solverbox plan`: for this machine, or for a board whose kernels need not run here.

use super::model::loading_with;
use super::output;
use crate::cli::PlanFlags;
use crate::commands::plan::PlanOptions;
use crate::engine::kernels;
use crate::types::error::Error;
use crate::types::kernels::by_name;
use crate::types::limits;
use crate::types::memory::Room;

impl TryFrom<PlanFlags> for PlanOptions {
    type Error = Error;

    fn try_from(flags: PlanFlags) -> Result<PlanOptions, Error> {
        let PlanFlags { mut model, board, ram, reserve, json } = flags;
        let kernels = match (&model.kernels.name, board) {
            (Some(name), _) => by_name(name)?,
            (None, Some(board)) => board.kernel_set(),
            (None, None) => kernels::choose(None)?,
        };
        model.threads = model.threads.or(board.map(|board| board.cores));
        let reserve = reserve.unwrap_or(limits::RESERVE_BYTES_DEFAULT);
        let ram = ram.or(board.map(|board| board.ram_bytes));
        Ok(PlanOptions {
            loading: loading_with(model, kernels),
            board,
            room: ram.map(|ram| Room::given(ram, reserve)),
            output: output(json),
        })
    }
}
