//! The memory plan is true: what a running box took at most is what `solverbox plan` says.

use crate::shape::{Quantized, vibethinker};

#[test]
fn make_shapes() {
    for q in [Quantized::Q4_0, Quantized::Q4KM, Quantized::Q8_0] {
        eprintln!("{}", vibethinker(q).display());
    }
}
