//! Throttling on boards and PCs that consist of files.

use std::fs;
use std::time::{Duration, Instant};

use super::*;

const STEP: Duration = Duration::from_millis(100);

/// A machine whose files a test writes, and its clock.
struct FakeMachine {
    root: tempfile::TempDir,
    now: Instant,
    ticks: Ticks,
}

/// The ticks of 4 cores, 100 a second each; `own` are among the busy ones.
#[derive(Clone, Copy, Default)]
struct Ticks {
    busy: u64,
    idle: u64,
    own: u64,
}

/// A temperature sensor: its type, its reading, and its trip points with their temperatures.
type FakeZone<'a> = (&'a str, &'a str, &'a [(&'a str, &'a str)]);

impl FakeMachine {
    fn bare() -> FakeMachine {
        let root = tempfile::tempdir().unwrap();
        FakeMachine { root, now: Instant::now(), ticks: Ticks::default() }
    }

    /// Makes a machine with temperature sensors.
    fn with(zones: &[FakeZone]) -> FakeMachine {
        let machine = FakeMachine::bare();
        for (number, (kind, reads, trips)) in zones.iter().enumerate() {
            machine.write(&format!("{}/type", zone(number)), &format!("{kind}\n"));
            machine.reads(number, reads);
            for (at, (kind, celsius)) in trips.iter().enumerate() {
                machine.write(&format!("{}/trip_point_{at}_type", zone(number)), kind);
                machine.write(&format!("{}/trip_point_{at}_temp", zone(number)), celsius);
            }
        }
        machine
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.root.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn reads(&self, number: usize, text: &str) {
        self.write(&format!("{}/temp", zone(number)), &format!("{text}\n"));
    }

    fn throttle(&self) -> Throttle {
        Throttle::new(self.root.path())
    }

    /// Returns the advice after a step that ended a second after the last.
    fn after_a_second(&mut self, throttle: &mut Throttle) -> Advice {
        self.now += limits::REST_CHECK_EVERY;
        throttle.after(STEP, self.now)
    }

    /// Returns the pause at a temperature, in thousandths of the step.
    fn rest_at(&mut self, throttle: &mut Throttle, number: usize, celsius: f64) -> u128 {
        self.reads(number, &format!("{:.0}", celsius * 1000.0));
        self.after_a_second(throttle).rest.as_micros() * 1000 / STEP.as_micros()
    }
}

fn zone(number: usize) -> String {
    format!("sys/class/thermal/thermal_zone{number}")
}

/// A Raspberry Pi 5 with a fan: all trip points but the last are the fan's.
fn pi() -> FakeMachine {
    let fan = [("active", "50000"), ("active", "60000"), ("active", "67500"), ("active", "75000")];
    let trips: Vec<_> = [&fan[..], &[("critical", "110000")]].concat();
    FakeMachine::with(&[("cpu-thermal", "55000", &trips)])
}

/// A Jetson Nano with the trip points of its device tree (tegra210-p3448); the sensor of its power
/// chip is stuck at 100 °C.
fn nano() -> FakeMachine {
    let cpu = [
        ("active", "66000"),
        ("active", "86000"),
        ("critical", "102000"),
        ("hot", "100500"),
        ("passive", "97000"),
    ];
    FakeMachine::with(&[
        ("AO-therm", "48000", &[("critical", "110000")]),
        ("CPU-therm", "45000", &cpu),
        ("GPU-therm", "44000", &[("passive", "97500")]),
        ("PLL-therm", "99000", &[("passive", "70000")]),
        ("PMIC-Die", "100000", &[("active", "120000")]),
        ("thermal-fan-est", "45000", &[]),
    ])
}

/// An Intel PC whose trip points are not set.
fn pc() -> FakeMachine {
    let unset = [("passive", "0"), ("passive", "-274000")];
    FakeMachine::with(&[
        ("acpitz", "27800", &[("critical", "119000")]),
        ("TCPU", "88000", &[("passive", "70000")]),
        ("x86_pkg_temp", "70000", &unset),
        ("iwlwifi_1", "90000", &[]),
    ])
}

#[test]
fn pauses_grow_as_the_temperature_approaches_the_limit() {
    for (mut machine, number, limit) in [(pi(), 0, 80.0), (nano(), 1, 97.0), (pc(), 2, 95.0)] {
        let mut throttle = machine.throttle();
        let mut rest = |below: f64| machine.rest_at(&mut throttle, number, limit - below);
        assert_eq!((rest(40.0), rest(7.0), rest(6.0)), (0, 0, 0), "{limit}");
        let (some, more) = (rest(5.0), rest(3.5));
        assert!(some > 0 && some < more, "{limit}: {some}, {more}");
        // A quarter of the time is a third of the step.
        assert!((332..=334).contains(&more), "{limit}: {more}");
        assert_eq!((rest(1.0), rest(0.0), rest(-20.0)), (1000, 1000, 1000), "{limit}");
        assert_eq!(rest(30.0), 0, "{limit}");
    }
}

#[test]
fn heat_is_reported_when_pauses_begin_and_when_it_is_well_over() {
    let mut machine = pi();
    let mut throttle = machine.throttle();
    let mut notes = |celsius: &str| {
        machine.reads(0, celsius);
        machine.after_a_second(&mut throttle).notes
    };
    assert_eq!(notes("73900"), []);
    assert_eq!(notes("75000"), [Note::Hot { celsius: 75.0, limit_celsius: 80.0 }]);
    // Small changes around the threshold are not reported.
    assert_eq!([notes("73000"), notes("79000"), notes("71500")].concat(), []);
    assert_eq!(notes("70900"), [Note::Cooled]);
    assert_eq!(notes("72000"), []);
    let text = Note::Hot { celsius: 75.0, limit_celsius: 80.0 }.to_string();
    assert!(text.contains("at 75 °C") && text.contains("at 80 °C"), "{text}");
}

#[test]
fn machines_without_a_cpu_sensor_never_pause_and_report_nothing() {
    let other = FakeMachine::with(&[("acpitz", "99000", &[]), ("gpu-thermal", "99000", &[])]);
    for mut machine in [FakeMachine::bare(), other] {
        let mut throttle = machine.throttle();
        for _ in 0..5 {
            assert_eq!(machine.after_a_second(&mut throttle), Advice::default());
        }
    }
}

#[test]
fn garbage_in_the_files_is_ignored() {
    let trips = [("passive", "x"), ("hot", "99999999999999999999"), ("", "50000"), ("passive", "")];
    for reads in ["", "hot", "1e5", "-", "999999999", "-273000", "9223372036854775808", "\u{0}"] {
        let mut machine = FakeMachine::with(&[("cpu-thermal", reads, &trips)]);
        let mut throttle = machine.throttle();
        assert_eq!(machine.after_a_second(&mut throttle), Advice::default(), "{reads}");
        assert_eq!(machine.rest_at(&mut throttle, 0, 79.0), 1000, "the limit is the usual one");
    }
}

#[test]
fn whole_degrees_are_understood_as_well_as_thousandths() {
    let mut machine = FakeMachine::with(&[("cpu-thermal", "79", &[("passive", "85")])]);
    let mut throttle = machine.throttle();
    assert_eq!(machine.after_a_second(&mut throttle).rest, Duration::ZERO);
    machine.reads(0, "84");
    assert_eq!(machine.after_a_second(&mut throttle).rest, STEP);
}

#[test]
fn a_machine_with_an_early_shutdown_temperature_pauses_before_it() {
    let mut machine = FakeMachine::with(&[("cpu-thermal", "60000", &[("critical", "75000")])]);
    let mut throttle = machine.throttle();
    assert_eq!(machine.rest_at(&mut throttle, 0, 69.0), 1000);
}

#[test]
fn a_sensor_that_vanishes_ends_the_pauses_and_may_return() {
    let mut machine = pi();
    let mut throttle = machine.throttle();
    assert_eq!(machine.rest_at(&mut throttle, 0, 79.5), 1000);
    fs::remove_dir_all(machine.root.path().join(zone(0))).unwrap();
    let gone = machine.after_a_second(&mut throttle);
    assert_eq!(gone, Advice { rest: Duration::ZERO, notes: vec![Note::Cooled] });
    assert_eq!(machine.rest_at(&mut throttle, 0, 79.5), 1000);
}

#[test]
fn of_several_sensors_the_one_closest_to_its_own_limit_decides() {
    let mut machine = FakeMachine::with(&[
        ("cpu0-thermal", "70000", &[("passive", "95000")]),
        ("cpu1-thermal", "70000", &[("passive", "71000")]),
    ]);
    let mut throttle = machine.throttle();
    assert_eq!(machine.after_a_second(&mut throttle).rest, STEP);
    machine.reads(1, "50000");
    assert_eq!(machine.after_a_second(&mut throttle).rest, Duration::ZERO);
}

#[test]
fn files_are_read_at_most_once_a_second() {
    let mut machine = pi();
    let mut throttle = machine.throttle();
    assert_eq!(machine.rest_at(&mut throttle, 0, 60.0), 0);
    machine.reads(0, "80000");
    machine.now += limits::REST_CHECK_EVERY / 2;
    assert_eq!(throttle.after(STEP, machine.now).rest, Duration::ZERO);
    machine.now += limits::REST_CHECK_EVERY / 2;
    assert_eq!(throttle.after(STEP, machine.now).rest, STEP);
}

#[test]
fn a_pause_is_never_longer_than_the_step_or_its_bound_and_always_ends() {
    let mut machine = pi();
    let mut throttle = machine.throttle();
    let mut state = 1_u64;
    for _ in 0..2_000 {
        // Knuth's MMIX generator.
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        machine.reads(0, &format!("{}", (state >> 33) % 150_000));
        machine.now += limits::REST_CHECK_EVERY;
        let step = Duration::from_millis((state >> 40) % 2_000);
        let rest = throttle.after(step, machine.now).rest;
        assert!(rest <= step && rest <= limits::REST_MAX, "{rest:?} after {step:?}");
    }
    assert_eq!(machine.rest_at(&mut throttle, 0, 40.0), 0);
}

/// A board in a case: 30 °C when idle, it approaches 90 °C at full load, 2 % of the way a second.
#[test]
fn a_board_without_a_fan_settles_below_the_limit() {
    let mut machine = pi();
    let mut throttle = machine.throttle();
    let (mut celsius, mut lately) = (30.0, Vec::new());
    for second in 0..1_000 {
        let rest = machine.rest_at(&mut throttle, 0, celsius) as f64 / 1000.0;
        let work = 1.0 / (1.0 + rest);
        celsius += 0.02 * (30.0 + 60.0 * work - celsius);
        assert!(celsius < 80.0, "{celsius} °C after {second} s");
        if second >= 900 {
            lately.push((celsius, work));
        }
    }
    let coolest = lately.iter().map(|(celsius, _)| *celsius).fold(f64::INFINITY, f64::min);
    let warmest = lately.iter().map(|(celsius, _)| *celsius).fold(0.0, f64::max);
    assert!(warmest - coolest < 0.1, "{coolest} to {warmest} °C");
    assert!(lately.iter().all(|(_, work)| *work > 0.7), "it works most of the time");
}

impl FakeMachine {
    /// Lets seconds pass, each with the given busy ticks and own ticks among them; returns the last
    /// pause and all notes.
    fn live(
        &mut self,
        throttle: &mut Throttle,
        seconds: u32,
        work: (u64, u64),
        waiting: &str,
    ) -> Advice {
        self.write("proc/pressure/cpu", waiting);
        let mut all = Advice::default();
        for _ in 0..seconds {
            let Ticks { busy, idle, own } = &mut self.ticks;
            (*busy, *idle, *own) = (*busy + work.0, *idle + 400 - work.0, *own + work.1);
            let stat = format!("cpu  {busy} 0 0 {idle} 0 0 0 0 0 0\n");
            let (stat, own) = (stat + "cpu0 1\ncpu1 1\ncpu2 1\ncpu3 1\nintr 7\n", *own);
            self.write("proc/stat", &stat);
            let before = "S 1 1 1 0 -1 0 0 0 0 0";
            self.write("proc/self/stat", &format!("7 (a ) (box) {before} {own} 0 0 0 20 0\n"));
            let advice = self.after_a_second(throttle);
            all.rest = advice.rest;
            all.notes.extend(advice.notes);
        }
        all
    }
}

const NONE_WAITS: &str = "some avg10=4.00 avg60=9.00 avg300=9.00 total=1\n";
const OFTEN: &str = "some avg10=80.00 avg60=9.00 avg300=9.00 total=1\nfull avg10=0.00 avg60=0.00 \
                     avg300=0.00 total=0\n";

#[test]
fn other_programs_get_the_time_they_use_while_some_program_waits() {
    let mut machine = FakeMachine::bare();
    let mut throttle = machine.throttle();
    let advice = machine.live(&mut throttle, 60, (400, 320), OFTEN);
    assert!(matches!(advice.notes[..], [Note::Crowded { .. }]), "{advice:?}");
    // A fifth of the time is a quarter of the step.
    assert!((24..=25).contains(&advice.rest.as_millis()), "{advice:?}");
    let most = machine.live(&mut throttle, 60, (400, 40), OFTEN);
    assert_eq!((most.rest.as_millis(), most.notes), (33, vec![]));
    let over = machine.live(&mut throttle, 1, (300, 300), NONE_WAITS);
    assert_eq!(over, Advice::default(), "they have only just ended");
    let over = machine.live(&mut throttle, 60, (300, 300), NONE_WAITS);
    assert_eq!(over, Advice { rest: Duration::ZERO, notes: vec![Note::Alone] });
}

#[test]
fn our_own_threads_waiting_for_each_other_cause_no_pauses() {
    let mut machine = FakeMachine::bare();
    let mut throttle = machine.throttle();
    assert_eq!(machine.live(&mut throttle, 60, (400, 400), OFTEN), Advice::default());
}

#[test]
fn other_programs_cause_no_pauses_while_no_program_waits() {
    let mut machine = FakeMachine::bare();
    let mut throttle = machine.throttle();
    let rest = machine.live(&mut throttle, 60, (400, 200), NONE_WAITS).rest;
    assert_eq!(rest, Duration::ZERO);
}

#[test]
fn cores_that_other_programs_use_are_left_to_them_with_or_without_waiting() {
    for (taken, threads) in [(20, 4), (50, 3), (120, 3), (150, 2), (300, 1), (400, 1)] {
        let mut machine = FakeMachine::bare();
        let mut throttle = machine.throttle();
        assert_eq!(throttle.threads(4), 4, "nothing is measured yet");
        let advice = machine.live(&mut throttle, 60, (400, 400 - taken), "");
        assert_eq!(throttle.threads(4), threads, "{taken} % of a core");
        assert_eq!(throttle.threads(1), 1);
        assert_eq!(advice.notes.len(), usize::from(threads < 4), "{advice:?}");
        machine.live(&mut throttle, 60, (300, 300), "");
        assert_eq!(throttle.threads(4), 4, "the cores are free again");
    }
}

#[test]
fn without_pressure_information_no_program_is_known_to_wait() {
    for waiting in ["", "some", "some avg10=", "some avg10=x", "some avg10=NaN", "some avg10=900"] {
        let mut machine = FakeMachine::bare();
        let mut throttle = machine.throttle();
        assert_eq!(machine.live(&mut throttle, 10, (400, 390), waiting), Advice::default());
    }
}

#[test]
fn without_times_no_program_is_known_to_compute() {
    for (stat, own) in [("", ""), ("cpu  1 2 3", ") 1"), ("cpu  a b c d e f g h", "x"), ("x", "()")]
    {
        let mut machine = FakeMachine::bare();
        let mut throttle = machine.throttle();
        machine.write("proc/pressure/cpu", OFTEN);
        machine.write("proc/stat", stat);
        machine.write("proc/self/stat", own);
        for _ in 0..3 {
            assert_eq!(machine.after_a_second(&mut throttle), Advice::default(), "{stat}");
        }
    }
}

#[test]
fn this_machine_can_be_measured() {
    let mut throttle = Throttle::new(Path::new("/"));
    let advice = throttle.after(STEP, Instant::now());
    assert!(advice.rest <= STEP, "{advice:?}");
}
