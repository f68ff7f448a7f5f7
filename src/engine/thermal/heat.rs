//! How near the processor is to the temperature at which it is slowed down.
//!
//! Linux shows thermometers as `/sys/class/thermal/thermal_zone*` (kernel documentation,
//! driver-api/thermal/sysfs-api): what a zone measures (`type`), its temperature in thousandths of
//! a degree, and trip points at which something is done. Many machines have none for the processor.

use std::fs::read_to_string;
use std::path::{Path, PathBuf};

use super::{Note, ramp};
use crate::types::limits;

/// Where ARM processors are slowed down unless the zone says: a Raspberry Pi's firmware begins at
/// 80 °C and goes further at 85 °C (its documentation, "Frequency management and thermal control"),
/// and its zone's trip points are for the fan.
const LIMIT_CELSIUS: f32 = 80.0;
/// Where x86 processors are; they can stand more, and around 100 °C most protect themselves.
const LIMIT_X86_CELSIUS: f32 = 95.0;
/// How far below a shutdown the limit is, where nothing else is said.
const BELOW_CRITICAL_CELSIUS: f32 = 5.0;
/// Trip points outside are none: drivers write 0 or -274 for what is not set.
const TRIPS_CELSIUS: std::ops::RangeInclusive<f32> = 40.0..=125.0;
/// Readings outside are errors.
const READINGS_CELSIUS: std::ops::RangeInclusive<f32> = -40.0..=150.0;

/// Rests begin so far below the limit, are longest so far below it, and count as over so far below:
/// the last only so that what is said does not flicker.
const BEGIN_BELOW_CELSIUS: f32 = 6.0;
const LONGEST_BELOW_CELSIUS: f32 = 1.0;
const OVER_BELOW_CELSIUS: f32 = 9.0;
/// The longest rests take half of the time.
const SHARE_MAX: f64 = 0.5;

/// The processor's thermometers.
pub struct Heat {
    zones: Vec<Zone>,
    resting: bool,
}

struct Zone {
    temperature: PathBuf,
    limit_celsius: f32,
}

impl Heat {
    /// Finds them below `root`.
    pub fn find(root: &Path) -> Heat {
        let folder = root.join("sys/class/thermal");
        let zones = 0..limits::THERMAL_ZONES_MAX;
        let zones = zones.filter_map(|n| Zone::read(&folder.join(format!("thermal_zone{n}"))));
        Heat { zones: zones.collect(), resting: false }
    }

    /// Returns the highest reading, in °C.
    pub fn warmest(&self) -> Option<f32> {
        let readings = self.zones.iter().filter_map(|zone| read_celsius(&zone.temperature));
        readings.max_by(f32::total_cmp)
    }

    /// Returns the share of the time to rest, 0 to `SHARE_MAX`.
    ///
    /// A zone that cannot be read now counts for nothing; it is tried again next time.
    pub fn look(&mut self, notes: &mut Vec<Note>) -> f64 {
        let readings = self.zones.iter().filter_map(|zone| {
            let celsius = read_celsius(&zone.temperature)?;
            Some((zone.limit_celsius - celsius, celsius, zone.limit_celsius))
        });
        let nearest = readings.min_by(|one, other| one.0.total_cmp(&other.0));
        let left = nearest.map_or(f32::INFINITY, |(left, ..)| left);
        match nearest {
            Some((_, celsius, limit_celsius)) if !self.resting && left <= BEGIN_BELOW_CELSIUS => {
                self.resting = true;
                notes.push(Note::Hot { celsius, limit_celsius });
            }
            _ if self.resting && left > OVER_BELOW_CELSIUS => {
                self.resting = false;
                notes.push(Note::Cooled);
            }
            _ => {}
        }
        let (begin, longest) = (-f64::from(BEGIN_BELOW_CELSIUS), -f64::from(LONGEST_BELOW_CELSIUS));
        SHARE_MAX * ramp(-f64::from(left), begin, longest)
    }
}

impl Zone {
    /// Returns a zone if it is there and measures the processor.
    fn read(folder: &Path) -> Option<Zone> {
        let kind = read_to_string(folder.join("type")).ok()?.trim().to_ascii_lowercase();
        let usual = match kind.as_str() {
            "x86_pkg_temp" => LIMIT_X86_CELSIUS,
            // Intel's own driver for laptops has this one; the package is measured beside it.
            kind if kind.starts_with("tcpu") => return None,
            // cpu-thermal (Raspberry Pi), CPU-therm (Jetson), soc-thermal, cpu0-thermal and so on.
            kind if kind.contains("cpu") || kind.contains("soc") => LIMIT_CELSIUS,
            _ => return None,
        };
        let trips = 0..limits::THERMAL_TRIPS_MAX;
        let trips: Vec<(bool, f32)> = trips.filter_map(|n| trip(folder, n)).collect();
        let least = |critical: bool| {
            let kind = trips.iter().filter(|trip| trip.0 == critical).map(|trip| trip.1);
            kind.min_by(f32::total_cmp)
        };
        let below_critical = least(true).map_or(f32::INFINITY, |t| t - BELOW_CRITICAL_CELSIUS);
        let limit_celsius = least(false).unwrap_or(usual).min(below_critical);
        Some(Zone { temperature: folder.join("temp"), limit_celsius })
    }
}

/// Returns a trip point at which the processor is slowed down (`false`) or switched off (`true`).
fn trip(folder: &Path, number: usize) -> Option<(bool, f32)> {
    let kind = read_to_string(folder.join(format!("trip_point_{number}_type"))).ok()?;
    let critical = match kind.trim() {
        "passive" | "hot" => false,
        "critical" => true,
        // `active` starts a fan.
        _ => return None,
    };
    let celsius = read_celsius(&folder.join(format!("trip_point_{number}_temp")))?;
    TRIPS_CELSIUS.contains(&celsius).then_some((critical, celsius))
}

/// Reads thousandths of a degree; some vendors' old kernels write whole degrees.
fn read_celsius(file: &Path) -> Option<f32> {
    let number: i64 = read_to_string(file).ok()?.trim().parse().ok()?;
    let celsius = if number.unsigned_abs() <= 200 { number as f32 } else { number as f32 / 1000.0 };
    READINGS_CELSIUS.contains(&celsius).then_some(celsius)
}
