//! Says whether this processor can run the kernels this build carries, before they are called.
//!
//! The stock build of the pinned crate assumes AVX2 on x86-64 and plain armv8-a on aarch64. Without
//! this check an older processor would die of an illegal instruction instead of hearing why.

use crate::words::error::{Error, Kind};

/// Checks the processor.
///
/// # Errors
/// `internal`, naming the features that are missing.
pub fn check_processor() -> Result<(), Error> {
    let missing = missing_features();
    if missing.is_empty() {
        return Ok(());
    }
    Err(Error::new(
        Kind::Internal,
        format!("this processor cannot run the kernels of this build: no {}", missing.join(", ")),
        "Use a machine that has these features, or a solverbox built for this processor.",
    ))
}

#[cfg(target_arch = "x86_64")]
fn missing_features() -> Vec<&'static str> {
    let features = [
        ("SSE4.2", std::is_x86_feature_detected!("sse4.2")),
        ("AVX", std::is_x86_feature_detected!("avx")),
        ("AVX2", std::is_x86_feature_detected!("avx2")),
        ("FMA", std::is_x86_feature_detected!("fma")),
        ("F16C", std::is_x86_feature_detected!("f16c")),
        ("BMI2", std::is_x86_feature_detected!("bmi2")),
    ];
    features.into_iter().filter(|(_, there)| !there).map(|(name, _)| name).collect()
}

#[cfg(not(target_arch = "x86_64"))]
fn missing_features() -> Vec<&'static str> {
    Vec::new()
}
