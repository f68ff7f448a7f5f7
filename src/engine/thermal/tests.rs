//! Advice on boards and PCs made of files.

use std::fs;
use std::time::{Duration, Instant};

use super::*;

const STEP: Duration = Duration::from_millis(100);

/// A machine whose files a test writes, and the time that has passed on it.
struct Machine {
    root: tempfile::TempDir,
    now: Instant,
    ticks: Ticks,
}

/// Of 4 cores together, 100 a second each; `own` are among the busy ones.
#[derive(Clone, Copy, Default)]
struct Ticks {
    busy: u64,
    idle: u64,
    own: u64,
}

/// A thermometer: its type, what it reads, and its trip points with their temperatures.
type Zone<'a> = (&'a str, &'a str, &'a [(&'a str, &'a str)]);

impl Machine {
    fn bare() -> Machine {
        let root = tempfile::tempdir().unwrap();
        Machine { root, now: Instant::now(), ticks: Ticks::default() }
    }

    /// Makes one with thermometers: each a type, what it reads, and its trip points.
    fn with(zones: &[Zone]) -> Machine {
        let machine = Machine::bare();
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

    fn pace(&self) -> Rests {
        Rests::new(self.root.path())
    }

    /// Returns the advice after a step that ended a second after the last.
    fn after_a_second(&mut self, pace: &mut Rests) -> Advice {
        self.now += limits::REST_CHECK_EVERY;
        pace.after(STEP, self.now)
    }

    /// Returns the rest at a temperature, in thousandths of the step.
    fn rest_at(&mut self, pace: &mut Rests, number: usize, celsius: f64) -> u128 {
        self.reads(number, &format!("{:.0}", celsius * 1000.0));
        self.after_a_second(pace).rest.as_micros() * 1000 / STEP.as_micros()
    }
}

fn zone(number: usize) -> String {
    format!("sys/class/thermal/thermal_zone{number}")
}

/// A Raspberry Pi 5 with a fan: the trip points but the last are its speeds.
fn pi() -> Machine {
    let fan = [("active", "50000"), ("active", "60000"), ("active", "67500"), ("active", "75000")];
    let trips: Vec<_> = [&fan[..], &[("critical", "110000")]].concat();
    Machine::with(&[("cpu-thermal", "55000", &trips)])
}

/// A Jetson Nano: trip points as in its device tree (tegra210-p3448), the sensor of the power chip stuck at 100 °C.
fn nano() -> Machine {
    let cpu = [
        ("active", "66000"),
        ("active", "86000"),
        ("critical", "102000"),
        ("hot", "100500"),
        ("passive", "97000"),
    ];
    Machine::with(&[
        ("AO-therm", "48000", &[("critical", "110000")]),
        ("CPU-therm", "45000", &cpu),
        ("GPU-therm", "44000", &[("passive", "97500")]),
        ("PLL-therm", "99000", &[("passive", "70000")]),
        ("PMIC-Die", "100000", &[("active", "120000")]),
        ("thermal-fan-est", "45000", &[]),
    ])
}

/// A PC of Intel's: trip points that nobody has set.
fn pc() -> Machine {
    let unset = [("passive", "0"), ("passive", "-274000")];
    Machine::with(&[
        ("acpitz", "27800", &[("critical", "119000")]),
        ("TCPU", "88000", &[("passive", "70000")]),
        ("x86_pkg_temp", "70000", &unset),
        ("iwlwifi_1", "90000", &[]),
    ])
}

#[test]
fn a_board_rests_the_more_the_nearer_it_is_to_where_it_would_be_slowed_down() {
    for (mut machine, number, limit) in [(pi(), 0, 80.0), (nano(), 1, 97.0), (pc(), 2, 95.0)] {
        let mut pace = machine.pace();
        let mut rest = |below: f64| machine.rest_at(&mut pace, number, limit - below);
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
fn heat_is_told_when_rests_begin_and_when_it_is_well_over() {
    let mut machine = pi();
    let mut pace = machine.pace();
    let mut notes = |celsius: &str| {
        machine.reads(0, celsius);
        machine.after_a_second(&mut pace).notes
    };
    assert_eq!(notes("73900"), []);
    assert_eq!(notes("75000"), [Note::Hot { celsius: 75.0, limit_celsius: 80.0 }]);
    // To and fro around the beginning is no news.
    assert_eq!([notes("73000"), notes("79000"), notes("71500")].concat(), []);
    assert_eq!(notes("70900"), [Note::Cooled]);
    assert_eq!(notes("72000"), []);
    let said = Note::Hot { celsius: 75.0, limit_celsius: 80.0 }.to_string();
    assert!(said.contains("at 75 °C") && said.contains("at 80 °C"), "{said}");
}

#[test]
fn machines_without_a_thermometer_of_the_processor_never_rest_and_say_nothing() {
    let other = Machine::with(&[("acpitz", "99000", &[]), ("gpu-thermal", "99000", &[])]);
    for mut machine in [Machine::bare(), other] {
        let mut pace = machine.pace();
        for _ in 0..5 {
            assert_eq!(machine.after_a_second(&mut pace), Advice::default());
        }
    }
}

#[test]
fn garbage_in_the_files_counts_for_nothing() {
    let trips = [("passive", "x"), ("hot", "99999999999999999999"), ("", "50000"), ("passive", "")];
    for reads in ["", "hot", "1e5", "-", "999999999", "-273000", "9223372036854775808", "\u{0}"] {
        let mut machine = Machine::with(&[("cpu-thermal", reads, &trips)]);
        let mut pace = machine.pace();
        assert_eq!(machine.after_a_second(&mut pace), Advice::default(), "{reads}");
        assert_eq!(machine.rest_at(&mut pace, 0, 79.0), 1000, "the limit is the usual one");
    }
}

#[test]
fn whole_degrees_are_understood_as_well_as_thousandths() {
    let mut machine = Machine::with(&[("cpu-thermal", "79", &[("passive", "85")])]);
    let mut pace = machine.pace();
    assert_eq!(machine.after_a_second(&mut pace).rest, Duration::ZERO);
    machine.reads(0, "84");
    assert_eq!(machine.after_a_second(&mut pace).rest, STEP);
}

#[test]
fn a_machine_that_would_switch_itself_off_early_rests_before_that() {
    let mut machine = Machine::with(&[("cpu-thermal", "60000", &[("critical", "75000")])]);
    let mut pace = machine.pace();
    assert_eq!(machine.rest_at(&mut pace, 0, 69.0), 1000);
}

#[test]
fn a_thermometer_that_vanishes_ends_the_rest_and_may_come_back() {
    let mut machine = pi();
    let mut pace = machine.pace();
    assert_eq!(machine.rest_at(&mut pace, 0, 79.5), 1000);
    fs::remove_dir_all(machine.root.path().join(zone(0))).unwrap();
    let gone = machine.after_a_second(&mut pace);
    assert_eq!(gone, Advice { rest: Duration::ZERO, notes: vec![Note::Cooled] });
    assert_eq!(machine.rest_at(&mut pace, 0, 79.5), 1000);
}

#[test]
fn the_warmest_of_several_thermometers_counts_each_by_its_own_limit() {
    let mut machine = Machine::with(&[
        ("cpu0-thermal", "70000", &[("passive", "95000")]),
        ("cpu1-thermal", "70000", &[("passive", "71000")]),
    ]);
    let mut pace = machine.pace();
    assert_eq!(machine.after_a_second(&mut pace).rest, STEP);
    machine.reads(1, "50000");
    assert_eq!(machine.after_a_second(&mut pace).rest, Duration::ZERO);
}

#[test]
fn files_are_read_once_a_second_at_most() {
    let mut machine = pi();
    let mut pace = machine.pace();
    assert_eq!(machine.rest_at(&mut pace, 0, 60.0), 0);
    machine.reads(0, "80000");
    machine.now += limits::REST_CHECK_EVERY / 2;
    assert_eq!(pace.after(STEP, machine.now).rest, Duration::ZERO);
    machine.now += limits::REST_CHECK_EVERY / 2;
    assert_eq!(pace.after(STEP, machine.now).rest, STEP);
}

#[test]
fn a_rest_is_never_longer_than_the_step_nor_than_its_bound_and_always_ends() {
    let mut machine = pi();
    let mut pace = machine.pace();
    let mut state = 1_u64;
    for _ in 0..2_000 {
        // A generator of Knuth's (MMIX).
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        machine.reads(0, &format!("{}", (state >> 33) % 150_000));
        machine.now += limits::REST_CHECK_EVERY;
        let step = Duration::from_millis((state >> 40) % 2_000);
        let rest = pace.after(step, machine.now).rest;
        assert!(rest <= step && rest <= limits::REST_MAX, "{rest:?} after {step:?}");
    }
    assert_eq!(machine.rest_at(&mut pace, 0, 40.0), 0);
}

/// A board in a case: 30 °C when idle, it creeps towards 90 °C at full work, 2 % of the way a second.
#[test]
fn a_board_without_a_fan_settles_below_the_limit() {
    let mut machine = pi();
    let mut pace = machine.pace();
    let (mut celsius, mut lately) = (30.0, Vec::new());
    for second in 0..1_000 {
        let rest = machine.rest_at(&mut pace, 0, celsius) as f64 / 1000.0;
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

impl Machine {
    /// Lets seconds pass, each with so many busy ticks and so many of our own among them; returns the
    /// last rest, and all that was said.
    fn live(&mut self, pace: &mut Rests, seconds: u32, work: (u64, u64), waiting: &str) -> Advice {
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
            let advice = self.after_a_second(pace);
            all.rest = advice.rest;
            all.notes.extend(advice.notes);
        }
        all
    }
}

const NOBODY_WAITS: &str = "some avg10=4.00 avg60=9.00 avg300=9.00 total=1\n";
const OFTEN: &str = "some avg10=80.00 avg60=9.00 avg300=9.00 total=1\nfull avg10=0.00 avg60=0.00 \
                     avg300=0.00 total=0\n";

#[test]
fn others_that_compute_while_somebody_waits_are_left_as_much_time_as_they_take() {
    let mut machine = Machine::bare();
    let mut pace = machine.pace();
    let advice = machine.live(&mut pace, 60, (400, 320), OFTEN);
    assert!(matches!(advice.notes[..], [Note::Crowded { .. }]), "{advice:?}");
    // A fifth of the time is a quarter of the step.
    assert!((24..=25).contains(&advice.rest.as_millis()), "{advice:?}");
    let most = machine.live(&mut pace, 60, (400, 40), OFTEN);
    assert_eq!((most.rest.as_millis(), most.notes), (33, vec![]));
    let over = machine.live(&mut pace, 1, (300, 300), NOBODY_WAITS);
    assert_eq!(over, Advice::default(), "they have only just ended");
    let over = machine.live(&mut pace, 60, (300, 300), NOBODY_WAITS);
    assert_eq!(over, Advice { rest: Duration::ZERO, notes: vec![Note::Alone] });
}

#[test]
fn our_own_threads_waiting_for_each_other_are_no_others() {
    let mut machine = Machine::bare();
    let mut pace = machine.pace();
    assert_eq!(machine.live(&mut pace, 60, (400, 400), OFTEN), Advice::default());
}

#[test]
fn others_are_no_reason_to_rest_where_nobody_waits() {
    let mut machine = Machine::bare();
    let mut pace = machine.pace();
    let rest = machine.live(&mut pace, 60, (400, 200), NOBODY_WAITS).rest;
    assert_eq!(rest, Duration::ZERO);
}

#[test]
fn cores_that_others_take_are_left_to_them_whether_anybody_waits_or_not() {
    for (taken, threads) in [(20, 4), (50, 3), (120, 3), (150, 2), (300, 1), (400, 1)] {
        let mut machine = Machine::bare();
        let mut pace = machine.pace();
        assert_eq!(pace.threads(4), 4, "nothing is known yet");
        let advice = machine.live(&mut pace, 60, (400, 400 - taken), "");
        assert_eq!(pace.threads(4), threads, "{taken} % of a core");
        assert_eq!(pace.threads(1), 1);
        assert_eq!(advice.notes.len(), usize::from(threads < 4), "{advice:?}");
        machine.live(&mut pace, 60, (300, 300), "");
        assert_eq!(pace.threads(4), 4, "they are back");
    }
}

#[test]
fn without_pressure_information_nobody_is_known_to_wait() {
    for waiting in ["", "some", "some avg10=", "some avg10=x", "some avg10=NaN", "some avg10=900"] {
        let mut machine = Machine::bare();
        let mut pace = machine.pace();
        assert_eq!(machine.live(&mut pace, 10, (400, 390), waiting), Advice::default());
    }
}

#[test]
fn without_times_nobody_is_known_to_compute() {
    for (stat, own) in [("", ""), ("cpu  1 2 3", ") 1"), ("cpu  a b c d e f g h", "x"), ("x", "()")]
    {
        let mut machine = Machine::bare();
        let mut pace = machine.pace();
        machine.write("proc/pressure/cpu", OFTEN);
        machine.write("proc/stat", stat);
        machine.write("proc/self/stat", own);
        for _ in 0..3 {
            assert_eq!(machine.after_a_second(&mut pace), Advice::default(), "{stat}");
        }
    }
}

#[test]
fn this_very_machine_can_be_looked_at() {
    let mut pace = Rests::new(Path::new("/"));
    let advice = pace.after(STEP, Instant::now());
    assert!(advice.rest <= STEP, "{advice:?}");
}
