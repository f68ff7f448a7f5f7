//! What an operation must give, and how far from it a sound kernel may be.
//!
//! The cases fill it from scalar sums in f64; `compare` judges a kernel's result by it. It does
//! not know which operation it is about.

/// Half the distance from 1 to the next f32: the relative error of one rounding.
pub const F32_ROUNDING: f64 = 1.0 / (1 << 24) as f64;
/// The same of f16.
pub const F16_ROUNDING: f64 = 1.0 / (1 << 11) as f64;

/// Right values with the error allowed for each.
#[derive(Clone, Default)]
pub struct Expected {
    /// The right values, row after row.
    pub values: Vec<f64>,
    /// How far off each may be; never negative.
    pub bounds: Vec<f64>,
}

impl Expected {
    /// Adds a value.
    pub fn push(&mut self, value: f64, bound: f64) {
        self.values.push(value);
        self.bounds.push(bound);
    }

    /// Compares a result, which may have fewer rows than are known; `columns` places the fault.
    ///
    /// Returns the largest share of a bound that was used, or where it is off and by how much.
    pub fn compare(&self, got: &[f32], columns: usize) -> Result<f64, String> {
        if got.is_empty() || got.len() > self.values.len() {
            return Err(format!("{} values came, {} were expected", got.len(), self.values.len()));
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
        let times =
            if far.is_finite() { format!(", {far:.0} times as far off") } else { "".into() };
        let wrong = got.iter().enumerate().filter(|&(at, &v)| self.share(at, v) > 1.0).count();
        Err(format!(
            "{wrong} of {} values are wrong; row {row}, column {column} is {} instead of \
             {value:.6} ± {bound:.1e}{times}",
            got.len(),
            got[worst],
        ))
    }

    /// Returns the share of its bound a value uses; infinite for what is no number.
    fn share(&self, at: usize, got: f32) -> f64 {
        let off = (f64::from(got) - self.values[at]).abs();
        match off {
            0.0 => 0.0,
            _ if got.is_finite() => off / self.bounds[at],
            // NaN, or an infinity, whatever was expected.
            _ => f64::INFINITY,
        }
    }
}
