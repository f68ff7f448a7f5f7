//! The expected result of an operation and the error bound of each value.
//!
//! The cases fill it from scalar sums in f64; `compare` checks a kernel's result against it. It is
//! independent of the operation.

/// Half the distance from 1 to the next f32: the relative error of one rounding.
pub(crate) const F32_ROUNDING: f64 = 1.0 / (1 << 24) as f64;
/// Half the distance from 1 to the next f16: the relative error of one rounding.
pub(crate) const F16_ROUNDING: f64 = 1.0 / (1 << 11) as f64;

/// Expected values, row after row, with the error bound of each, which is never negative.
#[derive(Clone, Default)]
pub(crate) struct ExpectedValues {
    values: Vec<f64>,
    bounds: Vec<f64>,
}

impl ExpectedValues {
    /// Appends a value and its error bound.
    pub(crate) fn push(&mut self, value: f64, bound: f64) {
        self.values.push(value);
        self.bounds.push(bound);
    }

    /// Compares a result, which may have fewer rows than expected; `columns` is the length of a
    /// row.
    ///
    /// Returns the largest share of a bound that was used, or where the result is wrong and by how
    /// much.
    pub(crate) fn compare(&self, got: &[f32], columns: usize) -> Result<f64, String> {
        if got.is_empty() || got.len() > self.values.len() {
            return Err(format!("got {} values, expected {}", got.len(), self.values.len()));
        }
        let mut largest = 0f64;
        let mut worst = 0;
        for (at, &value) in got.iter().enumerate() {
            let share = self.share(at, value);
            if share > largest {
                (largest, worst) = (share, at);
            }
        }
        if largest <= 1.0 {
            return Ok(largest);
        }
        let (row, column) = (worst / columns, worst % columns);
        let (value, bound) = (self.values[worst], self.bounds[worst]);
        let far = (f64::from(got[worst]) - value).abs() / bound;
        let times = if far.is_finite() { format!(", {far:.0} times the bound") } else { "".into() };
        let wrong = got.iter().enumerate().filter(|&(at, &v)| self.share(at, v) > 1.0).count();
        Err(format!(
            "{wrong} of {} values are wrong; row {row}, column {column} is {} instead of \
             {value:.6} ± {bound:.1e}{times}",
            got.len(),
            got[worst],
        ))
    }

    /// Returns the share of its bound that a value uses; infinite for NaN and infinities.
    fn share(&self, at: usize, got: f32) -> f64 {
        let off = (f64::from(got) - self.values[at]).abs();
        match off {
            0.0 => 0.0,
            _ if got.is_finite() => off / self.bounds[at],
            // NaN or an infinity is always wrong.
            _ => f64::INFINITY,
        }
    }
}
