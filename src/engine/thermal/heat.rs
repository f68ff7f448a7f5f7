//! How close the CPU is to the temperature at which it is slowed down.
//!
//! Linux exposes temperature sensors as `/sys/class/thermal/thermal_zone*` (kernel documentation,
//! driver-api/thermal/sysfs-api): the subject of a zone (`type`), its temperature in thousandths of
//! a degree, and trip points at which the system reacts. Many machines have none for the CPU.

use std::fs::read_to_string;
use std::path::{Path, PathBuf};

use super::{Note, ramp};
use crate::types::limits;

/// The limit of ARM CPUs whose zone has none: a Raspberry Pi's firmware slows the CPU down at 80 °C
/// and more at 85 °C (its documentation, "Frequency management and thermal control"), and the trip
/// points of its zone are for the fan.
const LIMIT_CELSIUS: f32 = 80.0;
/// The limit of x86 CPUs whose zone has none; most protect themselves around 100 °C.
const LIMIT_X86_CELSIUS: f32 = 95.0;
/// How far the limit is below the shutdown temperature if only that is known.
const BELOW_CRITICAL_CELSIUS: f32 = 5.0;
/// Trip points outside are ignored: drivers write 0 or -274 for one that is not set.
const TRIPS_CELSIUS: std::ops::RangeInclusive<f32> = 40.0..=125.0;
/// Readings outside are errors.
const READINGS_CELSIUS: std::ops::RangeInclusive<f32> = -40.0..=150.0;

/// How far below the limit pauses begin.
const BEGIN_BELOW_CELSIUS: f32 = 6.0;
/// How far below the limit pauses are longest.
const LONGEST_BELOW_CELSIUS: f32 = 1.0;
/// How far below the limit pauses are reported to have ended, so that the log does not flicker.
const OVER_BELOW_CELSIUS: f32 = 9.0;
/// The longest pauses take half of the time.
const SHARE_MAX: f64 = 0.5;

/// The CPU's temperature sensors.
pub(crate) struct Heat {
    zones: Vec<ThermalZone>,
    is_pausing: bool,
}

struct ThermalZone {
    temperature: PathBuf,
    limit_celsius: f32,
}

impl Heat {
    /// Finds the sensors below `root`.
    pub(crate) fn find(root: &Path) -> Heat {
        let folder = root.join("sys/class/thermal");
        let zones = 0..limits::THERMAL_ZONES_MAX;
        let zones =
            zones.filter_map(|n| ThermalZone::read(&folder.join(format!("thermal_zone{n}"))));
        Heat { zones: zones.collect(), is_pausing: false }
    }

    /// Returns the highest reading, in °C.
    pub(crate) fn warmest(&self) -> Option<f32> {
        let readings = self.zones.iter().filter_map(|zone| read_celsius(&zone.temperature));
        readings.max_by(f32::total_cmp)
    }

    /// Returns the share of the time to pause, 0 to `SHARE_MAX`.
    ///
    /// A zone that cannot be read is ignored and tried again the next time.
    pub(crate) fn measure(&mut self, notes: &mut Vec<Note>) -> f64 {
        let readings = self.zones.iter().filter_map(|zone| {
            let celsius = read_celsius(&zone.temperature)?;
            Some((zone.limit_celsius - celsius, celsius, zone.limit_celsius))
        });
        let nearest = readings.min_by(|one, other| one.0.total_cmp(&other.0));
        let left = nearest.map_or(f32::INFINITY, |(left, ..)| left);
        match nearest {
            Some((_, celsius, limit_celsius))
                if !self.is_pausing && left <= BEGIN_BELOW_CELSIUS =>
            {
                self.is_pausing = true;
                notes.push(Note::Hot { celsius, limit_celsius });
            }
            _ if self.is_pausing && left > OVER_BELOW_CELSIUS => {
                self.is_pausing = false;
                notes.push(Note::Cooled);
            }
            _ => {}
        }
        let (begin, longest) = (-f64::from(BEGIN_BELOW_CELSIUS), -f64::from(LONGEST_BELOW_CELSIUS));
        SHARE_MAX * ramp(-f64::from(left), begin, longest)
    }
}

impl ThermalZone {
    /// Returns a zone if it exists and measures the CPU.
    fn read(folder: &Path) -> Option<ThermalZone> {
        let kind = read_to_string(folder.join("type")).ok()?.trim().to_ascii_lowercase();
        let usual = match kind.as_str() {
            "x86_pkg_temp" => LIMIT_X86_CELSIUS,
            // A sensor of Intel's driver for laptops; the package has its own zone.
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
        Some(ThermalZone { temperature: folder.join("temp"), limit_celsius })
    }
}

/// Returns a trip point at which the CPU is slowed down (`false`) or switched off (`true`).
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

/// Reads thousandths of a degree; some vendors' old kernels write degrees.
fn read_celsius(file: &Path) -> Option<f32> {
    let number: i64 = read_to_string(file).ok()?.trim().parse().ok()?;
    let celsius = if number.unsigned_abs() <= 200 { number as f32 } else { number as f32 / 1000.0 };
    READINGS_CELSIUS.contains(&celsius).then_some(celsius)
}
